"""One page of a Prism category: by cursor, by offset on an older tenant, or the first one in another order.

A fault may strike it: see ``page_faults``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.sandbox.iru.fault_kinds import CURSOR
from include.sandbox.iru.page_faults import AskedPage, begin_page, cut_short
from include.sandbox.iru.page_trail import Step
from include.sandbox.iru.prism_columns import Category
from include.sandbox.iru.prism_query import START, PrismQuery, invalid_cursor, read_cursor, write_cursor
from include.sandbox.iru.prism_rows import devices_until, rows_after, rows_at
from include.sandbox.iru.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and how it says where it stands."""

    rows: list[Any]
    offset: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """One query of one category, whichever of its pages is asked for."""

    tenant: Tenant
    category: Category
    query: PrismQuery
    limit: int

    @property
    def signature(self) -> str:
        """Return what is the same for all pages of the walk."""
        return self.query.signature(self.category, self.limit)

    def cursor(self, position: int) -> str:
        """Return the cursor that leads on behind a position."""
        return write_cursor(self.tenant.secret, self.signature, position)

    def step(self, position: int, *, otherwise: Step) -> Step:
        """Return what is known of the page at a position."""
        return self.tenant.trail.find(self.signature, position, otherwise=otherwise)

    def note(self, position: int, step: Step) -> None:
        """Remember which page begins at a position."""
        self.tenant.trail.note(self.signature, position, step)

    def asked(self, begin: int, step: Step, *, first: bool, earlier: Callable[[], set[str]]) -> AskedPage:
        """Return the page that begins at a position, as faults know it."""
        subject = f"GET /prism/{self.category.name} page={step.number}"
        return AskedPage(subject=subject, begin=begin, before=step.before, first=first, earlier=earlier)


def first_page(walk: Walk) -> Page:
    """Return the first page in the order asked for, with a cursor that leads on where there is more."""
    rows = rows_at(walk.tenant, walk.category, walk.query, 0, walk.limit + 1)
    more = walk.cursor(rows[walk.limit - 1][0]) if len(rows) > walk.limit else None
    return Page(rows[: walk.limit], cursor=more)


def page_by_offset(walk: Walk, offset: int) -> Page:
    """Return the page at ``offset``; it has no cursor."""

    def read(begin: int, count: int) -> list[Any]:
        return rows_at(walk.tenant, walk.category, walk.query, begin, count)

    number = offset // walk.limit + 1
    step = walk.step(offset, otherwise=Step(number, before=max(0, offset - walk.limit)))
    page = walk.asked(offset, step, first=offset == 0, earlier=lambda: {row[1] for row in read(0, offset)})
    begin = begin_page(walk.tenant, page)
    shown = cut_short(walk.tenant, page, read(begin, walk.limit))
    if shown:
        walk.note(offset + len(shown), Step(step.number + 1, before=begin))
    return Page(shown, offset=offset)


def page_by_key(walk: Walk, cursor: str) -> Page:
    """Return the page behind ``cursor``, the first for ""; raise a 400 for one that is not this walk's."""
    tenant, limit = walk.tenant, walk.limit
    asked = read_cursor(tenant.secret, walk.signature, cursor)
    condition = walk.query.condition(walk.category)
    step = walk.step(asked, otherwise=Step(2 if cursor else 1, before=START))
    page = walk.asked(
        asked, step, first=not cursor, earlier=lambda: devices_until(tenant, walk.category, condition, asked)
    )
    if cursor and tenant.faults.take(CURSOR, page.subject):
        raise invalid_cursor()
    begin = begin_page(tenant, page)
    rows = rows_after(tenant, walk.category, condition, begin, limit + 1)
    shown = cut_short(tenant, page, rows[: _page_size(tenant, limit, begin)])
    if shown and begin == asked:
        walk.note(shown[-1][0], Step(step.number + 1, before=begin))
    more = len(rows) > len(shown) or (tenant.switches.prism_empty_last_page and bool(shown))
    return Page(shown, cursor=walk.cursor(shown[-1][0]) if more and shown else None)


def _page_size(tenant: Tenant, limit: int, position: int) -> int:
    """Return how many rows the page shows: with the switch on, every other page only about half."""
    short = tenant.switches.prism_short_pages and position % 2 == 0
    return max(1, limit // 2) if short else limit
