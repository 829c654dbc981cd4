"""Keep the pages of a walk as files; a walk that breaks is walked anew, and nothing of the broken one stays.

A walk that was interrupted (a kill, a server that was sick for too long) goes on behind the pages that it left.
"""

import gzip
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from include.iru.walk import Bookmark, WalkBroken
from include.storage import StoragePath, list_files, read_json, write_bytes, write_json

log = logging.getLogger(__name__)

Page = list[dict[str, Any]]

MAX_NEW_WALKS = 3
"""How often a walk that breaks is begun anew."""

_PAGE = ".json.gz"
_WALK = "walk.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows and pages of one walk, and the devices that its rows name."""

    rows: int
    pages: int
    device_ids: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Come:
    """How far a walk had come, and when (unix seconds); without a cursor only an offset leads to the next page."""

    pages: int
    cursor: str
    ended: bool
    at_s: float


def store_walk(
    folder: StoragePath, walk: Callable[[Bookmark], Iterable[Page]], *, go_on: bool = False, by_offset: bool = False
) -> Stored:
    """Write the pages of a walk in their order, replacing all that are there.

    With ``go_on`` the pages of an interrupted walk stay where it can go on after them: by cursor, or ``by_offset``.
    A WalkBroken begins it anew, at most ``MAX_NEW_WALKS`` times; the last one is raised.
    """
    left = MAX_NEW_WALKS
    come = _come(folder) if go_on else None
    if come and not (come.ended or come.cursor or by_offset):
        come = None
    while True:
        _clear(folder, keep=come.pages if come else 0)
        try:
            return _write_all(folder, walk, come)
        except WalkBroken as error:
            if not left:
                raise WalkBroken(f"{error} It was begun anew {MAX_NEW_WALKS} times and broke each time.") from None
            log.warning("%s The walk begins anew; its pages are thrown away (%d more tries).", error, left)
            left, come = left - 1, None


def forget_walk(folder: StoragePath) -> None:
    """Forget how far a walk has come; its pages stay."""
    if (folder / _WALK).exists():
        (folder / _WALK).unlink()


def last_page_at_s(folder: StoragePath) -> float:
    """Return when the last page of a walk was kept, in unix seconds; 0 where there is none."""
    come = _come(folder)
    return come.at_s if come else 0.0


def clear_pages(folder: StoragePath) -> None:
    """Remove all pages of a folder, and how far their walk had come."""
    _clear(folder, keep=0)


def append_page(folder: StoragePath, position: int, page: Page) -> None:
    """Write one page behind those that are there; ``position`` is their number."""
    write_bytes(folder / f"page-{position:06d}{_PAGE}", gzip.compress(json.dumps(page).encode(), 1, mtime=0))


def iter_pages(folder: StoragePath) -> Iterator[Page]:
    """Yield the pages that a walk left, in their order."""
    for path in list_files(folder, _PAGE):
        yield json.loads(gzip.decompress(path.read_bytes()))


def device_ids(page: Page) -> Iterator[str]:
    """Yield the devices that a page's rows name, as the APIs tell them apart, that is without case."""
    return (row["device_id"].casefold() for row in page if isinstance(row.get("device_id"), str))


def _come(folder: StoragePath) -> Come | None:
    path = folder / _WALK
    come = Come(**read_json(path)) if path.exists() else None
    return come if come and len(list_files(folder, _PAGE)) >= come.pages else None


def _clear(folder: StoragePath, *, keep: int) -> None:
    if not keep:
        forget_walk(folder)
    for leftover in list_files(folder, _PAGE)[keep:]:
        leftover.unlink()  # of an earlier try, which may have seen more pages


def _write_all(folder: StoragePath, walk: Callable[[Bookmark], Iterable[Page]], come: Come | None) -> Stored:
    rows = n_pages = 0
    ids: set[str] = set()
    for page in iter_pages(folder):
        rows, n_pages = rows + len(page), n_pages + 1
        ids.update(device_ids(page))
    if n_pages:
        log.info("Going on behind %d pages of an earlier try.", n_pages)
    bookmark = Bookmark(iter_pages(folder), come.cursor if come else "")
    for page in () if come and come.ended else walk(bookmark):
        append_page(folder, n_pages, page)
        rows, n_pages = rows + len(page), n_pages + 1
        ids.update(device_ids(page))
        _note(folder, Come(n_pages, bookmark.cursor, ended=False, at_s=time.time()))
    _note(folder, Come(n_pages, "", ended=True, at_s=time.time()))
    return Stored(rows, n_pages, frozenset(ids))


def _note(folder: StoragePath, come: Come) -> None:
    write_json(folder / _WALK, asdict(come))
