"""The verdicts that a row, or all rows of a device, were given over time, newest first."""

from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from include.insight.paging import Asked, Page, Row, Total, cursor_at, cut
from include.insight.scope import Scope, shown_key
from include.insight.search import payload_of
from include.insight.stuck_rows import name_in
from include.insight.times import iso
from include.inventory.ledger_tables import ROWS
from include.inventory.sync_tables import HISTORY

MOST = 5_000
"""Verdicts of one device that are looked at: some hundred apps, each changed once a month for a year."""

_OF_A_ROW = 200
_PAST = (
    HISTORY.c.feed, HISTORY.c.key, HISTORY.c.run_id, HISTORY.c.verdict, HISTORY.c.message, HISTORY.c.import_set,
    HISTORY.c.tried_at,
)  # fmt: skip
_PRESENT = (
    ROWS.c.feed, ROWS.c.key, ROWS.c.run_id, ROWS.c.verdict, ROWS.c.message, ROWS.c.import_set, ROWS.c.tried_at,
    ROWS.c.payload, ROWS.c.tried_payload,
)  # fmt: skip


def of_row(scope: Scope, feed: str, key: str) -> list[Row]:
    """Return the verdicts of one row."""
    past = sa.select(*_PAST).where(*scope.reader.of(HISTORY, feed=feed, key=key)).order_by(HISTORY.c.tried_at.desc())
    present = sa.select(*_PRESENT).where(*scope.rows_of(feed), ROWS.c.key == key)
    return _verdicts(scope, scope.reader.rows(past.limit(_OF_A_ROW)), scope.reader.rows(present))


def of_device(scope: Scope, device_id: str, asked: Asked) -> Page:
    """Return the verdicts of a device's rows.

    A cursor is part of an address, so it holds a digest of the last row and not its key, which is a serial number.
    """
    past = sa.select(*_PAST).where(*scope.reader.of(HISTORY, device=device_id), HISTORY.c.feed.in_(list(scope.feeds)))
    newest = scope.reader.by(past.order_by(HISTORY.c.tried_at.desc()).limit(MOST), HISTORY, "ledger_history_of_device")
    replaced = scope.reader.rows(newest)
    present = [
        row
        for feed in scope.feeds
        for row in scope.reader.rows(
            sa.select(*_PRESENT).where(*scope.rows_of(feed), ROWS.c.device == device_id).limit(MOST)
        )
    ]
    verdicts = _verdicts(scope, replaced, present)
    total = Total(len(verdicts), len(replaced) < MOST)
    begun = asked.after(str, str)
    if begun:
        moment, mark = begun[0]
        marks = [_mark(verdict) for verdict in verdicts]
        first = marks.index(mark) + 1 if mark in marks else _first_before(verdicts, moment)
        verdicts = verdicts[first:]
    found, more = cut(verdicts, asked.limit)
    return Page(found, cursor_at(total, found[-1]["at"], _mark(found[-1])) if more else None, total)


def _first_before(verdicts: list[Row], moment: str) -> int:
    return next((number for number, verdict in enumerate(verdicts) if verdict["at"] < moment), len(verdicts))


def _verdicts(scope: Scope, past: Any, present: Any) -> list[Row]:
    """Return verdicts, newest first; a row has one verdict a run, and names are those of the present."""
    names = {(row.feed, row.key): name_in(payload_of(row.tried_payload or row.payload)) for row in present}
    told = [_verdict(scope, row, names, is_present=True) for row in present]
    told += [_verdict(scope, row, names, is_present=False) for row in past]
    order = sorted(told, key=lambda verdict: (verdict["feed"], verdict["key"], not verdict["is_present"]))
    return sorted(order, key=lambda verdict: str(verdict["at"]), reverse=True)


def _verdict(scope: Scope, row: Any, names: dict[tuple[str, str], str], *, is_present: bool) -> Row:
    return {
        "feed": row.feed, "key": row.key, "key_shown": shown_key(row.key), "name": names.get((row.feed, row.key), ""),
        "verdict": row.verdict, "message": row.message, "at": iso(row.tried_at), "run_id": row.run_id,
        "dag_id": scope.dag_id(row.feed), "import_set": scope.import_set(row.import_set), "is_present": is_present,
    }  # fmt: skip


def _mark(verdict: Row) -> str:
    words = "\n".join((verdict["feed"], verdict["key"], verdict["run_id"], str(verdict["is_present"])))
    return blake2b(words.encode(errors="replace"), digest_size=8).hexdigest()
