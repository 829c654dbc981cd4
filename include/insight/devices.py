"""The devices that the ledger knows, in the order of their serial numbers; searched in what people see of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from include.insight.paging import Asked, Page, Row, Total, beyond, count_up_to, cursor_at, cut
from include.insight.scope import Scope, names_of
from include.insight.search import Search, payload_of
from include.insight.times import iso
from include.inventory.ledger_tables import DEVICES, ROWS

MOST_COUNTED = 200_000
"""Devices are counted on their key alone, which takes some milliseconds."""

COLUMNS = (
    ROWS.c.key, ROWS.c.device, ROWS.c.payload, ROWS.c.tried_payload, ROWS.c.active, ROWS.c.verdict, ROWS.c.confirmed_at
)  # fmt: skip
SEEN = ("serial_number", "device_name", "model_name", "os_type", "os_version", "assigned_user")
"""The columns that a search looks into."""

_AT_ONCE = 5000


def devices(scope: Scope, search: Search, asked: Asked) -> Page:
    """Return devices; of those that are searched the total is what was found so far."""
    begun = asked.after(str)
    feed = scope.device_feeds[0].name
    last = begun[0][0] if begun else None
    if search:
        found = _search(scope, feed, search, last, asked.limit + 1)
        before = begun[1].n if begun else 0
        total = Total(before + min(len(found), asked.limit), len(found) <= asked.limit)
    else:
        found = _some(scope, feed, [], last, asked.limit + 1)
        counted = sa.select(ROWS.c.key).where(*scope.rows_of(feed))
        total = begun[1] if begun else count_up_to(scope.reader, counted, MOST_COUNTED)
    rows, more = cut(found, asked.limit)
    return Page(shown(scope, rows), cursor_at(total, rows[-1].key) if more else None, total)


def shown(scope: Scope, rows: Sequence[Any]) -> list[Row]:
    """Return rows of the ledger's first device feed as devices."""
    apps = _apps_of(scope, names_of(rows, "device"))
    return [_device(row, apps) for row in rows]


def _device(row: Any, apps: dict[str, int]) -> Row:
    payload = payload_of(row.payload) | payload_of(row.tried_payload)
    return {
        "device_id": row.device, "serial_number": payload.get("serial_number", row.key),
        "name": payload.get("device_name", ""), "model": payload.get("model_name", ""),
        "os_type": payload.get("os_type", ""), "os_version": payload.get("os_version", ""),
        "is_active": bool(row.active), "verdict": row.verdict, "confirmed_at": iso(row.confirmed_at),
        "apps": apps.get(row.device, 0),
    }  # fmt: skip


def _some(
    scope: Scope,
    feed: str,
    narrowed: list[sa.ColumnElement[bool]],
    last: str | None,
    limit: int,
    *,
    columns: Any = COLUMNS,
) -> list[Any]:
    question = sa.select(*columns).where(*scope.rows_of(feed), *narrowed)
    if last is not None:
        question = question.where(beyond((ROWS.c.key,), (last,)))
    return list(scope.reader.rows(question.order_by(ROWS.c.key).limit(limit)))


def _search(scope: Scope, feed: str, search: Search, last: str | None, wanted: int) -> list[Any]:
    """Return the first devices that are found after a key; of those that are only looked at little is read."""
    payloads, is_sqlite = (ROWS.c.payload, ROWS.c.tried_payload), scope.reader.is_sqlite
    looked_into = [_seen_by_sqlite(payload) for payload in payloads] if is_sqlite else payloads
    narrowed = search.narrows((ROWS.c.key,), looked_into, is_sqlite=is_sqlite)
    found: list[str] = []
    while len(found) < wanted:
        rows = _some(scope, feed, narrowed, last, _AT_ONCE, columns=(ROWS.c.key, *payloads))
        found += [key for key, *texts in rows if search.finds((key, *_seen(texts)))]
        if len(rows) < _AT_ONCE:
            break
        last = rows[-1].key
    keys = found[:wanted]
    return _some(scope, feed, [ROWS.c.key.in_(keys)], None, wanted) if keys else []


def _seen_by_sqlite(payload: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return what people see of a payload, as JSON: a word that is part of a column's name then finds no device."""
    seen = sa.func.json_extract(payload, *(f"$.{name}" for name in SEEN))
    return sa.case((sa.func.json_valid(payload) == 1, seen))


_SEEN = msgspec.json.Decoder(msgspec.defstruct("Seen", [(name, Any, None) for name in SEEN]))


def _seen(texts: Sequence[str | None]) -> Iterator[str]:
    """Yield what people see of a device, from its payloads; other columns are passed over undecoded."""
    for text in filter(None, texts):
        try:
            values: Iterable[Any] = msgspec.structs.astuple(_SEEN.decode(text))
        except (ValueError, RecursionError):
            values = (payload_of(text).get(name) for name in SEEN)
        yield from (value for value in values if isinstance(value, str))


def _apps_of(scope: Scope, ids: list[str]) -> dict[str, int]:
    """Return how many apps each of some devices has, where apps may be read."""
    counts: dict[str, int] = {}
    for feed in scope.app_feeds if ids and "apps" in scope.readable else ():
        ours = scope.reader.of(DEVICES, feed=feed.name)
        asked = sa.select(DEVICES.c.device, DEVICES.c.rows).where(*ours, DEVICES.c.device.in_(ids))
        for device, rows in scope.reader.rows(asked):
            counts[device] = counts.get(device, 0) + rows
    return counts
