"""Keep the pages of a walk as files; a walk that breaks is walked anew, and nothing of the broken one stays.

A walk that was interrupted (a kill, a server that was sick for too long) goes on behind the pages that it left. Pages
are kept as they were received, several in a file: the first ones each in their own, later ones by the dozen, so that an
interruption costs a small share of the walk and an object store is not asked for every page.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from include.errors import StorageFailed
from include.iru.raw_rows import encode_rows
from include.iru.walk import Bookmark, WalkBroken
from include.storage import StoragePath, list_files, read_bytes, read_json, write_bytes, write_json

log = logging.getLogger(__name__)

Page = Sequence[dict[str, Any]]

MAX_NEW_WALKS = 3
"""How often a walk that breaks is begun anew."""

MOST_PAGES_A_FILE = 40

_SHARE = 8  # a file holds an eighth of the pages before it
_PAGE = ".json.zst"
_WALK = "walk.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows and pages of one walk, and the devices that its rows name, where these were asked for."""

    rows: int = 0
    pages: int = 0
    device_ids: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Come:
    """How far a walk had come, and when (unix seconds); without a cursor only an offset leads to the next page."""

    files: int
    cursor: str
    ended: bool
    at_s: float


def store_walk(
    folder: StoragePath,
    walk: Callable[[Bookmark], Iterable[Page]],
    *,
    go_on: bool = False,
    by_offset: bool = False,
    names_devices: bool = True,
) -> Stored:
    """Write the pages of a walk in their order, replacing all that are there.

    With ``go_on`` the pages of an interrupted walk stay where it can go on after them: by cursor, or ``by_offset``.
    A WalkBroken begins it anew, at most ``MAX_NEW_WALKS`` times; the last one is raised. ``names_devices`` False spares
    looking into the rows.
    """
    left = MAX_NEW_WALKS
    come = _come(folder) if go_on else None
    if come and not (come.ended or come.cursor or by_offset):
        come = None
    while True:
        _clear(folder, keep=come.files if come else 0)
        try:
            return _Keeper(folder, names_devices=names_devices).store(walk, come)
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
    """Write one page behind the files that are there; ``position`` is their number."""
    write_pages(folder, position, [encode_rows(page)])


def write_pages(folder: StoragePath, position: int, encoded: Sequence[bytes]) -> None:
    """Write pages, each a JSON array, as one file."""
    body = b"[" + b",".join(encoded) + b"]"
    # Its length is in the name: knowing it, Arrow unpacks in one step.
    write_bytes(folder / f"pages-{position:06d}-{len(body)}{_PAGE}", pa.compress(body, codec="zstd", asbytes=True))


def iter_pages(folder: StoragePath) -> Iterator[Page]:
    """Yield the pages that a walk left, in their order."""
    for body in iter_files(folder):
        yield from _decode(body)


def iter_files(folder: StoragePath) -> Iterator[bytes]:
    """Yield the files of a walk in their order, each a JSON array of pages; StorageFailed where one is damaged."""
    for path in list_files(folder, _PAGE):
        packed = read_bytes(path)
        try:
            size_bytes = int(path.name.removesuffix(_PAGE).rpartition("-")[2])
            body: bytes = pa.decompress(packed, size_bytes, codec="zstd", asbytes=True)
        except (OSError, ValueError):
            raise StorageFailed(f"{path} is damaged. Clear the task extract, and run it again.") from None
        yield body


def device_ids(page: Page) -> Iterator[str]:
    """Yield the devices that a page's rows name, as the APIs tell them apart, that is without case."""
    return (row["device_id"].casefold() for row in page if isinstance(row.get("device_id"), str))


def _decode(body: bytes) -> list[Page]:
    try:
        pages: list[Page] = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # JSON that only Python's reader takes
        pages = json.loads(body)
    return pages


def _come(folder: StoragePath) -> Come | None:
    path = folder / _WALK
    come = Come(**read_json(path)) if path.exists() else None
    return come if come and len(list_files(folder, _PAGE)) >= come.files else None


def _clear(folder: StoragePath, *, keep: int) -> None:
    if not keep:
        forget_walk(folder)
    for leftover in list_files(folder, _PAGE)[keep:]:
        leftover.unlink()  # of an earlier try, which may have seen more pages


class _Keeper:
    """Keeps the pages of one walk, and notes after each file how far it has come."""

    def __init__(self, folder: StoragePath, *, names_devices: bool) -> None:
        self._folder = folder
        self._names_devices = names_devices
        self._rows = self._pages = self._files = 0
        self._ids: set[str] = set()
        self._waiting: list[bytes] = []

    def store(self, walk: Callable[[Bookmark], Iterable[Page]], come: Come | None) -> Stored:
        for body in iter_files(self._folder):
            self._files += 1
            for page in _decode(body):
                self._count(page)
        if self._pages:
            log.info("Going on behind %d pages of an earlier try.", self._pages)
        bookmark = Bookmark(iter_pages(self._folder), come.cursor if come else "")
        if not (come and come.ended):
            self._walk(walk, bookmark)
        self._note("", ended=True)
        return Stored(self._rows, self._pages, frozenset(self._ids))

    def _walk(self, walk: Callable[[Bookmark], Iterable[Page]], bookmark: Bookmark) -> None:
        cursor = bookmark.cursor
        try:
            for page in walk(bookmark):
                self._waiting.append(encode_rows(page))
                cursor = bookmark.cursor
                self._count(page)
                if len(self._waiting) >= min(MOST_PAGES_A_FILE, 1 + self._pages // _SHARE):
                    self._write(cursor)
        finally:
            if self._waiting:  # whatever ended the walk, these pages need not be asked for again
                self._write(cursor)

    def _write(self, cursor: str) -> None:
        write_pages(self._folder, self._files, self._waiting)
        self._files, self._waiting = self._files + 1, []
        self._note(cursor, ended=False)

    def _count(self, page: Page) -> None:
        self._rows, self._pages = self._rows + len(page), self._pages + 1
        if self._names_devices:
            self._ids.update(device_ids(page))

    def _note(self, cursor: str, *, ended: bool) -> None:
        write_json(self._folder / _WALK, asdict(Come(self._files, cursor, ended=ended, at_s=time.time())))
