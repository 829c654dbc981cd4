"""Remove what runs of long ago have left: first the bulky files, later the reports.

Only folders are touched that a run of ours noted itself in (``run.json``); what is still needed stays whatever its age.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.inventory.run_folder import RunFolder
from include.storage import StoragePath, read_json, remove_tree, write_json

log = logging.getLogger(__name__)

BULKY = ("extract", "shape", "plan")
"""The folders of a run that hold pages and frames; reports and notes lie beside them."""

LOOK_EVERY = timedelta(hours=12)
_MARK = "cleaned.json"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long runs' files, the ledger's rows that were removed, and past verdicts are kept, in days; 0: for ever."""

    files_days: int = 14
    reports_days: int = 90
    removed_days: int = 400
    history_days: int = 90


@dataclass(frozen=True, slots=True)
class Removed:
    """Runs whose bulky files were removed, and runs that were removed as a whole."""

    files: int = 0
    runs: int = 0


def clean_up(
    runs: StoragePath, retention: Retention, *, needed: Collection[str], now: datetime | None = None
) -> Removed | None:
    """Remove what is old enough of the runs in a DAG's folder, once in ``LOOK_EVERY``; None where it is too early.

    ``needed`` are the runs that must stay whole: those under way and those with verdicts to come. So does the newest.
    """
    now = now or datetime.now(UTC)
    if not runs.exists() or not _is_time(runs, now):
        return None
    begun = {folder: at for folder in runs.iterdir() if (at := _began_at(folder)) is not None}
    newest = max(begun, key=lambda folder: begun[folder], default=None)
    files = whole = 0
    for folder, at in begun.items():
        if folder == newest or folder.name in needed:
            continue
        if _is_older(at, retention.reports_days, now):
            remove_tree(folder)
            whole += 1
        elif _is_older(at, retention.files_days, now):
            files += _remove_bulky(folder)
    write_json(runs / _MARK, {"at": now.isoformat()})
    if files or whole:
        log.info("Retention: pages and frames of %d runs were removed, and %d runs as a whole.", files, whole)
    return Removed(files, whole)


def _is_time(runs: StoragePath, now: datetime) -> bool:
    mark = runs / _MARK
    return not mark.exists() or now - datetime.fromisoformat(read_json(mark)["at"]) >= LOOK_EVERY


def _began_at(folder: StoragePath) -> datetime | None:
    """Return when the run of a folder began; None for what is no folder of a run of ours."""
    about = RunFolder(folder).about
    began = read_json(about).get("began_at") if about.exists() else None
    return datetime.fromisoformat(began) if isinstance(began, str) else None


def _is_older(at: datetime, days: int, now: datetime) -> bool:
    return days > 0 and now - at > timedelta(days=days)


def _remove_bulky(folder: StoragePath) -> bool:
    there = [folder / name for name in BULKY if (folder / name).exists()]
    for path in there:
        remove_tree(path)
    return bool(there)
