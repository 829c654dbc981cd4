"""Note a settled run for the sync page. Whatever cannot be noted is a warning: the run itself has done its work."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from include.errors import PipelineError
from include.inventory.counts import IRU, LOAD, SERVICENOW, note_counts
from include.inventory.fleet_facts import facts_feed, note_facts
from include.inventory.fleet_titles import note_titles
from include.inventory.history import prune_history
from include.inventory.ledger import Ledger
from include.inventory.not_sent import note_waiting
from include.inventory.report import Report
from include.inventory.retention import Retention
from include.inventory.run import Run
from include.inventory.run_notes import Settled, note_settled, prune_runs

log = logging.getLogger(__name__)

_CHANGES = ("inserted", "updated", "processed", "removed")


def note_run(
    ledger: Ledger,
    run: Run,
    report: Report,
    *,
    loads: Mapping[str, Mapping[str, Any]],
    seen_s: Sequence[float] = (),
    is_newest: bool = True,
    now: datetime | None = None,
) -> None:
    """Write all that the sync page shows of a settled run; noting it again replaces what was noted.

    ``loads`` are the load tasks' results by feed, ``seen_s`` when the changes that are confirmed now were noticed. Of a
    run after which another has begun only the run itself is noted: that one knows better how things are.
    """
    settled = Settled(run, report, loads, seen_s, now or datetime.now(UTC))
    warn_of_failures("the run", partial(note_settled, ledger, settled))
    for what, note in _state(ledger, settled) if is_newest else ():
        warn_of_failures(what, note)


def warn_of_failures(what: str, note: Callable[[], object]) -> None:
    """Note something; what stands in the way is a warning, of an error that is not ours only its kind."""
    try:
        note()
    except PipelineError as error:
        log.warning("The sync page is not told of %s: %s", what, error)
    except (OSError, sa.exc.SQLAlchemyError, pa.ArrowException) as error:
        log.warning("The sync page is not told of %s: %s.", what, type(error).__name__)


def prune(ledger: Ledger, retention: Retention, *, now: datetime | None = None) -> None:
    """Forget what the ledger's database keeps longer than it has to; 0 days: for ever. Raises StorageFailed."""
    at = now or datetime.now(UTC)

    def before(days: int) -> str:
        return (at - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")

    if retention.removed_days:
        gone = ledger.prune(removed_before=before(retention.removed_days))
        log.info("The ledger forgot %d rows that were removed long ago.", gone)
    if retention.reports_days:
        gone = prune_runs(ledger.engine, ledger.pair, before=before(retention.reports_days))
        log.info("The sync page forgot %d runs.", gone)
    if retention.history_days:
        oldest = before(retention.history_days)
        verdicts = prune_history(ledger.engine, ledger.pair, before=oldest)
        log.info("The history forgot %d verdicts and %d orders.", verdicts, ledger.orders.prune(before=oldest))


def _state(ledger: Ledger, settled: Settled) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what there is to note of how things are, each by itself: one failure does not hide the rest."""
    run = settled.run
    for feed in run.feeds:
        waiting = partial(note_waiting, ledger, run, feed, run_id=settled.report.run_id, at=settled.at)
        yield f"the rows of {feed.name} that were not sent", waiting
    yield "the rows on both sides", partial(_note_counts, ledger, settled)
    facts = facts_feed(run.mapping)
    if facts and facts in run.feeds:
        counts = settled.report.feeds[facts.name].counts
        changed = any(counts[name] for name in _CHANGES)
        yield "the fleet", partial(note_facts, ledger, facts, changed=changed, now=settled.now)
    for feed in run.feeds:
        if feed.source == "apps" and run.is_whole and run.folder.told_by(f"shape-{feed.name}"):
            yield "the apps' titles", partial(note_titles, ledger, run, feed, now=settled.now)


def _note_counts(ledger: Ledger, settled: Settled) -> None:
    """Note how many rows are in scope in Iru, after a whole run, and what ServiceNow answered where it was asked."""
    run = settled.run
    if not run.is_whole:
        return
    shaped = {feed.name: run.folder.told_by(f"shape-{feed.name}") for feed in run.feeds}
    in_scope = {name: int(told["extracted"]) - int(told["filtered"]) for name, told in shaped.items() if told}
    note_counts(ledger, IRU, in_scope, told_by=LOAD, at=settled.at)
    there = run.folder.told_by("usage").get("counts", {})
    note_counts(ledger, SERVICENOW, there, told_by=LOAD, at=settled.at)
