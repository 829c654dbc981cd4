"""The apps of one device, as ServiceNow holds them or was last told."""

from typing import Any, Literal

import sqlalchemy as sa

from include.insight.errors import BadQuestion
from include.insight.paging import Asked, Page, Row, Total, cursor_at, cut
from include.insight.scope import Scope
from include.insight.search import payload_of
from include.insight.times import iso
from include.inventory.ledger_tables import ROWS

Active = Literal["true", "false", "all"]
SORTS = ("name", "last_opened")

MOST = 10_000
"""Apps of one device that are looked at; Macs have some hundred."""

_COLUMNS = (
    ROWS.c.key, ROWS.c.payload, ROWS.c.tried_payload, ROWS.c.active, ROWS.c.verdict, ROWS.c.message,
    ROWS.c.confirmed_at, ROWS.c.since,
)  # fmt: skip


def apps(scope: Scope, device_id: str, asked: Asked, *, active: Active = "all", sort: str = "name") -> Page:
    """Return a device's apps by name, or those that were used last first."""
    if sort not in SORTS or active not in ("true", "false", "all"):
        raise BadQuestion("sort must be name or last_opened, active must be true, false or all.")
    rows = [row for feed in scope.app_feeds for row in _rows(scope, feed.name, device_id)]
    found = [row for row in map(_app, rows) if active == "all" or row["active"] == (active == "true")]
    found.sort(key=lambda row: row["key"])
    found.sort(key=lambda row: row["name"].casefold())
    if sort == "last_opened":
        found.sort(key=lambda row: row["last_opened"] or "", reverse=True)
    total = Total(len(found), len(rows) < MOST)
    begun = asked.after(str)
    if begun:
        keys = [row["key"] for row in found]
        found = found[keys.index(begun[0][0]) + 1 :] if begun[0][0] in keys else found
    page, more = cut(found, asked.limit)
    return Page(page, cursor_at(total, page[-1]["key"]) if more else None, total)


def _rows(scope: Scope, feed: str, device_id: str) -> Any:
    of_device = (*scope.rows_of(feed), ROWS.c.device == device_id)
    question = scope.reader.by(sa.select(*_COLUMNS).where(*of_device).limit(MOST), ROWS, "ledger_rows_of_device")
    return scope.reader.rows(question)


def _app(row: Any) -> Row:
    payload = payload_of(row.payload) | payload_of(row.tried_payload)
    return {
        "key": row.key, "name": payload.get("name", ""), "publisher": payload.get("developer_name", ""),
        "version": payload.get("version", ""), "path": payload.get("path", ""),
        "last_opened": iso(payload.get("last_opened")), "active": bool(row.active), "verdict": row.verdict,
        "message": row.message, "confirmed_at": iso(row.confirmed_at), "unconfirmed": row.since is not None,
    }  # fmt: skip
