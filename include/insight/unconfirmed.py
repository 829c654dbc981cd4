"""The rows of a feed that ServiceNow did not confirm, counted: refused, or parked by the number of tries or by hand."""

from dataclasses import dataclass

import sqlalchemy as sa

from include.insight.scope import Scope
from include.inventory.ledger_tables import ROWS
from include.inventory.sync_tables import ORDERS, WAITING

UNCONFIRMED, REFUSED, WAITING_INDEX = "ledger_rows_unconfirmed", "ledger_rows_refused", "sync_waiting_by_age"
NOT_SENT = ("held", "rejected")


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows wait for what, and since when (UTC, as the ledger spells it); None where none does."""

    unconfirmed: int
    oldest: str | None
    newest: str | None
    refused: int
    parked: int
    held: int
    rejected: int


def parked_by_hand(scope: Scope, feed: str) -> sa.Exists:
    """Return the condition that an open order parks a row."""
    return sa.exists().where(
        *scope.reader.of(ORDERS, feed=feed, state="open", action="park"), ORDERS.c.key == ROWS.c.key
    )


def count(scope: Scope, feed: str) -> Counted:
    """Count the rows of a feed that wait."""
    reader = scope.reader
    waits = (*scope.rows_of(feed), ROWS.c.since.is_not(None))
    often = ROWS.c.attempts >= scope.settings.max_attempts
    found = reader.row(
        reader.by(
            sa.select(
                sa.func.count(), sa.func.min(ROWS.c.since), sa.func.max(ROWS.c.since),
                sa.func.coalesce(sa.func.sum(sa.case((often, 1), else_=0)), 0),
            ).where(*waits),
            ROWS,
            UNCONFIRMED,
        )
    )  # fmt: skip
    unconfirmed, oldest, newest, parked = found or (0, None, None, 0)
    by_hand, by_hand_waiting = _by_hand(scope, feed)
    held, rejected = (_not_sent(scope, feed, verdict) for verdict in NOT_SENT)
    refused = int(unconfirmed) - int(parked) - by_hand_waiting
    return Counted(int(unconfirmed), oldest, newest, refused, int(parked) + by_hand, held, rejected)


def _by_hand(scope: Scope, feed: str) -> tuple[int, int]:
    """Return how many rows an order parks beside those that were tried often, and how many of them are refused ones."""
    ordered = scope.reader.of(ORDERS, feed=feed, state="open", action="park")
    joined = ORDERS.join(
        ROWS, sa.and_(ROWS.c.source == ORDERS.c.source, ROWS.c.target == ORDERS.c.target, ROWS.c.feed == ORDERS.c.feed,
                      ROWS.c.key == ORDERS.c.key),
    )  # fmt: skip
    seldom = sa.or_(ROWS.c.since.is_(None), ROWS.c.attempts < scope.settings.max_attempts)
    asked = sa.select(sa.func.count(), sa.func.count(ROWS.c.since)).select_from(joined).where(*ordered, seldom)
    found = scope.reader.row(asked)
    return (int(found[0]), int(found[1])) if found else (0, 0)


def _not_sent(scope: Scope, feed: str, verdict: str) -> int:
    reader = scope.reader
    asked = sa.select(sa.func.count()).select_from(WAITING).where(*reader.of(WAITING, feed=feed, verdict=verdict))
    return reader.number(asked)
