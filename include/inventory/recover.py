"""Take the verdicts of runs that were killed or whose load failed into the ledger, before anything new is planned.

Nothing is sent here. What is still being transformed stays in flight: its rows wait, and its run stays open.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from include.errors import RetryLater
from include.inventory.conclude import report_on
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.partner import dangling_in
from include.inventory.run import Run, Services
from include.inventory.run_notes import Settled, note_settled
from include.inventory.run_registry import KnownRun, RunRegistry
from include.inventory.settle import settle_feed
from include.inventory.summary import warn_of_failures
from include.loading.load import ask_again
from include.loading.receipts import Receipts
from include.loading.spec import LoadSpec
from include.storage import StoragePath, read_frame, read_json, write_json

log = logging.getLogger(__name__)

InFlight = dict[str, dict[str, str]]
"""By feed and key, why a row waits for what an earlier run sent."""


def recover(
    run: Run, services: Services, registry: RunRegistry, *, run_id: str, open_folder: Callable[[str], StoragePath]
) -> InFlight:
    """Settle what earlier runs had sent and return what is still in flight.

    ``open_folder`` turns a noted folder into a path. Raises RetryLater when an earlier try of this very run still has
    rows in flight: its plan must not be replaced before their verdicts are known.
    """
    in_flight: InFlight = {}
    for known in registry.open_runs():
        if known.run_id == run_id:
            if _ask(run, services, registry, known):
                raise RetryLater("Rows that an earlier try of this run sent are not transformed yet.")
            continue
        root = open_folder(known.folder)
        if not (root / "run.json").exists():
            log.warning("Run %s has no files any more (%s): nothing of it can be asked about.", known.run_id, root)
            registry.close(known.run_id)
            continue
        earlier = Run.read(root, run.mapping, run.rules)
        found = _ask(earlier, services, registry, known)
        _report(earlier, services.ledger, registry, known, by=run_id)
        for feed, keys in found.items():
            in_flight.setdefault(feed, {}).update(keys)
        if not found:
            registry.close(known.run_id)
    return in_flight


def has_open(run: Run) -> bool:
    """Say whether a run sent, or began to send, rows whose verdicts are not known."""
    parts = (path for feed in run.feeds for path in run.folder.to_send(feed.name).paths())
    return any(Receipts(path).has_open() for path in parts)


def _ask(earlier: Run, services: Services, registry: RunRegistry, known: KnownRun) -> InFlight:
    """Take the verdicts of what one run had sent into the ledger, and return what is still in flight."""
    in_flight: InFlight = {}
    newer_runs = registry.newer_than(known.run_id)
    for feed in earlier.feeds:
        parts = earlier.folder.to_send(feed.name).paths()
        dangling = dangling_in(earlier, feed, services.ledger) if parts else None
        settle = partial(
            settle_feed, services.ledger, feed, run_id=known.run_id, newer_runs=newer_runs, dangling=dangling
        )
        waiting = [key for path in parts for key in _ask_part(known, feed, path, services, settle=settle)]
        if waiting:
            why = f"what run {known.run_id} sent of it is not transformed yet"
            in_flight[feed.name] = dict.fromkeys(waiting, why)
    return in_flight


def _ask_part(
    known: KnownRun, feed: Feed, path: StoragePath, services: Services, *, settle: Callable[..., object]
) -> list[str]:
    """Let ``settle`` take in the verdicts of a part's rows, and return the keys of those that are still in flight."""
    receipts, spec = Receipts(path), spec_of(feed, services.loads)
    positions = ask_again(services.servicenow, spec, path) if receipts.has_open() else frozenset[int]()
    to_send, verdicts = read_frame(path), receipts.read_verdicts()
    if len(verdicts):
        settle(to_send, verdicts)
    log.info(
        "Run %s, feed %s: %d of %d rows have their verdict, %d are not transformed yet.",
        known.run_id,
        feed.name,
        len(verdicts),
        len(to_send),
        len(positions),
    )
    return [str(key) for key in to_send["_key"].iloc[sorted(positions)]]


def spec_of(feed: Feed, loads: LoadSpec) -> LoadSpec:
    """Return how a feed is loaded, where ``loads`` says what all feeds share."""
    own = {"table": feed.staging_table, "key_columns": feed.key, "labels": feed.labels, "may_be_cut": feed.may_be_cut}
    return replace(loads, **own)  # type: ignore[arg-type]  # each value has its field's type


def _report(earlier: Run, ledger: Ledger, registry: RunRegistry, known: KnownRun, *, by: str) -> None:
    """Write the report that a run could not write itself, or bring the one that it wrote up to date."""
    told = read_json(earlier.folder.about)
    path = earlier.folder.report
    before: dict[str, Any] = read_json(path) if path.exists() else {}
    report = report_on(
        earlier,
        ledger,
        dag_id=told["dag_id"],
        run_id=known.run_id,
        loads={},
        newer_runs=registry.newer_than(known.run_id),
    )
    killed = f"The run did not come to its end; run {by} took care of what it had sent. {report.failed}"
    report = replace(report, failed=before.get("failed", "") if before else killed.strip())
    if before:  # it knew what its load tasks cost
        report = replace(report, **{name: before[name] for name in ("requests", "retries", "waited_s")})
    write_json(path, report.to_json())
    settled = Settled(earlier, report, {}, (), datetime.now(UTC))
    warn_of_failures("a run that was killed", partial(note_settled, ledger, settled))
