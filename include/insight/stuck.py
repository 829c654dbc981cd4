"""Rows that did not arrive: refused, parked, held, rejected; by age, filtered, with what people may do about each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import merge
from itertools import islice
from typing import Any, Literal

import sqlalchemy as sa

from include.insight.errors import BadQuestion
from include.insight.paging import Asked, Page, Total, beyond, count_up_to, cursor_at, cut
from include.insight.reader import Question
from include.insight.scope import Scope
from include.insight.search import NO_SEARCH, Search, payload_of
from include.insight.stuck_rows import LEDGER, NOT_SENT, of_ledger, of_waiting, open_orders
from include.insight.unconfirmed import REFUSED, UNCONFIRMED, WAITING_INDEX, parked_by_hand
from include.inventory.ledger_tables import ROWS
from include.inventory.mapping import Feed
from include.inventory.sync_tables import ORDERS, WAITING

Kind = Literal["refused", "parked", "held", "rejected"]
KINDS: tuple[Kind, ...] = ("refused", "parked", "held", "rejected")

_SEARCHED_AT_ONCE = 1000
_BY_HAND = 10_000
"""Rows that people have parked by hand; nobody clicks more."""

Found = tuple[str, int, Any]
"""Since when, the feed's rank, the row: in this order pages are."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows: a kind, and where wanted a feed, a verdict, and a text in what people see of them."""

    kind: Kind
    feed: str | None = None
    verdict: str | None = None
    search: Search = NO_SEARCH
    newest_first: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadQuestion(f"There is no kind {self.kind!r} of stuck rows. There are: {', '.join(KINDS)}.")


def stuck(scope: Scope, wanted: Filter, asked: Asked) -> Page:
    """Return the rows of a filter; of those that are searched the total is what was found so far."""
    begun = asked.after(str, int, str)
    position = begun[0] if begun else None
    feeds = scope.chosen(wanted.feed)
    streams = [stream for feed in feeds for stream in _streams(scope, wanted, feed, position, asked.limit + 1)]
    ordered = merge(*streams, key=lambda found: found[:2], reverse=wanted.newest_first)
    found, more = cut(list(islice(ordered, asked.limit + 1)), asked.limit)
    if wanted.search:
        before = begun[1].n if begun else 0
        total = Total(before + len(found), not more)
    else:
        total = begun[1] if begun else _count(scope, wanted, feeds)
    following = cursor_at(total, found[-1][0], found[-1][1], _key(found[-1][2])) if more else None
    rows = [row for _, _, row in found]
    orders = open_orders(scope, ((row.feed, _key(row)) for row in rows))
    show = of_waiting if wanted.kind in ("held", "rejected") else of_ledger
    return Page([show(scope, row, orders) for row in rows], following, total)


def _streams(
    scope: Scope, wanted: Filter, feed: Feed, position: Sequence[Any] | None, most: int
) -> Iterator[Iterator[Found]]:
    rank = list(scope.feeds).index(feed.name)
    yield _walk(scope, wanted, rank, partial(_question, scope, wanted, feed), position=position, most=most)
    if wanted.kind == "parked":
        yield iter(_parked_by_hand(scope, wanted, feed, rank, position))


def _walk(
    scope: Scope,
    wanted: Filter,
    rank: int,
    ask: Callable[[], tuple[Question, Any, Any]],
    *,
    position: Sequence[Any] | None,
    most: int,
) -> Iterator[Found]:
    """Yield the rows of one feed in their order, as many at a time as a page needs, or as a search goes through."""
    at_once = max(most, _SEARCHED_AT_ONCE) if wanted.search else most
    question, since, key = ask()
    beyond_last = _after(since, key, rank, position, wanted)
    while True:
        ordered = [column.desc() if wanted.newest_first else column for column in (since, key)]
        rows = scope.reader.rows(question.where(*beyond_last).order_by(*ordered).limit(at_once))
        yield from ((row.since, rank, row) for row in rows if _matches(row, wanted.search))
        if len(rows) < at_once:
            return
        beyond_last = [beyond((since, key), (rows[-1].since, _key(rows[-1])), descending=wanted.newest_first)]


