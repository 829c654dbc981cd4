"""Pages by keyset: a cursor holds where the last row was in the order, so that a late page costs what the first did."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from include.insight.errors import BadQuestion
from include.insight.reader import Question, Reader

Row = dict[str, Any]
"""A row as JSON values, with the names that the page reads."""

MOST_COUNTED = 10_000
"""Beyond so many rows a total is "at least": nobody reads further, and counting takes time."""

DEFAULT_ROWS, MOST_ROWS = 50, 200


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows there are in all; not exact: at least so many."""

    n: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the cursor of those that follow (None: these were the last), and how many there are in all."""

    rows: list[Row]
    next: str | None
    total: Total

    def to_json(self) -> Row:
        """Return the page as JSON values."""
        return {"rows": self.rows, "next": self.next, "total": {"n": self.total.n, "is_exact": self.total.is_exact}}


EMPTY = Page([], None, Total(0))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page: from where on, and how many rows."""

    cursor: str | None = None
    limit: int = DEFAULT_ROWS

    def after(self, *kinds: type) -> tuple[tuple[Any, ...], Total] | None:
        """Return the position after which the page begins and the total; None for the first page.

        ``kinds`` are the types of the position's values. Raises BadQuestion for a cursor that none of our pages had.
        """
        if not self.cursor:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            n, is_exact, *position = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        except (ValueError, TypeError, RecursionError):
            raise BadQuestion(_NO_CURSOR) from None
        whole = type(n) is int and type(is_exact) is bool and len(position) == len(kinds)
        if not whole or not all(type(value) is kind for value, kind in zip(position, kinds, strict=True)):
            raise BadQuestion(_NO_CURSOR)
        return tuple(position), Total(n, is_exact)


_NO_CURSOR = "The cursor is none that this page has given out. Leave it out to begin at the start."


def cursor_at(total: Total, *position: Any) -> str:
    """Return the cursor of what follows a position; the total goes along, so that it is counted once."""
    text = json.dumps([total.n, total.is_exact, *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cut(rows: Sequence[Any], limit: int) -> tuple[list[Any], bool]:
    """Return the rows of a page of which one more was asked for, and whether others follow."""
    return list(rows[:limit]), len(rows) > limit


def count_up_to(reader: Reader, question: Question, most: int = MOST_COUNTED) -> Total:
    """Count the rows of an answer, up to a limit."""
    n = reader.number(sa.select(sa.func.count()).select_from(question.limit(most + 1).subquery()))
    return Total(min(n, most), n <= most)


def beyond(columns: Sequence[Any], position: Sequence[Any], *, descending: bool = False) -> sa.ColumnElement[bool]:
    """Return the condition of what comes after a position in the order of some columns."""
    here, there = sa.tuple_(*columns), sa.tuple_(*(sa.literal(value) for value in position))
    return here < there if descending else here > there
