"""Extract apps in several tasks beside each other: each walks the blueprints whose ids fall to it.

A cursor leads from page to page, so that one walk is serial; blueprints divide a fleet, and Prism filters by them. A
share that fails is walked again by itself. What belongs to which share depends on the blueprint alone, so that no share
has to know what another one saw.
"""

import logging
import math
from collections.abc import Collection as Names
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

from include.inventory.bulk_write import batched
from include.inventory.extract import Collection, choose, count_rows, read_by_export
from include.inventory.page_files import Page, Stored, clear_pages, store_walk
from include.inventory.quota_guard import IRU_QUOTA, require_quota
from include.inventory.run_folder import RunFolder
from include.iru.client import IruClient
from include.iru.prism import iter_prism
from include.iru.quota import ExtractChoice
from include.storage import StoragePath

log = logging.getLogger(__name__)

_BLUEPRINTS_AT_ONCE = 50  # ids in one address: 2 kB


def extract_share(
    client: IruClient,
    folder: RunFolder,
    share: tuple[int, int],
    *,
    fields: Names[str],
    lift_guards: Names[str],
    method: ExtractChoice,
) -> dict[str, Any]:
    """Write the pages of one share (number, of) of the apps and return what it tells: rows, pages, Prism's counts.

    Where the export is the cheaper way, the first share reads it whole. RunUnsafe when Iru's hour is too small.
    """
    number, of = share
    before, pages = count_rows(client, "apps"), folder.pages(f"apps-{number}")
    chosen = choose(client, "apps", {"apps": before}) if method == "auto" else method
    rows = None if before is None else math.ceil(before / of)
    require_quota(client.quota, "apps", {"apps": rows}, method=chosen, lifted=IRU_QUOTA in lift_guards)
    stored = _store(client, pages, share) if chosen == "pages" else _export(client, pages, share, fields)
    log.info("Share %d of %d: %d rows of apps in %d pages.", number + 1, of, stored.rows, stored.pages)
    return {"rows": stored.rows, "pages": stored.pages, "counts": [before, count_rows(client, "apps")]}


def join_shares(told: Sequence[Mapping[str, Any]]) -> Collection:
    """Return what all shares extracted together, and how many rows Iru counted at the least meanwhile."""
    counts = [count for share in told for count in share["counts"]]
    expected = None if None in counts else min(counts, default=0)
    return Collection(sum(share["rows"] for share in told), sum(share["pages"] for share in told), expected)


def share_of(blueprint_id: str, of: int) -> int:
    """Return the share that a blueprint belongs to, the same on every machine."""
    return crc32(blueprint_id.casefold().encode()) % of


def _store(client: IruClient, pages: StoragePath, share: tuple[int, int]) -> Stored:
    number, of = share
    ours = [each for each in client.blueprint_ids() if share_of(each, of) == number]

    def walk(_: Any) -> Iterator[Page]:
        for some in batched(ours, _BLUEPRINTS_AT_ONCE):
            yield from iter_prism(client, "apps", blueprints=some)

    return store_walk(pages, walk, names_devices=False)


def _export(client: IruClient, pages: StoragePath, share: tuple[int, int], fields: Names[str]) -> Stored:
    if share[0]:
        clear_pages(pages)
        return Stored()
    return read_by_export(client, "apps", pages, fields) or store_walk(
        pages, lambda mark: iter_prism(client, "apps", mark), names_devices=False
    )
