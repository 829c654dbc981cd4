"""What stuck rows have in common, and all that is known of one of them."""

from typing import Any

import sqlalchemy as sa

from include.insight.errors import NotThere
from include.insight.history import of_row
from include.insight.order_list import orders_of_row
from include.insight.paging import Row
from include.insight.reader import Question
from include.insight.scope import Scope, labels_of
from include.insight.search import payload_of
from include.insight.stuck_rows import LEDGER, NOT_SENT, of_ledger, of_waiting, open_orders
from include.insight.unconfirmed import NOT_SENT as NOT_SENT_KINDS
from include.insight.unconfirmed import UNCONFIRMED, WAITING_INDEX
from include.inventory.ledger_tables import ROWS
from include.inventory.sync_tables import WAITING

MOST_GROUPS = 50
LOOKED_AT = 20_000
"""Rows of a feed whose messages are counted, the oldest first; beyond that the counts are of these only."""


def summary(scope: Scope) -> list[Row]:
    """Return the most frequent messages of stuck rows, by kind, feed and verdict."""
    found: list[Row] = []
    for feed in scope.feeds:
        some = sa.select(ROWS.c.verdict, ROWS.c.message, ROWS.c.attempts)
        some = some.where(*scope.rows_of(feed), ROWS.c.since.is_not(None)).order_by(ROWS.c.since, ROWS.c.key)
        looked_at = scope.reader.by(some.limit(LOOKED_AT), ROWS, UNCONFIRMED).subquery()
        often = looked_at.c.attempts >= scope.settings.max_attempts
        kind = sa.case((often, "parked"), else_="refused").label("kind")
        found += _groups(scope, feed, kind, looked_at)
        for verdict in NOT_SENT_KINDS:
            waits = sa.select(WAITING.c.verdict, WAITING.c.message)
            waits = waits.where(*scope.reader.of(WAITING, feed=feed, verdict=verdict)).limit(LOOKED_AT)
            found += _groups(scope, feed, sa.literal(verdict).label("kind"), _by_age(scope, waits).subquery())
    return sorted(found, key=lambda group: (-group["n"], group["feed"], group["message"]))[:MOST_GROUPS]


def detail(scope: Scope, feed: str, key: str) -> Row:
    """Return one row that waits, as sent and as confirmed, with its orders and its verdicts; NotThere for another."""
    named = scope.feed(feed)
    orders = open_orders(scope, [(feed, key)])
    row = scope.reader.row(sa.select(*LEDGER).where(*scope.rows_of(feed), ROWS.c.key == key))
    waiting = scope.reader.row(sa.select(*NOT_SENT).where(*scope.reader.of(WAITING, feed=feed, row_id=key)))
    columns = labels_of(named)
    if row is not None and (row.since is not None or orders or waiting is None):
        shown = of_ledger(scope, row, orders)
        sent = row.tried_payload or row.payload
        more = {"sent": _payload(sent), "import_set": scope.import_set(row.import_set)}
    elif waiting is not None:
        shown = of_waiting(scope, waiting, orders)
        more = {"sent": _payload(waiting.payload), "import_set": None}
    else:
        raise NotThere("No such row is known. It may have been confirmed, or a later run no longer lists it.")
    confirmed = _payload(row.payload) if row is not None else None
    known = {"confirmed": confirmed, "columns": columns, "orders": orders_of_row(scope, feed, key)}
    return shown | more | known | {"history": of_row(scope, feed, key)}


def _payload(text: str | None) -> dict[str, str] | None:
    return payload_of(text) if text else None


def _by_age(scope: Scope, question: Question) -> Question:
    return scope.reader.by(question, WAITING, WAITING_INDEX)


def _groups(scope: Scope, feed: str, kind: Any, looked_at: Any) -> list[Row]:
    n = sa.func.count().label("n")
    grouped = sa.select(kind, looked_at.c.verdict, looked_at.c.message, n).group_by(
        kind, looked_at.c.verdict, looked_at.c.message
    )
    rows = scope.reader.rows(grouped.order_by(n.desc()).limit(MOST_GROUPS))
    return [
        {"kind": row.kind, "feed": feed, "verdict": row.verdict, "message": row.message, "n": row.n} for row in rows
    ]
