"""``GET /audit/events``: pages by a cursor that names the last event's time (or id).

https://api-docs.kandji.io (Audit log, List audit events).
"""

import base64
import json
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_filters import Condition
from include.sandbox.iru.errors import bad_field, bad_request
from include.sandbox.iru.paging import page_address, read_window
from include.sandbox.iru.prism_filters import join_conditions
from include.sandbox.iru.spelling import read_time, stored_time, zulu_time
from include.sandbox.iru.tenant import Tenant, TenantOf

MAXIMUM_LIMIT = 500
_COLUMNS = {"occurred_at": "dt", "id": "id"}
router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Order:
    column: str
    descending: bool

    @property
    def sql(self) -> str:
        return f"{self.column} {'DESC' if self.descending else 'ASC'}"

    def behind(self, cursor: str) -> Condition:
        comparison = "<" if self.descending else ">"
        return Condition(f"{self.column} {comparison} ?", (_read_cursor(cursor, _COLUMNS[self.column]),))

    def cursor(self, row: sqlite3.Row) -> str:
        value = row["id"] if self.column == "id" else row["occurred_at"].replace("T", " ")
        return base64.b64encode(f">{_COLUMNS[self.column]}:{value}".encode()).decode()


@router.get("/audit/events")
def list_events(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of events; ``next`` is a whole address, null at the end."""
    given = request.query_params
    limit = read_window(given, tenant.switches, default=MAXIMUM_LIMIT, maximum=MAXIMUM_LIMIT).limit
    order = _read_order(given.get("sort_by", ""))
    parts = _period(given.get("start_date", ""), given.get("end_date", ""))
    if given.get("cursor"):
        parts.append(order.behind(given["cursor"]))
    condition = join_conditions(parts)
    rows = tenant.database.rows(
        f"SELECT * FROM audit WHERE {condition.sql} ORDER BY {order.sql} LIMIT ?",  # noqa: S608 - own names
        (*condition.values, limit + 1),
    )
    following = _next_address(request, tenant, order.cursor(rows[limit - 1])) if len(rows) > limit else None
    results = [_event_json(row) for row in rows[:limit]]
    return JSONResponse({"results": results, "previous": None, "next": following})


def _read_order(text: str) -> _Order:
    column = text.removeprefix("-") or "occurred_at"
    if column not in _COLUMNS:
        raise bad_field("sort_by", f'"{text}" is not a valid choice.')
    return _Order(column, text.startswith("-"))


def _period(start: str, end: str) -> list[Condition]:
    parts = []
    if start:
        parts.append(Condition("occurred_at >= ?", (_moment("start_date", start),)))
    if end:
        parts.append(Condition("occurred_at <= ?", (_moment("end_date", end, whole_day=True),)))
    return parts


def _moment(name: str, text: str, *, whole_day: bool = False) -> str:
    try:
        moment = read_time(text)
    except ValueError as error:
        raise bad_field(name, "Enter a valid date/time.") from error
    if whole_day and len(text) == len("2024-11-26"):
        moment += timedelta(days=1, microseconds=-1)
    return stored_time(moment)


def _read_cursor(cursor: str, kind: str) -> str:
    try:
        mark, _, value = base64.b64decode(cursor, validate=True).decode().partition(":")
        if mark == f">{kind}":
            return value if kind == "id" else stored_time(read_time(value))
    except ValueError as error:
        raise bad_request("Invalid cursor") from error
    raise bad_request("Invalid cursor")


def _next_address(request: Request, tenant: Tenant, cursor: str) -> str:
    query = {k: v for k, v in request.query_params.items() if k != "cursor"} | {"cursor": cursor}
    return page_address(request, tenant.switches.next_host, query)


def _event_json(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "action": row["action"],
        "occurred_at": zulu_time(row["occurred_at"]),
        "actor_id": row["actor_id"],
        "actor_type": row["actor_type"],
        "target_id": row["target_id"],
        "target_type": row["target_type"],
        "target_component": row["target_component"],
        "new_state": json.loads(row["new_state"]),
        "metadata": json.loads(row["metadata"]),
    }