def _after(
    since: Any, key: Any, rank: int, position: Sequence[Any] | None, wanted: Filter
) -> list[sa.ColumnElement[bool]]:
    """Return the condition of a feed's rows after a position that may be in another feed."""
    if position is None:
        return []
    moment, last_rank, last_key = position
    if rank == last_rank:
        return [beyond((since, key), (moment, last_key), descending=wanted.newest_first)]
    if wanted.newest_first:
        return [since <= moment if rank < last_rank else since < moment]
    return [since >= moment if rank > last_rank else since > moment]


def _question(scope: Scope, wanted: Filter, feed: Feed) -> tuple[Question, Any, Any]:
    """Return the question for a feed's rows, with the columns of their order."""
    reader = scope.reader
    if wanted.kind in ("held", "rejected"):
        question = sa.select(*NOT_SENT).where(*reader.of(WAITING, feed=feed.name, verdict=wanted.kind))
        plain: tuple[Any, ...] = (WAITING.c.row_id, WAITING.c.serial_number, WAITING.c.message, WAITING.c.device)
        narrowed = wanted.search.narrows(plain, (WAITING.c.payload,), is_sqlite=reader.is_sqlite)
        return reader.by(question.where(*narrowed), WAITING, WAITING_INDEX), WAITING.c.since, WAITING.c.row_id
    question = sa.select(*LEDGER).where(*_waits(scope, wanted, feed))
    plain = (ROWS.c.key, ROWS.c.message, ROWS.c.device)
    narrowed = wanted.search.narrows(plain, (ROWS.c.tried_payload, ROWS.c.payload), is_sqlite=reader.is_sqlite)
    index = REFUSED if wanted.verdict else UNCONFIRMED
    return reader.by(question.where(*narrowed), ROWS, index), ROWS.c.since, ROWS.c.key


def _waits(scope: Scope, wanted: Filter, feed: Feed) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a feed's refused rows, or of those that were tried too often."""
    often = ROWS.c.attempts >= scope.settings.max_attempts
    chosen = [*scope.rows_of(feed.name), ROWS.c.since.is_not(None)]
    if wanted.verdict:
        chosen.append(ROWS.c.verdict == wanted.verdict)
    return [*chosen, often] if wanted.kind == "parked" else [*chosen, ~often, ~parked_by_hand(scope, feed.name)]


def _parked_by_hand(scope: Scope, wanted: Filter, feed: Feed, rank: int, position: Sequence[Any] | None) -> list[Found]:
    """Return the rows that an order parks although they were not tried too often, in the order of the page."""
    seldom = sa.or_(ROWS.c.since.is_(None), ROWS.c.attempts < scope.settings.max_attempts)
    since = sa.func.coalesce(ROWS.c.since, ORDERS.c.ordered_at).label("since")
    columns = [since if column.name == "since" else column for column in LEDGER]
    same_row = [ROWS.c[name] == ORDERS.c[name] for name in ("source", "target", "feed", "key")]
    question = sa.select(*columns).select_from(ORDERS.join(ROWS, sa.and_(*same_row)))
    question = question.where(*scope.reader.of(ORDERS, feed=feed.name, state="open", action="park"), seldom)
    if wanted.verdict:
        question = question.where(ROWS.c.verdict == wanted.verdict)
    question = question.where(*_after(since, ROWS.c.key, rank, position, wanted))
    ordered = [column.desc() if wanted.newest_first else column for column in (since, ROWS.c.key)]
    rows = scope.reader.rows(question.order_by(*ordered).limit(_BY_HAND))
    return [(row.since, rank, row) for row in rows if _matches(row, wanted.search)]


def _matches(row: Any, search: Search) -> bool:
    if not search:
        return True
    payload = payload_of(row.payload) | payload_of(getattr(row, "tried_payload", None))
    return search.finds((_key(row), row.message, row.device, *payload.values(), getattr(row, "serial_number", None)))


def _key(row: Any) -> str:
    key: str = row.row_id if hasattr(row, "row_id") else row.key
    return key


def _count(scope: Scope, wanted: Filter, feeds: Sequence[Feed]) -> Total:
    totals = []
    for feed in feeds:
        question, _, _ = _question(scope, wanted, feed)
        totals.append(count_up_to(scope.reader, question))
        if wanted.kind == "parked":
            by_hand = len(_parked_by_hand(scope, wanted, feed, 0, None))
            totals.append(Total(by_hand, by_hand < _BY_HAND))
    return Total(sum(total.n for total in totals), all(total.is_exact for total in totals))
