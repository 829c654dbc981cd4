"""The last stage: verdicts into the ledger, counts that add up, and the run's report, however the run ended."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.not_sent import NotSent
from include.inventory.partner import dangling_in
from include.inventory.problems import write_problems
from include.inventory.report import FeedReport, Report
from include.inventory.report_page import report_page
from include.inventory.run import Run
from include.inventory.settle import COUNTS, Counted, require_balance, settle_feed, settle_unchanged
from include.loading.receipts import Receipts
from include.memory import return_freed_memory
from include.storage import read_frame, write_bytes, write_json
from include.texts import values_of

_SERVICES = ("iru", "servicenow")
_PLAN_MODE = "plan mode: nothing is sent"
_NOT_SENT = "not sent, or not answered for yet"

Loads = Mapping[str, Mapping[str, Any]]


def conclude(
    run: Run,
    ledger: Ledger,
    *,
    dag_id: str,
    run_id: str,
    loads: Loads,
    newer_runs: Collection[str] = (),
    lost: str = "",
) -> Report:
    """Settle every feed and write ``report.json``; ``loads`` are the load tasks' results by feed, where they ended.

    Returns the report; its ``failed`` says which stage ended early and when planned rows were not sent. What one of
    ``newer_runs`` put into the ledger stays; ``lost`` says that one of them took the run over. Raises CountsDisagree
    when a row has no verdict or two.
    """
    report = report_on(run, ledger, dag_id=dag_id, run_id=run_id, loads=loads, newer_runs=newer_runs)
    report = replace(report, failed=" ".join(filter(None, (lost, report.failed))))
    write_json(run.folder.report, report.to_json())
    write_bytes(run.folder.page("report"), report_page(report))
    not_sent = NotSent(run)
    write_problems(run, sends=not _why_not_sent(run, stopped_at(run)[0]), also=not_sent.take)
    not_sent.write()
    for name, feed in report.feeds.items():
        require_balance(name, feed.counts)
    return report


def report_on(
    run: Run, ledger: Ledger, *, dag_id: str, run_id: str, loads: Loads, newer_runs: Collection[str] = ()
) -> Report:
    """Settle every feed of a run and return its report; nothing is checked or written but the ledger."""
    stage, why = stopped_at(run)
    feeds = {feed.name: _feed_report(run, feed, ledger, (run_id, newer_runs), stage) for feed in run.feeds}
    failed = f"{stage}: {why}" if stage else _unfinished_loads(run, feeds, loads)
    spent = {what: costs(run, what, loads) for what in ("requests", "retries", "waited_s")}
    guards = tuple(found for name in ("extract", "plan") for found in run.folder.told_by(name).get("guards", ()))
    usage = run.folder.told_by("usage").get("usage", {})
    return Report(dag_id, run_id, run.params.mode, feeds, failed=failed, guards=guards, usage=usage, **spent)


def stopped_at(run: Run) -> tuple[str, str]:
    """Return the first stage that did not come to its end, and why; empty texts where all did."""
    for stage in ("extract", "shape", "plan"):
        told, failure = run.folder.told_by(stage), run.folder.failure_of(stage)
        if told.get("stopped_by") or failure:
            return stage, failure or f"stopped by {', '.join(told['stopped_by'])}."
        if not told:
            return stage, run.folder.failure_of_part(stage) or "it did not come to its end (killed, or not started)."
    return "", ""


def _unfinished_loads(run: Run, feeds: Mapping[str, FeedReport], loads: Loads) -> str:
    """Say which rows have no verdict and which load tasks did not end; "" where all is well."""
    if run.params.mode == "plan":
        return ""
    unsent = sum(feed.details.get("not_sent", 0) for feed in feeds.values())
    words = [f"{unsent} planned rows have no verdict, see the load tasks; they go with the next run."] if unsent else []
    for name, feed in feeds.items():
        ended = name in loads and loads[name].get("ended", True)
        if not ended and any(feed.details["planned"].values()):
            words.append(f"load.{name}: {run.folder.failure_of_part(f'load-{name}') or 'it did not come to its end.'}")
    return " ".join(words)


def _feed_report(
    run: Run, feed: Feed, ledger: Ledger, settling: tuple[str, Collection[str]], stopped_at: str
) -> FeedReport:
    shaped, planned = run.folder.told_by(f"shape-{feed.name}"), run.folder.told_by(f"plan-{feed.name}")
    if not shaped:
        return FeedReport(dict.fromkeys(COUNTS, 0))
    known = {name: shaped[name] for name in ("extracted", "filtered", "rejected")}
    reasons = {name: shaped[name] for name in ("filtered_because", "rejected_because")}
    why_not = _why_not_sent(run, stopped_at)
    if not planned:
        held = known["extracted"] - known["filtered"] - known["rejected"]
        counts = dict.fromkeys(COUNTS, 0) | known | {"held": held}
        return FeedReport(counts, reasons | {"held_because": {why_not: held} if held else {}})
    settled, listed = _settle(run, feed, ledger, settling, sends=not why_not)
    held = listed if why_not else settled.counts["held"]
    counts = settled.counts | {
        "extracted": known["extracted"],
        "filtered": known["filtered"],
        "rejected": known["rejected"] + planned["rejected"],
        "unchanged": planned["unchanged"],
        "held": planned["held"] + held,
    }
    held_because = planned["held_because"] | ({why_not or _NOT_SENT: held} if held else {})
    details = reasons | {"held_because": held_because} | _details(planned, settled)
    return FeedReport(counts, details, settled.import_sets)


def _settle(
    run: Run, feed: Feed, ledger: Ledger, settling: tuple[str, Collection[str]], *, sends: bool
) -> tuple[Counted, int]:
    """Return what became of the rows to send, part by part, and how many of them the source lists."""
    return_freed_memory()
    run_id, newer_runs = settling
    dangling = dangling_in(run, feed, ledger) if sends else None
    planned, answered = run.folder.told_by(f"plan-{feed.name}"), list[str]()
    orders = planned.get("orders", {})
    listed, settled = 0, Counted(dict.fromkeys(COUNTS, 0), {}, 0, 0)
    for path in run.folder.to_send(feed.name).paths():
        to_send = read_frame(path)
        listed += int((to_send["_row"] >= 0).sum())
        if sends and len(to_send):
            verdicts = Receipts(path).read_verdicts()
            settled += settle_feed(
                ledger, feed, to_send, verdicts, run_id=run_id, newer_runs=newer_runs, dangling=dangling
            )
            answered += values_of(to_send["_key"].iloc[verdicts["row"].tolist()]) if orders else ()
    if sends:
        as_held, given_up = planned.get("as_held", ()), planned.get("given_up", ())
        if not newer_runs:  # what these wrote is newer than the plan
            settle_unchanged(ledger, feed, as_held, run_id=run_id)
            ledger.forget(feed.name, given_up)
        done = [orders[key] for key in (*answered, *as_held, *given_up) if key in orders]
        ledger.orders.carry_out(done, run_id)
    return settled, listed


def _why_not_sent(run: Run, stopped_at: str) -> str:
    """Return why nothing of this run is sent at all; "" where its load tasks run."""
    if stopped_at:
        guards = run.folder.told_by(stopped_at).get("stopped_by", ())
        return f"stopped by {', '.join(guards)}" if guards else f"the stage {stopped_at} failed"
    return _PLAN_MODE if run.params.mode == "plan" else ""


def _details(planned: Mapping[str, Any], settled: Counted) -> dict[str, Any]:
    return {
        "planned": {action: n for action, n in planned["to_send"].items() if n},
        "parked": planned["parked"],
        "cut_to_fit": planned["cut_to_fit"],
        "not_in_servicenow": planned["not_in_servicenow"],
        "missing_devices": planned["missing_devices"],
        "refused_because": settled.refusals,
        "removals_refused": settled.removals_refused,
        "not_sent": settled.not_sent,
    }


def costs(run: Run, what: str, loads: Loads) -> dict[str, Any]:
    """Add up requests, or whatever else ``costs_of`` tells, by service over the stages and the load tasks."""
    stages = [run.folder.told_by(stage).get(what, {}) for stage in ("extract", "plan", "usage")]
    total = {service: sum(told.get(service, 0) for told in stages) for service in _SERVICES}
    total["servicenow"] += sum(load.get(what, 0) for load in loads.values())
    return {service: round(n, 1) if isinstance(n, float) else n for service, n in total.items()}
