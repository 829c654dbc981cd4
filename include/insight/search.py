"""Free text, looked for in what people see of a row: a substring, without case.

The database only narrows: it sees payloads as JSON, in which names of columns are no content. What it lets through is
judged here, value by value.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

LONGEST = 4000
"""Characters of a search: a whole message of ServiceNow's is looked for too, to see whose it is."""


def payload_of(text: str | None) -> dict[str, str]:
    """Return the columns of a payload; none where there is no payload or it cannot be read."""
    if not text:
        return {}
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        found = _decode_slowly(text)
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _decode_slowly(text: str) -> Any:
    """Read JSON that only Python's reader takes, such as a lone surrogate."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty text finds everything."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self._needle)

    @property
    def _needle(self) -> str:
        return self.text.replace("\x00", "").strip().casefold()

    def finds(self, values: Iterable[str | None]) -> bool:
        """Say whether one of some values holds the text."""
        needle = self._needle
        return not needle or needle in "\x00".join(filter(None, values)).casefold()

    def narrows(
        self, plain: Sequence[Any], payloads: Sequence[Any] = (), *, is_sqlite: bool
    ) -> list[sa.ColumnElement[bool]]:
        """Return conditions that lose nothing of what is looked for; none for text that the database cannot fold.

        Payloads escape whatever is not ASCII; and SQLite compares only ASCII without case.
        """
        if not self or not self._needle.isascii():
            return []
        escaped = json.dumps(self._needle)[1:-1]
        sought = [(column, self._needle) for column in plain] + [(column, escaped) for column in payloads]
        return [sa.or_(*(_holds(column, text, is_sqlite) for column, text in sought))]


NO_SEARCH = Search()


def _holds(column: Any, text: str, is_sqlite: bool) -> sa.ColumnElement[bool]:
    marked = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = sa.literal(f"%{marked}%")
    found: sa.ColumnElement[bool] = (
        column.like(pattern, escape="\\") if is_sqlite else column.ilike(pattern, escape="\\")
    )
    return found
