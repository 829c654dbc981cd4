"""``GET /devices/{id}/activity``: what happened to one device, oldest first, newest on the last page.

Enrolments and moves between blueprints, read from the audit log; assigning a user leaves no trace here
either: https://api-docs.kandji.io (Device information, Get device activity).
"""

import json
import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_rows import find_device
from include.sandbox.iru.paging import neighbours, read_window
from include.sandbox.iru.spelling import zulu_time
from include.sandbox.iru.tenant import TenantOf

MAXIMUM_LIMIT = 300
_ACTIVITY = """
SELECT a.rowid AS number, a.action, a.occurred_at, a.new_state FROM audit a
WHERE a.target_id = ? AND (a.action = 'create' OR a.target_component = 'blueprint') ORDER BY a.occurred_at
"""
router = APIRouter()


@router.get("/devices/{device_id}/activity")
def list_activity(device_id: str, request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of a device's activity."""
    device = find_device(tenant, device_id)
    window = read_window(request.query_params, tenant.switches, default=MAXIMUM_LIMIT, maximum=MAXIMUM_LIMIT)
    rows = tenant.database.rows(_ACTIVITY, (device["id"],))
    names = {row["id"]: row["name"] for row in tenant.database.rows("SELECT id, name FROM blueprints")}
    following, before = neighbours(request, tenant.switches, window, len(rows))
    shown = rows[window.offset : window.offset + window.limit]
    activity = {
        "count": len(rows),
        "next": following,
        "previous": before,
        "results": [_activity_json(device, row, names) for row in shown],
    }
    return JSONResponse({"device_id": device["id"], "activity": activity})


def _activity_json(device: sqlite3.Row, row: sqlite3.Row, names: dict[str, str]) -> dict[str, Any]:
    blueprint_id = json.loads(row["new_state"])["blueprint_id"]
    name, enrolled = names.get(blueprint_id, ""), row["action"] == "create"
    details = {"blueprint_name": name} | ({"enrollment_type": "DEP"} if enrolled else {})
    return {
        "id": row["number"],
        "created_at": zulu_time(row["occurred_at"]),
        "action_type": "enrollment" if enrolled else "routing_arrival",
        "details": details,
        "computer": {"id": device["id"], "name": device["name"], "is_removed": False},
        "blueprint": {"id": blueprint_id, "name": name, "is_removed": False},
        "user": None,
    }
