"""``GET /prism/<category>`` and ``GET /prism/count``.

Default and maximum of ``limit``: 25 and 300. Newer tenants take a ``cursor`` and refuse ``offset``;
with the switch ``prism_offset`` it is the other way round. ``sort_by`` orders the first page only: the
vendor supports no custom order with cursors, so both together are refused with 400, which a client
cannot overlook.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.errors import ApiError, bad_request
from include.sandbox.iru.paging import read_window
from include.sandbox.iru.prism_categories import LISTED, find_category
from include.sandbox.iru.prism_columns import Category
from include.sandbox.iru.prism_filters import parse_filter
from include.sandbox.iru.prism_query import PrismQuery, read_cursor, split_list, write_cursor
from include.sandbox.iru.prism_rows import count_rows, rows_after, rows_at
from include.sandbox.iru.tenant import Tenant, TenantOf

DEFAULT_LIMIT, MAXIMUM_LIMIT = 25, 300
router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[Any]
    offset: int | None = None
    cursor: str | None = None


@router.get("/prism/count")
def count_category(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return how many rows a category holds."""
    category = find_category(request.query_params.get("category", ""), tenant.switches)
    query = PrismQuery(filter={})
    return JSONResponse({"count": count_rows(tenant, category, query.condition(category)), "approximate": False})


@router.get("/prism/{category_name}")
def list_category(category_name: str, request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of a category in its envelope of five keys."""
    if category_name not in LISTED:
        raise ApiError(404, {"detail": "Not Found"})
    category = find_category(category_name, tenant.switches)
    query = _read_query(request)
    limit = read_window(request.query_params, tenant.switches, default=DEFAULT_LIMIT, maximum=MAXIMUM_LIMIT).limit
    total = count_rows(tenant, category, query.condition(category)) if tenant.switches.prism_total else None
    page = _read_page(request, tenant, category, query, limit)
    return JSONResponse(
        {
            "offset": page.offset,
            "limit": limit,
            "total": total,
            "data": [category.row(tuple(row)) for row in page.rows],
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


def _read_page(request: Request, tenant: Tenant, category: Category, query: PrismQuery, limit: int) -> _Page:
    given = request.query_params
    if tenant.switches.prism_offset:
        offset = _read_offset(given.get("offset", ""))
        return _Page(rows_at(tenant, category, query, offset, limit), offset=offset)
    if "offset" in given:
        raise bad_request("offset is not supported. Use cursor for pagination.")
    if not query.sort_by:
        return _page_by_key(tenant, category, query, limit, given.get("cursor", ""))
    if "cursor" in given:
        raise bad_request("sort_by is not supported with cursor pagination.")
    rows = rows_at(tenant, category, query, 0, limit + 1)
    signature = query.signature(category, limit)
    more = write_cursor(tenant.secret, signature, rows[limit - 1][0]) if len(rows) > limit else None
    return _Page(rows[:limit], cursor=more)


def _page_by_key(tenant: Tenant, category: Category, query: PrismQuery, limit: int, cursor: str) -> _Page:
    signature = query.signature(category, limit)
    position = read_cursor(tenant.secret, signature, cursor)
    rows = rows_after(tenant, category, query.condition(category), position, limit + 1)
    shown = rows[: _page_size(tenant, limit, position)]
    more = len(rows) > len(shown) or (tenant.switches.prism_empty_last_page and bool(shown))
    return _Page(shown, cursor=write_cursor(tenant.secret, signature, shown[-1][0]) if more and shown else None)


def _page_size(tenant: Tenant, limit: int, position: int) -> int:
    """Return how many rows the page shows: with the switch on, every other page only about half."""
    short = tenant.switches.prism_short_pages and position % 2 == 0
    return max(1, limit // 2) if short else limit


def _read_offset(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise bad_request(f"Invalid offset: {text}")
    return int(text or 0)
