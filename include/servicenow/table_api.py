"""Read rows through the Table API.

Source: ServiceNow, "Table API". An encoded query's invalid parts are ignored by the server, so callers check what
comes back; a page may be short although more rows follow, because access rules filter after the limit.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from include.errors import AnswerUnusable
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied, NoSuchTable
from include.servicenow.values import to_text

PAGE_ROWS = 1000

Row = dict[str, str]


class Sight(StrEnum):
    """Whether an account sees a table."""

    READABLE = "readable"
    DENIED = "denied"
    MISSING = "missing"


def look_at(client: ServiceNowClient, table: str) -> Sight:
    """Ask for one row of a table, and say whether it is there and may be read. Raises as ``client.get`` does."""
    try:
        client.get(f"table/{table}", sysparm_limit=1, sysparm_fields="sys_id")
    except NoSuchTable:
        return Sight.MISSING
    except AccessDenied:
        return Sight.DENIED
    return Sight.READABLE


def iter_rows(client: ServiceNowClient, table: str, *, query: str, fields: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of ``table`` that match an encoded query, as plain strings, page by page in a fixed order."""
    ordered = f"{query}^ORDERBYsys_id" if query else "ORDERBYsys_id"
    offset = 0
    previous_first: Row | None = None
    while True:
        body, headers = client.get(
            f"table/{table}",
            sysparm_query=ordered,
            sysparm_fields=",".join(fields),
            sysparm_limit=PAGE_ROWS,
            sysparm_offset=offset,
            sysparm_exclude_reference_link="true",
        )
        page = [_plain(row) for row in _result(body, table)]
        if page and page[0] == previous_first:
            return  # the server ignores the offset
        previous_first = page[0] if page else None
        yield from page
        offset += PAGE_ROWS
        if _is_last(headers, offset, page):
            return


def fetch_newest(client: ServiceNowClient, table: str, *, query: str, fields: Sequence[str], limit: int) -> list[Row]:
    """Return the newest rows that match an encoded query, at most ``limit``, newest first."""
    body, _ = client.get(
        f"table/{table}",
        sysparm_query=f"{query}^ORDERBYDESCsys_created_on",
        sysparm_fields=",".join(fields),
        sysparm_limit=limit,
        sysparm_exclude_reference_link="true",
    )
    rows = [_plain(row) for row in _result(body, table)]
    return sorted(rows, key=lambda row: row.get("sys_created_on", ""), reverse=True)


def fetch_row(client: ServiceNowClient, table: str, sys_id: str, *, fields: Sequence[str]) -> Row:
    """Return one row by its sys_id; Refused when it is not there."""
    body, _ = client.get(
        f"table/{table}/{sys_id}", sysparm_fields=",".join(fields), sysparm_exclude_reference_link="true"
    )
    if not isinstance(body, dict) or not isinstance(body.get("result"), dict):
        raise AnswerUnusable(f"GET /api/now/table/{table} answered without a 'result' object.")
    return _plain(body["result"])


def _result(body: Any, table: str) -> list[Mapping[str, Any]]:
    rows = body.get("result") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AnswerUnusable(f"GET /api/now/table/{table} answered without a list of objects in 'result'.")
    return rows


def _plain(row: Mapping[str, Any]) -> Row:
    """Reduce references, which may come as objects, to their value."""
    return {name: to_text(value.get("value") if isinstance(value, dict) else value) for name, value in row.items()}


def _is_last(headers: Mapping[str, str], offset: int, page: Sequence[Row]) -> bool:
    """Believe the server's total where it gives one (it counts hidden rows too); else go on until an empty page."""
    try:
        return offset >= int(headers.get("X-Total-Count", ""))
    except ValueError:
        return not page
