"""A settled run as the sync page shows it: what it was, what became of each feed, and the day's sums."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from include.inventory.bulk_write import write_rows
from include.inventory.conclude import Loads, costs
from include.inventory.database import storage_failures
from include.inventory.ledger import Ledger
from include.inventory.ledger_tables import Pair
from include.inventory.not_sent import left_out
from include.inventory.report import Report
from include.inventory.run import Run
from include.inventory.sync_tables import DAYS, FEEDS, RUNS, VERDICT_COLUMNS
from include.loading.receipts import Receipts
from include.storage import read_json

_ANSWERED = ("inserted", "updated", "processed", "ignored", "skipped", "error", "removed")
_TIME = "%Y-%m-%d %H:%M:%S"

Own = dict[str, str]


@dataclass(frozen=True, slots=True)
class Settled:
    """A run that is settled: its report, its load tasks' results by feed, and when its changes were noticed.

    ``seen_s`` are unix seconds, of the changes that the watcher noticed and that are confirmed now.
    """

    run: Run
    report: Report
    loads: Loads
    seen_s: Sequence[float]
    now: datetime

    @property
    def at(self) -> str:
        """When it was settled, as the tables spell it."""
        return self.now.strftime(_TIME)


def note_settled(ledger: Ledger, settled: Settled) -> None:
    """Write the run, its feeds, and the sums of the days concerned; a run that is settled again is replaced."""
    report = settled.report
    pair: Own = {"source": ledger.pair.source, "target": ledger.pair.target}
    own = pair | {"dag_id": report.dag_id, "run_id": report.run_id}
    row = _row(settled)
    feeds = [
        own | {"feed": name, "ended_at": settled.at} | {count: feed.counts[count] for count in VERDICT_COLUMNS}
        | {"import_sets": json.dumps(feed.import_sets), "waiting_left_out": left_out(settled.run, name)}
        for name, feed in report.feeds.items()
    ]  # fmt: skip
    with storage_failures(), ledger.engine.begin() as connection:
        before = connection.execute(sa.select(RUNS).where(*_are(RUNS, own))).mappings().first()
        if before and not row["latency_n"]:  # what a first try has confirmed is noticed no more
            row |= {name: before[name] for name in ("latency_n", "latency_p50_s", "latency_p95_s")}
        if before and not settled.loads:  # a later run that settles this one knows nothing of its load tasks
            row |= {name: before[name] for name in ("load_s", "servicenow_limit", "servicenow_used")}
        for table, rows in ((RUNS, [own | row]), (FEEDS, feeds)):
            connection.execute(sa.delete(table).where(*_are(table, own)))
            if rows:
                connection.execute(sa.insert(table), rows)
        for day in {settled.at[:10], *([before["ended_at"][:10]] if before else [])}:
            _add_up(connection, pair, day)


def prune_runs(engine: sa.Engine, pair: Pair, *, before: str) -> int:
    """Forget the runs that ended before a time (UTC), and return how many; the sums of their days stay."""
    own = {"source": pair.source, "target": pair.target}
    with storage_failures(), engine.begin() as connection:
        connection.execute(sa.delete(FEEDS).where(*_are(FEEDS, own), FEEDS.c.ended_at < before))
        return int(connection.execute(sa.delete(RUNS).where(*_are(RUNS, own), RUNS.c.ended_at < before)).rowcount)


def _row(settled: Settled) -> dict[str, Any]:
    run, report = settled.run, settled.report
    told, extract = read_json(run.folder.about), run.folder.told_by("extract")
    quota = extract.get("quota", {})
    ruled, limit = (costs(run, what, settled.loads)["servicenow"] for what in ("ruled", "rule_limit"))
    sent = sum(feed.counts[name] for feed in report.feeds.values() for name in _ANSWERED)
    sent += sum(feed.details.get("removals_refused", 0) for feed in report.feeds.values())
    return {
        "flow": run.source,
        "mode": run.params.mode,
        "is_whole": run.is_whole,
        "began_at": datetime.fromisoformat(told["began_at"]).astimezone(UTC).strftime(_TIME),
        "ended_at": settled.at,
        "failed": report.failed,
        "folder": str(run.folder.root),
        "rows_sent": sent,
        "load_s": _load_s(settled) if sent else 0.0,
        "requests_iru": report.requests.get("iru", 0),
        "requests_servicenow": report.requests.get("servicenow", 0),
        "retries": sum(report.retries.values()),
        **_latency([settled.now.timestamp() - seen_s for seen_s in settled.seen_s]),
        "iru_limit": quota.get("limit"),
        "iru_remaining": quota.get("remaining"),
        "servicenow_limit": _limit(settled) if limit else None,
        "servicenow_used": ruled if limit else None,
    }


def _limit(settled: Settled) -> int:
    """Return what the rule allows; several tasks may have met it, and it does not add up."""
    stages = [settled.run.folder.told_by(stage).get("rule_limit", {}) for stage in ("plan", "usage")]
    loads = [load.get("rule_limit", 0) for load in settled.loads.values()]
    return int(max([*(told.get("servicenow", 0) for told in stages), *loads]))


def _latency(waited_s: Sequence[float]) -> dict[str, Any]:
    """Return for how many changes it took how long from noticed to confirmed; clocks may differ by a little."""
    if not waited_s:
        return {"latency_n": 0, "latency_p50_s": None, "latency_p95_s": None}
    p50_s, p95_s = np.percentile(np.maximum(waited_s, 0.0), (50, 95)).tolist()
    return {"latency_n": len(waited_s), "latency_p50_s": round(p50_s, 1), "latency_p95_s": round(p95_s, 1)}


def _load_s(settled: Settled) -> float:
    """Return the seconds from the first request of any feed to the last verdict; 0 where no load task told its end."""
    ended_s = max((load.get("ended_s", 0.0) for load in settled.loads.values()), default=0.0)
    began_s = []
    for feed in settled.run.feeds if ended_s else ():
        parts = settled.run.folder.to_send(feed.name).paths()
        began_s += [at_s for path in parts[:1] if (at_s := Receipts(path).began_s()) is not None]
    return round(max(0.0, ended_s - min(began_s)), 3) if began_s else 0.0


def _add_up(connection: sa.Connection, pair: Own, day: str) -> None:
    """Count a day's runs together anew, feed by feed; one that only planned is none of them."""
    same_run = [FEEDS.c[name] == RUNS.c[name] for name in ("source", "target", "dag_id", "run_id")]
    failed = sa.func.sum(sa.case((RUNS.c.failed != "", 1), else_=0))
    sums = [sa.func.sum(FEEDS.c[name]) for name in VERDICT_COLUMNS]
    asked = (
        sa.select(FEEDS.c.feed, sa.func.count(), failed, *sums)
        .select_from(FEEDS.join(RUNS, sa.and_(*same_run)))
        .where(*_are(FEEDS, pair), RUNS.c.mode == "load", FEEDS.c.ended_at.between(day, f"{day} 23:59:59"))
        .group_by(FEEDS.c.feed)
    )
    found = [(*pair.values(), feed, day, *map(int, counts)) for feed, *counts in connection.execute(asked)]
    connection.execute(sa.delete(DAYS).where(*_are(DAYS, pair), DAYS.c.day == day))
    write_rows(connection, DAYS, [column.name for column in DAYS.columns], found)


def _are(table: sa.Table, own: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in own.items()]
