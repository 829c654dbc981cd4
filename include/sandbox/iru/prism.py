"""``GET /prism/<category>`` and ``GET /prism/count``.

Default and maximum of ``limit``: 25 and 300. Newer tenants take a ``cursor`` and refuse ``offset``;
with the switch ``prism_offset`` it is the other way round. ``sort_by`` orders the first page only: the
vendor supports no custom order with cursors, so both together are refused with 400, which a client
cannot overlook.
"""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.errors import ApiError, bad_request
from include.sandbox.iru.fault_kinds import COUNT
from include.sandbox.iru.paging import read_window
from include.sandbox.iru.prism_categories import LISTED, find_category
from include.sandbox.iru.prism_filters import parse_filter
from include.sandbox.iru.prism_pages import Page, Walk, first_page, page_by_key, page_by_offset
from include.sandbox.iru.prism_query import PrismQuery, split_list
from include.sandbox.iru.prism_rows import count_rows
from include.sandbox.iru.row_faults import RowsResponse, hostile_records
from include.sandbox.iru.tenant import TenantOf

DEFAULT_LIMIT, MAXIMUM_LIMIT = 25, 300
router = APIRouter()


@router.get("/prism/count")
def count_category(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return how many rows a category holds."""
    category = find_category(request.query_params.get("category", ""), tenant.switches)
    count = count_rows(tenant, category, PrismQuery(filter={}).condition(category))
    fault = tenant.faults.take(COUNT, category.name)
    if fault:
        count = max(0, count + fault.options["delta"])
    return JSONResponse({"count": count, "approximate": bool(fault and fault.kind == "count_approximate")})


@router.get("/prism/{category_name}")
def list_category(category_name: str, request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of a category in its envelope of five keys."""
    if category_name not in LISTED:
        raise ApiError(404, {"detail": "Not Found"})
    category = find_category(category_name, tenant.switches)
    query = _read_query(request)
    limit = read_window(request.query_params, tenant.switches, default=DEFAULT_LIMIT, maximum=MAXIMUM_LIMIT).limit
    page = _read_page(request, Walk(tenant, category, query, limit))
    total = count_rows(tenant, category, query.condition(category)) if tenant.switches.prism_total else None
    records = [category.row(tuple(row)) for row in page.rows]
    return RowsResponse(
        {
            "offset": page.offset,
            "limit": limit,
            "total": total,
            "data": hostile_records(tenant, category.name, records),
            "cursor": page.cursor,
        }
    )


def _read_query(request: Request) -> PrismQuery:
    given = request.query_params
    return PrismQuery(
        blueprint_ids=split_list(given.get("blueprint_ids", "")),
        device_families=split_list(given.get("device_families", "")),
        filter=parse_filter(given.get("filter", "")),
        sort_by=given.get("sort_by", "").strip(),
    )


def _read_page(request: Request, walk: Walk) -> Page:
    given = request.query_params
    if walk.tenant.switches.prism_offset:
        return page_by_offset(walk, _read_offset(given.get("offset", "")))
    if "offset" in given:
        raise bad_request("offset is not supported. Use cursor for pagination.")
    if not walk.query.sort_by:
        return page_by_key(walk, given.get("cursor", ""))
    if "cursor" in given:
        raise bad_request("sort_by is not supported with cursor pagination.")
    return first_page(walk)


def _read_offset(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise bad_request(f"Invalid offset: {text}")
    return int(text or 0)
