"""Fetch the pages of a source and keep them as received."""

import gzip
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from include.errors import AnswerUnusable, RunUnsafe, SetupWrong
from include.inventory.mapping import SourceName
from include.inventory.run_folder import RunFolder
from include.iru.client import IruClient
from include.iru.prism import iter_prism
from include.storage import StoragePath, list_files, write_bytes

log = logging.getLogger(__name__)

Page = list[dict[str, Any]]

SOURCES: dict[SourceName, tuple[str, ...]] = {"devices": ("devices", "device_information"), "apps": ("apps",)}
"""The API collections that each source of the mapping is made of."""

_PAGE = ".json.gz"


@dataclass(frozen=True, slots=True)
class Collection:
    """What was extracted of one API collection; ``expected`` is Iru's own count, None where it gives none."""

    rows: int
    pages: int
    expected: int | None

    @property
    def complete(self) -> bool:
        """Say whether nothing that Iru counted is missing."""
        return self.expected is None or self.rows >= self.expected


def extract(
    client: IruClient, source: SourceName, folder: RunFolder, *, method: Literal["pages", "export"] = "pages"
) -> dict[str, Collection]:
    """Write every page of a source's collections below ``folder`` and return what was found."""
    if method == "export" and source == "apps":
        raise SetupWrong("IRU_SERVICENOW_APPS_EXTRACT = export is not built yet; use pages.")
    found = {name: _extract_one(client, name, folder.pages(name)) for name in SOURCES[source]}
    for name, collection in found.items():
        expected = "" if collection.expected is None else f" (Iru counts {collection.expected})"
        log.info("Extracted %d rows of %s in %d pages%s.", collection.rows, name, collection.pages, expected)
    return found


def require_complete(found: dict[str, Collection], *, lifted: bool) -> None:
    """Stop the run when pages are missing, unless the guard is lifted by name."""
    for name, collection in found.items():
        if collection.complete:
            continue
        message = (
            f"The extract of {name} is incomplete: {collection.rows} rows arrived, Iru counts {collection.expected}. "
        )
        if not lifted:
            raise RunUnsafe(
                f"{message}Nothing was sent. Run again; if it stays so, lift the guard with the param "
                '{"lift_guards": ["incomplete_extract"]}, which sends what is there and removes nothing.'
            )
        log.warning("%sThe guard incomplete_extract is lifted: going on without removals.", message)


def iter_pages(folder: StoragePath) -> Iterator[Page]:
    """Yield the pages that ``extract`` kept, in their order."""
    for path in list_files(folder, _PAGE):
        yield json.loads(gzip.decompress(path.read_bytes()))


def _extract_one(client: IruClient, name: str, folder: StoragePath) -> Collection:
    for leftover in list_files(folder, _PAGE):
        leftover.unlink()  # of an earlier try, which may have seen more pages
    pages: Iterable[Page] = client.iter_devices() if name == "devices" else iter_prism(client, name)
    before = _expected(client, name)
    rows = n_pages = 0
    for page in pages:
        write_bytes(folder / f"page-{n_pages:06d}{_PAGE}", gzip.compress(json.dumps(page).encode(), 1, mtime=0))
        rows, n_pages = rows + len(page), n_pages + 1
    after = _expected(client, name) if before is not None else None
    # The fleet may change under the walk: only rows that were there before and after it have to be in the pages.
    expected = min(before, after) if before is not None and after is not None else None
    return Collection(rows=rows, pages=n_pages, expected=expected)


def _expected(client: IruClient, name: str) -> int | None:
    """Ask Prism for its own count; None for /devices, which has none, and where the tenant does not answer."""
    if name == "devices":
        return None
    try:
        count, exact = client.count_prism(name)
    except (AnswerUnusable, SetupWrong) as error:
        log.warning("Whether the extract of %s is complete cannot be told: %s", name, error)
        return None
    return count if exact else None
