"""The orders that people have given: the audit trail of the page."""

from typing import Any

import sqlalchemy as sa

from include.insight.paging import Asked, Page, Row, beyond, count_up_to, cursor_at, cut
from include.insight.scope import Scope
from include.insight.times import iso
from include.inventory.sync_tables import ORDERS

_ORDER = (ORDERS.c.ordered_at, ORDERS.c.order_id)
_OF_A_ROW = 100


def orders(scope: Scope, asked: Asked) -> Page:
    """Return the orders for rows of feeds that may be read, newest first."""
    question = sa.select(ORDERS).where(*scope.reader.of(ORDERS), ORDERS.c.feed.in_(list(scope.feeds)))
    begun = asked.after(str, str)
    total = begun[1] if begun else count_up_to(scope.reader, question)
    if begun:
        question = question.where(beyond(_ORDER, begun[0], descending=True))
    ordered = question.order_by(*(column.desc() for column in _ORDER)).limit(asked.limit + 1)
    found, more = cut(scope.reader.rows(ordered), asked.limit)
    following = cursor_at(total, found[-1].ordered_at, found[-1].order_id) if more else None
    return Page([_order(row) for row in found], following, total)


def orders_of_row(scope: Scope, feed: str, key: str) -> list[Row]:
    """Return the newest orders for one row, whatever became of them."""
    states = ORDERS.c.state.in_(("open", "done", "replaced"))  # lets the index of rows be used
    of_row = (*scope.reader.of(ORDERS, feed=feed, key=key), states)
    asked = sa.select(ORDERS).where(*of_row).order_by(*(column.desc() for column in _ORDER)).limit(_OF_A_ROW)
    return [_order(row) for row in scope.reader.rows(asked)]


def _order(row: Any) -> Row:
    return {
        "order_id": row.order_id, "feed": row.feed, "key": row.key, "action": row.action, "ordered_by": row.ordered_by,
        "ordered_at": iso(row.ordered_at), "reason": row.reason, "state": row.state, "run_id": row.run_id,
        "done_at": iso(row.done_at),
    }  # fmt: skip
