"""Fetch the pages of a source, keep them as received, and say whether they are all there."""

import logging
import time
from collections.abc import Collection as Names
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from include.errors import AnswerUnusable, RunUnsafe, SetupWrong
from include.inventory.mapping import SourceName
from include.inventory.page_files import Stored, forget_walk, last_page_at_s, store_walk
from include.inventory.quota_guard import IRU_QUOTA, require_quota
from include.inventory.run_folder import RunFolder
from include.inventory.source_fields import PRISM_PREFIX
from include.inventory.sweep import complete_sweep
from include.iru.client import IruClient
from include.iru.csv_rows import ExportUnusable
from include.iru.export import iter_export
from include.iru.prism import iter_prism
from include.iru.quota import ExtractChoice, ExtractMethod, choose_method, predict_requests
from include.iru.walk import WalkBroken
from include.storage import StoragePath, read_json, write_json

log = logging.getLogger(__name__)

SOURCES: dict[SourceName, tuple[str, ...]] = {"devices": ("devices", "device_information"), "apps": ("apps",)}
"""The API collections that each source of the mapping is made of."""

INCOMPLETE_EXTRACT = "incomplete_extract"
"""The guard of this stage, as the param ``lift_guards`` names it."""

GO_ON_WITHIN_S = 600.0
"""An extract that was interrupted goes on with its pages when the last one is not older; else it begins anew."""

_DERIVED = {"app_identity": ("name", "bundle_id")}


@dataclass(frozen=True, slots=True)
class Collection:
    """What was extracted of one API collection; ``expected`` is what Iru itself counts, None where it does not say.

    ``found`` devices were passed by in the pages and fetched one by one, ``gone`` ones only Prism still names.
    """

    rows: int
    pages: int
    expected: int | None
    found: int = 0
    gone: int = 0

    @property
    def complete(self) -> bool:
        """Say whether nothing that Iru counted is missing."""
        return self.expected is None or self.rows >= self.expected


@dataclass(frozen=True, slots=True)
class Extracted:
    """The collections of one extract, and the requests that it was predicted to take (None: cannot be told)."""

    collections: dict[str, Collection]
    predicted: int | None = None


def extract(
    client: IruClient,
    source: SourceName,
    folder: RunFolder,
    *,
    fields: Names[str] = (),
    lift_guards: Names[str] = (),
    method: ExtractChoice = "pages",
) -> Extracted:
    """Write every page of a source's collections below ``folder`` and return what was found.

    ``method`` "export" reads Prism by its CSV export, which has to have ``fields`` (empty: every field of its pages),
    and falls back to pages where the tenant gives none; "auto" takes what costs fewer requests. An extract that was
    interrupted a moment ago goes on where it was: to the fleet that is a slow walk. RunUnsafe when Iru's hourly quota
    is too small.
    """
    counts = {name: count_rows(client, name) for name in SOURCES[source] if name != "devices"}
    chosen = choose(client, source, counts) if method == "auto" else method
    predicted = require_quota(client.quota, source, counts, method=chosen, lifted=IRU_QUOTA in lift_guards)
    counts, go_on = _begin(folder, source, chosen, counts)
    stored = {name: _store(client, name, folder.pages(name), chosen, fields, go_on=go_on) for name in SOURCES[source]}
    found = {name: _collection(client, name, stored[name], counts.get(name)) for name in stored}
    if "devices" in found:
        found["devices"] = _sweep(client, folder.pages("devices"), stored, found["devices"])
    for name, collection in found.items():
        expected = "" if collection.expected is None else f" (Iru counts {collection.expected})"
        log.info("Extracted %d rows of %s in %d pages%s.", collection.rows, name, collection.pages, expected)
    _end(folder, source)
    return Extracted(found, predicted)


def choose(client: IruClient, source: SourceName, counts: Mapping[str, int | None]) -> ExtractMethod:
    """Choose how Prism is read, by its own counts, before the first page is asked for."""
    if source == "devices":
        return "pages"  # a device's row of Prism is a page's three hundredth, and /devices has no export
    if None in counts.values():
        log.info("Prism is read by pages: how many rows it has cannot be told.")
        return "pages"
    chosen = choose_method(counts, client.quota)
    told = {way: predict_requests(counts, method=way) for way in ("pages", "export")}
    log.info(
        "Prism is read by %s: %s rows take about %s requests as pages, %s as an export.",
        "its CSV export" if chosen == "export" else "pages",
        ", ".join(f"{n:,}" for n in counts.values()),
        told["pages"],
        told["export"],
    )
    return chosen


