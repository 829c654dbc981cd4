"""``GET /blueprints``, ``GET /blueprints/{id}``, ``GET /tags`` and ``GET /settings/licensing``.

Lists with count, next and previous: https://api-docs.kandji.io (Blueprints; Tags; Settings).
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_filters import Condition
from include.sandbox.iru.errors import not_found
from include.sandbox.iru.paging import neighbours, read_window
from include.sandbox.iru.prism_filters import join_conditions
from include.sandbox.iru.prism_query import split_list
from include.sandbox.iru.tenant import TenantOf

MAXIMUM_LIMIT = 300
_BLUEPRINTS = (
    "SELECT b.*, (SELECT count(*) FROM devices d WHERE d.blueprint_id = b.id) AS computers_count FROM blueprints b"
)
router = APIRouter()


@router.get("/blueprints")
def list_blueprints(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of blueprints; beyond the end it is empty."""
    window = read_window(request.query_params, tenant.switches, default=MAXIMUM_LIMIT, maximum=MAXIMUM_LIMIT)
    condition = _condition(request.query_params)
    rows = tenant.database.rows(f"{_BLUEPRINTS} WHERE {condition.sql} ORDER BY b.seq", condition.values)
    following, before = neighbours(request, tenant.switches, window, len(rows))
    shown = rows[window.offset : window.offset + window.limit]
    results = [_blueprint_json(row) for row in shown]
    return JSONResponse({"count": len(rows), "next": following, "previous": before, "results": results})


@router.get("/blueprints/{blueprint_id}")
def get_blueprint(blueprint_id: str, tenant: TenantOf) -> JSONResponse:
    """Return one blueprint."""
    rows = tenant.database.rows(f"{_BLUEPRINTS} WHERE b.id = ?", (blueprint_id.lower(),))
    if not rows:
        raise not_found()
    return JSONResponse(_blueprint_json(rows[0]))


@router.get("/tags")
def list_tags(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return all tags whose name contains ``search``."""
    search = request.query_params.get("search", "")
    rows = tenant.database.rows(
        "SELECT id, name FROM tags WHERE instr(lower(name), lower(?)) > 0 ORDER BY name", (search,)
    )
    results = [{"id": row["id"], "name": row["name"]} for row in rows]
    return JSONResponse({"count": len(results), "next": None, "previous": None, "results": results})


@router.get("/settings/licensing")
def get_licensing(tenant: TenantOf) -> JSONResponse:
    """Return how many devices of each platform are enrolled."""
    families = tenant.database.rows("SELECT family, count(*) FROM devices GROUP BY family")
    counted: dict[str, int] = {row[0]: row[1] for row in families}
    names = {"ios": "iPhone", "ipados": "iPad", "macos": "Mac", "tvos": "AppleTV"}
    platforms = {f"{name}_count": counted.get(family, 0) for name, family in names.items()}
    devices = sum(counted.values())
    maximum = max(10, -(-devices // 1000) * 1000)
    return JSONResponse(
        {
            "counts": {"computers_count": devices, **platforms},
            "limits": {
                "max_devices": maximum,
                "max_devices_per_platform": {"ios_ipados": 0, "macos": 0},
                "plan_type": "single_limit",
            },
            "tenantOverLicenseLimit": devices > maximum,
        }
    )


def _condition(given: Mapping[str, str]) -> Condition:
    parts = []
    if given.get("id"):
        parts.append(Condition("b.id = ?", (given["id"].lower(),)))
    if wanted := split_list(given.get("id__in", "").lower()):
        parts.append(Condition(f"b.id IN ({', '.join('?' * len(wanted))})", wanted))
    if given.get("name"):
        parts.append(Condition("instr(lower(b.name), lower(?)) > 0", (given["name"],)))
    return join_conditions(parts)


def _blueprint_json(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "icon": row["icon"],
        "color": row["color"],
        "description": row["description"],
        "params": {},
        "computers_count": row["computers_count"],
        "enrollment_code": {"code": row["enrollment_code"], "is_active": True},
        "type": row["type"],
    }
