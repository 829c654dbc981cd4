"""``GET /devices/{id}/apps``: every value a string, no developer, no last use.

https://api-docs.kandji.io (Device information, Get device apps).
"""

import sqlite3
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from fastapi import APIRouter
from starlette.responses import JSONResponse

from include.sandbox.iru.device_rows import find_device
from include.sandbox.iru.spelling import word, zulu_time
from include.sandbox.iru.tenant import TenantOf

router = APIRouter()
_APPS = """
SELECT a.*, t.name, t.bundle_id, t.bundle_size_bytes, t.app_store_vendable, t.device_based_vpp, t.source,
       t.executable, t.signature
FROM apps a JOIN titles t ON t.key = a.title_key
WHERE a.device_seq = ? AND a.is_removed = 0 ORDER BY a.seq
"""


@router.get("/devices/{device_id}/apps")
def list_device_apps(device_id: str, tenant: TenantOf) -> JSONResponse:
    """Return all apps of one device; this list has no pages."""
    device = find_device(tenant, device_id)
    rows = tenant.database.rows(_APPS, (device["seq"],))
    show = _mac_app if device["family"] == "Mac" else _mobile_app
    body = {"device_id": device["id"], "apps": [show(row) for row in rows]}
    return JSONResponse(body, headers={"X-Total-Count": str(len(rows))})


def _mac_app(row: sqlite3.Row) -> dict[str, Any]:
    return _app(row) | {
        "app_id": str(row["seq"]),
        "bundle_size": "1",
        "source": row["source"],
        "process": row["executable"] or "",
        "signature": row["signature"] or "",
        "creation_date": zulu_time(row["created_at"]),
        "modification_date": zulu_time(row["updated_at"]),
    }


def _mobile_app(row: sqlite3.Row) -> dict[str, Any]:
    return _app(row) | {
        "app_id": str(uuid5(NAMESPACE_OID, f"app/{row['seq']}")),
        "bundle_size": str(row["bundle_size_bytes"] or ""),
        "app_store_vendable": word(row["app_store_vendable"]),
        "device_based_vpp": word(row["device_based_vpp"]),
    }


def _app(row: sqlite3.Row) -> dict[str, Any]:
    empty = ("app_store_vendable", "device_based_vpp", "source", "process", "signature")
    return {
        "app_id": "",
        "app_name": row["name"],
        "bundle_id": row["bundle_id"] or "",
        "bundle_size": "",
        **dict.fromkeys(empty, ""),
        "creation_date": "",
        "modification_date": "",
        "path": row["path"],
        "version": row["version"],
    }