def require_complete(found: Mapping[str, Collection], *, lifted: bool) -> None:
    """Stop the run when pages are missing or counts disagree, unless the guard is lifted by name."""
    for name, collection in found.items():
        if collection.complete:
            continue
        message = (
            f"The extract of {name} is incomplete: {collection.rows} rows arrived, Iru counts {collection.expected}. "
        )
        if not lifted:
            raise RunUnsafe(
                f"{message}Nothing was sent. Run again; if it stays so, lift the guard with the param "
                f'{{"lift_guards": ["{INCOMPLETE_EXTRACT}"]}}, which sends what is there and removes nothing.'
            )
        log.warning("%sThe guard %s is lifted: going on without removals.", message, INCOMPLETE_EXTRACT)


def _begin(
    folder: RunFolder, source: SourceName, method: ExtractMethod, counts: dict[str, int | None]
) -> tuple[dict[str, int | None], bool]:
    """Return what Prism counted when this extract began, and whether it goes on with the pages of an earlier try."""
    path = folder.extract_begun
    begun = read_json(path) if path.exists() else {}
    newest_s = max(last_page_at_s(folder.pages(name)) for name in SOURCES[source])
    if begun.get("method") == method and time.time() - newest_s < GO_ON_WITHIN_S:
        return dict(begun["counts"]), True
    write_json(path, {"method": method, "counts": counts})
    return counts, False


def _end(folder: RunFolder, source: SourceName) -> None:
    """Note that an extract is over, be it whole or not: the next try begins anew."""
    folder.extract_begun.unlink()
    for name in SOURCES[source]:
        forget_walk(folder.pages(name))


def _store(
    client: IruClient, name: str, folder: StoragePath, method: ExtractMethod, fields: Names[str], *, go_on: bool
) -> Stored:
    if name == "devices":
        return store_walk(folder, client.iter_devices, go_on=go_on, by_offset=True)
    if method == "export" and (exported := read_by_export(client, name, folder, fields)):
        return exported
    on = go_on and method == "pages"
    return store_walk(folder, lambda mark: iter_prism(client, name, mark), go_on=on, names_devices=name != "apps")


def read_by_export(client: IruClient, name: str, folder: StoragePath, fields: Names[str]) -> Stored | None:
    """Write the rows of a category's CSV export as pages; None, with a warning, where it is of no use."""
    try:
        walk = partial(iter_export, client, name, fields=_prism_keys(fields))
        return store_walk(folder, lambda _: walk(), names_devices=name != "apps")
    except (ExportUnusable, WalkBroken) as error:
        log.warning("Reading %s page by page, because its export is of no use: %s", name, error)
        return None


def _prism_keys(fields: Names[str]) -> set[str]:
    """Return the keys of Prism's rows that fields of the mapping are read from."""
    return {key.removeprefix(PRISM_PREFIX) for field in fields for key in _DERIVED.get(field, (field,))}


def _collection(client: IruClient, name: str, stored: Stored, before: int | None) -> Collection:
    after = count_rows(client, name) if before is not None else None
    # The fleet may change under the walk: only rows that were there before and after it have to be in the pages.
    expected = min(before, after) if before is not None and after is not None else None
    return Collection(rows=stored.rows, pages=stored.pages, expected=expected)


def _sweep(client: IruClient, folder: StoragePath, stored: Mapping[str, Stored], devices: Collection) -> Collection:
    swept = complete_sweep(client, folder, stored["devices"], stored["device_information"])
    return replace(
        devices,
        rows=devices.rows + swept.found,
        pages=devices.pages + bool(swept.found),
        expected=devices.rows + swept.found + swept.passed_by,
        found=swept.found,
        gone=swept.gone,
    )


def count_rows(client: IruClient, name: str) -> int | None:
    """Ask Prism for its own count; None where the tenant does not answer, or not exactly."""
    try:
        count, exact = client.count_prism(name)
    except (AnswerUnusable, SetupWrong) as error:
        log.warning("Whether the extract of %s is complete cannot be told: %s", name, error)
        return None
    return count if exact else None
