"""One row that waits, as the page shows it, and the orders that are open for it."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from include.insight.paging import Row
from include.insight.scope import Scope, shown_key
from include.insight.search import payload_of
from include.insight.times import iso
from include.inventory.ledger_tables import ROWS
from include.inventory.sync_tables import ORDERS, WAITING

Open = dict[tuple[str, str], Row]
"""Open orders by feed and key."""

LEDGER = (
    ROWS.c.feed, ROWS.c.key, ROWS.c.device, ROWS.c.verdict, ROWS.c.message, ROWS.c.attempts, ROWS.c.since,
    ROWS.c.run_id, ROWS.c.tried_at, ROWS.c.payload, ROWS.c.tried_payload, ROWS.c.import_set,
)  # fmt: skip
NOT_SENT = (
    WAITING.c.feed, WAITING.c.row_id, WAITING.c.device, WAITING.c.verdict, WAITING.c.message, WAITING.c.serial_number,
    WAITING.c.since, WAITING.c.run_id, WAITING.c.payload, WAITING.c["columns"],
)  # fmt: skip

_MAY = {"refused": ("park", "resend"), "parked": ("release",)}
_NAMES = ("device_name", "name")


def name_in(payload: dict[str, str]) -> str:
    """Return what people call the device or the app of a payload."""
    return next((payload[name] for name in _NAMES if payload.get(name)), "")


def of_ledger(scope: Scope, row: Any, orders: Open) -> Row:
    """Return a row that was sent and not confirmed, or that is parked by hand."""
    payload = payload_of(row.tried_payload or row.payload)
    order = orders.get((row.feed, row.key))
    by_hand = order is not None and order["action"] == "park"
    often = row.since is not None and row.attempts >= scope.settings.max_attempts
    kind = "parked" if often or by_hand else "refused"
    since = row.since or (order["ordered_at"].replace("T", " ").rstrip("Z") if order else row.tried_at)
    return _row(scope, row.feed, row.key, kind, order) | {
        "verdict": row.verdict, "serial_number": payload.get("serial_number", ""), "device_id": row.device,
        "name": name_in(payload), "message": row.message, "attempts": row.attempts, "since": iso(since),
        "run_id": row.run_id,
    }  # fmt: skip


def of_waiting(scope: Scope, row: Any, orders: Open) -> Row:
    """Return a row that was not sent."""
    payload = payload_of(row.payload)
    about = f"{row.columns}: " if row.columns and not row.message.startswith(row.columns) else ""
    return _row(scope, row.feed, row.row_id, row.verdict, orders.get((row.feed, row.row_id))) | {
        "verdict": row.verdict, "serial_number": row.serial_number, "device_id": row.device,
        "name": name_in(payload), "message": f"{about}{row.message}", "attempts": 0, "since": iso(row.since),
        "run_id": row.run_id,
    }  # fmt: skip


def open_orders(scope: Scope, rows: Iterable[tuple[str, str]]) -> Open:
    """Return the open orders for some rows, given by feed and key."""
    keys: dict[str, list[str]] = {}
    for feed, key in rows:
        keys.setdefault(feed, []).append(key)
    found: Open = {}
    for feed, some in keys.items():
        ours = scope.reader.of(ORDERS, feed=feed, state="open")
        for row in scope.reader.rows(sa.select(ORDERS).where(*ours, ORDERS.c.key.in_(some))):
            found[feed, row.key] = {
                "action": row.action, "ordered_by": row.ordered_by, "ordered_at": iso(row.ordered_at)
            }  # fmt: skip
    return found


def _row(scope: Scope, feed: str, key: str, kind: str, order: Row | None) -> Row:
    may = _MAY.get(kind, ()) if scope.may_write(feed) else ()
    return {
        "feed": feed, "key": key, "key_shown": shown_key(key), "kind": kind, "dag_id": scope.dag_id(feed),
        "open_order": order, "may_order": list(may),
    }  # fmt: skip
