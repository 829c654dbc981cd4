"""``GET /devices`` and ``GET /devices/{id}``."""

import sqlite3
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_filters import device_condition, device_order
from include.sandbox.iru.device_rows import DEVICE_SOURCE, device_json
from include.sandbox.iru.errors import not_found
from include.sandbox.iru.paging import Window, neighbours, read_window
from include.sandbox.iru.tenant import Tenant, TenantOf

MAXIMUM_LIMIT = 300
router = APIRouter()


@router.get("/devices")
def list_devices(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of devices as a bare array; the end is an empty one."""
    query = request.query_params
    window = read_window(query, tenant.switches, default=MAXIMUM_LIMIT, maximum=MAXIMUM_LIMIT)
    rows = _read(tenant, query, window)
    headers = _count_headers(request, tenant, window) if tenant.switches.total_count_headers else {}
    return JSONResponse([device_json(row, tenant.switches) for row in rows], headers=headers)


@router.get("/devices/{device_id}")
def get_device(device_id: str, tenant: TenantOf) -> JSONResponse:
    """Return one device."""
    row = find_device(tenant, device_id)
    return JSONResponse(device_json(row, tenant.switches))


def find_device(tenant: Tenant, device_id: str) -> sqlite3.Row:
    """Return the stored device with its blueprint and user; raise the 404 when there is none."""
    rows = tenant.database.rows(f"{DEVICE_SOURCE} WHERE d.id = ?", (device_id.lower(),))
    if not rows:
        raise not_found()
    return rows[0]


def _read(tenant: Tenant, query: Mapping[str, str], window: Window) -> list[sqlite3.Row]:
    condition = device_condition(query)
    sql = f"{DEVICE_SOURCE} WHERE {condition.sql} ORDER BY {device_order(query)} LIMIT ? OFFSET ?"
    return tenant.database.rows(sql, (*condition.values, window.limit, window.offset))


def _count_headers(request: Request, tenant: Tenant, window: Window) -> dict[str, str]:
    condition = device_condition(request.query_params)
    sql = f"SELECT count(*) FROM ({DEVICE_SOURCE} WHERE {condition.sql})"  # noqa: S608 - own names, bound values
    total = tenant.database.rows(sql, condition.values)[0][0]
    following, before = neighbours(request, window, total)
    return {
        "X-Total-Count": str(total),
        "X-Total-Pages": str(max(1, -(-total // window.limit))),
        "Link": f'<{following}>; rel="next", <{before}>; rel="prev"',
    }
