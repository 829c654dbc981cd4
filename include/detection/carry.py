"""What a run of the device flow does about noticed changes: take them, say what it saw, confirm or give back."""

from dataclasses import replace

from include.detection.fingerprint import fingerprints, watched_fields
from include.detection.queue import Queue
from include.inventory.page_files import iter_pages
from include.inventory.run import Run
from include.inventory.targeted import is_cheaper
from include.storage import read_json, write_json


def take_changes(run: Run, queue: Queue, run_id: str) -> Run:
    """Claim what waits, and return the run as it goes on: about these devices alone, or about the whole fleet.

    Only a run that was asked for because devices changed is about these. A run that only plans, or that leaves out a
    part of the fleet or of the feeds, takes nothing.
    """
    if not _carries_changes(run):
        return run
    if run.folder.scope.exists():  # an earlier try of this run took them
        return replace(run, changed=tuple(read_json(run.folder.scope)))
    claimed = queue.claim(run_id)
    if not run.triggered or not is_cheaper(len(claimed), queue.fleet()):
        return run
    write_json(run.folder.scope, list(claimed))
    return replace(run, changed=claimed)


def note_seen(run: Run, queue: Queue) -> None:
    """Tell the watcher how the devices look that a run has fetched."""
    if _carries_changes(run):
        fields = watched_fields(run.mapping)
        for page in iter_pages(run.folder.pages("devices")):
            queue.saw(fingerprints(page, fields))


def settle_changes(run: Run, queue: Queue, run_id: str, *, failed: bool) -> tuple[float, ...]:
    """Confirm what a run has carried, or let the next run carry it.

    Returns when each change that is confirmed now was noticed, in unix seconds.
    """
    if not _carries_changes(run):
        return ()
    if failed:
        queue.give_back(run_id)
        return ()
    return queue.confirm(run_id)


def _carries_changes(run: Run) -> bool:
    whole_flow = {feed.name for feed in run.mapping.of_source(run.source)} == set(run.params.feeds)
    return run.source == "devices" and run.params.mode == "load" and run.params.covers_fleet and whole_flow
