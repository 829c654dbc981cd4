"""The last stage: verdicts into the ledger, counts that add up, and the run's report."""

from collections.abc import Mapping
from typing import Any

from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.problems import write_problems
from include.inventory.report import FeedReport, Report
from include.inventory.settle import COUNTS, Counted, require_balance, settle_feed
from include.inventory.stages import Run
from include.loading.receipts import Receipts
from include.storage import read_frame, write_json


def conclude(run: Run, ledger: Ledger, *, dag_id: str, run_id: str, loads: Mapping[str, Mapping[str, Any]]) -> Report:
    """Settle every feed and write ``report.json``; ``loads`` are the load tasks' results by feed, where they ended.

    Returns the report; its ``failed`` says so when planned rows were not sent. Raises CountsDisagree when a row has no
    verdict or two.
    """
    feeds = {feed.name: _feed_report(run, feed, ledger, run_id) for feed in run.feeds}
    unsent = sum(feed.details["not_sent"] for feed in feeds.values())
    requests = {
        "iru": _requests(run, "iru"),
        "servicenow": _requests(run, "servicenow") + sum(int(load.get("requests", 0)) for load in loads.values()),
    }
    failed = f"{unsent} planned rows have no verdict, see the load tasks; they go with the next run." if unsent else ""
    report = Report(dag_id, run_id, run.params.mode, feeds, requests, failed)
    write_json(run.folder.report, report.to_json())
    write_problems(run)
    for name, feed in feeds.items():
        require_balance(name, feed.counts)
    return report


def _feed_report(run: Run, feed: Feed, ledger: Ledger, run_id: str) -> FeedReport:
    shaped, planned = run.folder.told_by(f"shape-{feed.name}"), run.folder.told_by(f"plan-{feed.name}")
    to_send = read_frame(run.folder.to_send(feed.name))
    listed = int((to_send["_row"] >= 0).sum())
    plan_only = run.params.mode == "plan"
    settled = Counted(dict.fromkeys(COUNTS, 0), {}, 0, 0)
    if not plan_only and not to_send.empty:
        verdicts = Receipts(run.folder.to_send(feed.name)).read_verdicts()
        settled = settle_feed(ledger, feed, to_send, verdicts, run_id=run_id)
    counts = settled.counts | {
        "extracted": shaped["extracted"],
        "filtered": shaped["filtered"],
        "rejected": shaped["rejected"] + planned["rejected"],
        "unchanged": planned["unchanged"],
        "held": planned["held"] + (listed if plan_only else settled.counts["held"]),
    }
    details = {
        "planned": {action: n for action, n in planned["to_send"].items() if n},
        "filtered_because": shaped["filtered_because"],
        "rejected_because": shaped["rejected_because"],
        "held_because": planned["held_because"] | ({"plan mode: nothing is sent": listed} if plan_only else {}),
        "cut_to_fit": planned["cut_to_fit"],
        "not_in_servicenow": planned["not_in_servicenow"],
        "missing_devices": planned["missing_devices"],
        "refused_because": settled.refusals,
        "removals_refused": settled.removals_refused,
        "not_sent": settled.not_sent,
    }
    return FeedReport(counts, details)


def _requests(run: Run, service: str) -> int:
    return sum(int(run.folder.told_by(stage).get("requests", {}).get(service, 0)) for stage in ("extract", "plan"))
