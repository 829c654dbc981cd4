"""Keep the pages of a walk as files; a walk that breaks is walked anew, and nothing of the broken one stays."""

import gzip
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from include.iru.walk import WalkBroken
from include.storage import StoragePath, list_files, write_bytes

log = logging.getLogger(__name__)

Page = list[dict[str, Any]]

MAX_NEW_WALKS = 3
"""How often a walk that breaks is begun anew."""

_PAGE = ".json.gz"


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows and pages of one walk, and the devices that its rows name."""

    rows: int
    pages: int
    device_ids: frozenset[str] = field(default=frozenset(), repr=False)


def store_walk(folder: StoragePath, walk: Callable[[], Iterable[Page]]) -> Stored:
    """Write the pages of a walk in their order, replacing all that are there.

    A WalkBroken begins it anew, at most ``MAX_NEW_WALKS`` times; the last one is raised.
    """
    left = MAX_NEW_WALKS
    while True:
        _clear(folder)
        try:
            return _write_all(folder, walk())
        except WalkBroken as error:
            if not left:
                raise WalkBroken(f"{error} It was begun anew {MAX_NEW_WALKS} times and broke each time.") from None
            log.warning("%s The walk begins anew; its pages are thrown away (%d more tries).", error, left)
            left -= 1


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


def _clear(folder: StoragePath) -> None:
    for leftover in list_files(folder, _PAGE):
        leftover.unlink()  # of an earlier try, which may have seen more pages


def _write_all(folder: StoragePath, pages: Iterable[Page]) -> Stored:
    rows = n_pages = 0
    ids: set[str] = set()
    for page in pages:
        append_page(folder, n_pages, page)
        rows, n_pages = rows + len(page), n_pages + 1
        ids.update(device_ids(page))
    return Stored(rows, n_pages, frozenset(ids))
