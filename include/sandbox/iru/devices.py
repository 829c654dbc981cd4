"""``GET /devices`` and ``GET /devices/{id}``."""

import sqlite3
from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_filters import device_condition, device_order
from include.sandbox.iru.device_rows import DEVICE_SOURCE, device_json, find_device
from include.sandbox.iru.page_faults import AskedPage, begin_page, cut_short
from include.sandbox.iru.page_trail import Step
from include.sandbox.iru.paging import Window, neighbours, read_window
from include.sandbox.iru.row_faults import RowsResponse, hostile_records
from include.sandbox.iru.tenant import Tenant, TenantOf

MAXIMUM_LIMIT = 300
router = APIRouter()


@router.get("/devices")
def list_devices(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of devices as a bare array; the end is an empty one."""
    query = request.query_params
    window = read_window(query, tenant.switches, default=MAXIMUM_LIMIT, maximum=MAXIMUM_LIMIT)
    rows = _read_page(tenant, query, window)
    headers = _count_headers(request, tenant, window) if tenant.switches.total_count_headers else {}
    shown = [device_json(row, tenant.switches) for row in rows]
    return RowsResponse(hostile_records(tenant, "devices", shown), headers=headers)


@router.get("/devices/{device_id}")
def get_device(device_id: str, tenant: TenantOf) -> JSONResponse:
    """Return one device."""
    row = find_device(tenant, device_id)
    return JSONResponse(device_json(row, tenant.switches))


def _read_page(tenant: Tenant, query: Mapping[str, str], window: Window) -> list[sqlite3.Row]:
    walk = f"devices?{urlencode(sorted((name, query[name]) for name in query if name != 'offset'))}"
    otherwise = Step(number=0, before=max(0, window.offset - window.limit))
    page = AskedPage(
        subject=f"GET /devices offset={window.offset}",
        begin=window.offset,
        before=tenant.trail.find(walk, window.offset, otherwise=otherwise).before,
        first=window.offset == 0,
        earlier=lambda: {row["id"] for row in _read(tenant, query, Window(window.offset))},
    )
    begin = begin_page(tenant, page)
    rows = cut_short(tenant, page, _read(tenant, query, Window(window.limit, begin)))
    if rows:
        tenant.trail.note(walk, window.offset + len(rows), Step(number=0, before=begin))
    return rows


def _read(tenant: Tenant, query: Mapping[str, str], window: Window) -> list[sqlite3.Row]:
    condition = device_condition(query)
    sql = f"{DEVICE_SOURCE} WHERE {condition.sql} ORDER BY {device_order(query)} LIMIT ? OFFSET ?"
    return tenant.database.rows(sql, (*condition.values, window.limit, window.offset))


def _count_headers(request: Request, tenant: Tenant, window: Window) -> dict[str, str]:
    condition = device_condition(request.query_params)
    sql = f"SELECT count(*) FROM ({DEVICE_SOURCE} WHERE {condition.sql})"  # noqa: S608 - own names, bound values
    total = tenant.database.rows(sql, condition.values)[0][0]
    following, before = neighbours(request, tenant.switches, window, total)
    return {
        "X-Total-Count": str(total),
        "X-Total-Pages": str(max(1, -(-total // window.limit))),
        "Link": f'<{following}>; rel="next", <{before}>; rel="prev"',
    }
