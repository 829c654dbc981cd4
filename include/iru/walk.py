"""What keeps a walk over pages from never ending and from losing a page unseen.

A server that repeats a page or a cursor is asked the same again, since a cache or a replica in between may have done
it once; if it stays so, the walk stops. Pages are reached by ``cursor`` and ``offset`` only: a ``next`` link, which may
point at any host, is never followed.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from include.errors import AnswerUnusable, RetryLater

MAX_PAGES = 50_000
"""15 million rows; more than any tenant holds, and an end for a server that always has another page."""


class WalkBroken(RetryLater):
    """The walk cannot go on from where it is, but may be walked anew from its start."""


class Repeated(RetryLater):
    """A page or cursor came a second time; asked again, the server may answer the next one."""


@dataclass(slots=True)
class Bookmark:
    """How far a walk has come: the pages that are ``kept`` of it, and the cursor of the next one, where there is one.

    Whoever begins the walk fills it in; the walk keeps ``cursor`` up to date, before it yields a page.
    """

    kept: Iterable[Sequence[dict[str, Any]]] = ()
    cursor: str = ""


class Walk:
    """The pages and cursors that one walk has seen."""

    def __init__(self, request: str) -> None:
        self._request = request
        self._pages: set[bytes] = set()
        self._cursors: set[str] = set()

    def check(self, rows: Sequence[Any], cursor: str | None = None) -> None:
        """Raise Repeated for a page or cursor that ``keep`` was told of; an empty page ends the walk in any case."""
        if not rows:
            return
        if _mark(rows) in self._pages:
            raise Repeated(f"{self._request} repeats a page: the server ignores 'cursor' or 'offset'.")
        if cursor and cursor in self._cursors:
            raise Repeated(f"{self._request} returned the same cursor twice; the walk would never end.")

    def keep(self, rows: Sequence[Any], cursor: str | None = None) -> None:
        """Remember a page that goes on; AnswerUnusable when there are too many."""
        self._pages.add(_mark(rows))
        if cursor:
            self._cursors.add(cursor)
        if len(self._pages) > MAX_PAGES:
            raise AnswerUnusable(f"{self._request} has more than {MAX_PAGES} pages; the walk was stopped.")


def _mark(rows: Sequence[Any]) -> bytes:
    """Tell pages apart by their ends: a page of 300 rows that shares both with another one is that page."""
    ends = json.dumps([len(rows), rows[0], rows[-1]], sort_keys=True).encode()
    return hashlib.blake2b(ends, digest_size=16).digest()
