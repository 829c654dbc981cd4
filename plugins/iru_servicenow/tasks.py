"""The tasks that both DAGs are made of: each opens its services, runs one stage, and passes on URIs and counts."""

import logging
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.sdk import TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.detection.carry import note_seen, settle_changes, take_changes
from include.errors import PipelineError
from include.inventory.conclude import conclude, stopped_at
from include.inventory.mapping import SourceName, load_mapping
from include.inventory.params import RunParams
from include.inventory.recover import has_open, recover
from include.inventory.report import Report
from include.inventory.retention import clean_up
from include.inventory.run import Run, Services
from include.inventory.run_folder import RunFolder
from include.inventory.run_registry import RunRegistry
from include.inventory.settings import Settings
from include.inventory.stages import is_shared, join_extract, run_extract, run_extract_share, run_plan, run_shape
from include.inventory.summary import note_run, prune, warn_of_failures
from include.inventory.under_way import UnderWay
from include.inventory.usage import INSTALLS, has_sam_pro, note_usage
from iru_servicenow.assets import inventory, tell_inventory
from iru_servicenow.metrics import send_metrics
from iru_servicenow.partitions import added_up
from iru_servicenow.retry import pause_s
from iru_servicenow.storage import storage_path
from iru_servicenow.under_way import (
    changes,
    die_with_supervisor,
    iru_hook,
    ledger,
    open_run,
    pair,
    registry,
    rules,
    run_id,
    servicenow_hook,
    settings_of,
    under_way,
)

log = logging.getLogger(__name__)

TRIGGERED = "asset_triggered"
"""The type of a run that the watcher asked for."""


@task(task_display_name="Has the instance SAM Pro?", execution_timeout=timedelta(minutes=5))
def require_sam_pro(pair_name: str, feeds: list[str]) -> None:
    """Skip the flow, with the reason, where the instance has no Software Asset Management Professional.

    An instance that has confirmed installs before is not asked.
    """
    settings = Settings.of_pair(pair_name)
    known = ledger(settings)
    if any(map(known.has_confirmed, feeds)) or has_sam_pro(servicenow_hook(settings).get_conn()):
        return
    reason = (
        f"The instance has no table {INSTALLS}: Software Asset Management Professional is not installed there, so "
        "applications have nowhere to go. Nothing was asked of Iru. Install it, or pause this DAG."
    )
    log.warning(reason)
    raise AirflowSkipException(reason)


@task(task_display_name="Prepare: check params and connections", execution_timeout=timedelta(minutes=5))
def prepare(source: SourceName, feeds: list[str], pair_name: str, **context: Any) -> str:
    """Check params, settings, mapping and both connections without a request; return the URI of the run's folder.

    Waits (RetryLater) while another run of the same flow is under way.
    """
    params = RunParams.parse(dict(context["params"]), feeds=feeds)
    settings = Settings.of_pair(pair_name)
    mapping = load_mapping(settings.mapping)
    services, dag_id, own_id = pair(settings), context["ti"].dag_id, context["run_id"]
    triggered = getattr(context.get("dag_run"), "run_type", "") == TRIGGERED
    folder = RunFolder(storage_path(settings.storage) / "runs" / dag_id / own_id)
    runs = registry(settings, source)
    die_with_supervisor()
    runs.take(own_id, str(folder.root))
    with UnderWay(folder, runs, own_id, "prepare", pause_s=pause_s):
        run = Run(source, params, mapping, folder, rules(settings), pair_name)
        run.note(dag_id=dag_id, run_id=own_id, pair=(services.source, services.target), triggered=triggered)
    log.info("%s -> %s, mode %s, feeds %s.", services.source, services.target, params.mode, ", ".join(params.feeds))
    return str(folder.root)


@task(task_display_name="Extract from Iru", execution_timeout=timedelta(hours=2))
def extract(folder_uri: str, **context: Any) -> str:
    """Fetch the source's pages and keep them as received; a run of changed devices fetches these alone."""
    with under_way(folder_uri, "extract") as run:
        settings = settings_of(run)
        queue = changes(settings) if settings.watches else None
        run = take_changes(run, queue, run_id(run)) if queue else run
        run_extract(run, iru_hook(settings).get_conn())
        if queue:
            note_seen(run, queue)
        tell_inventory(context, inventory(run.source, settings), run.folder.told_by("extract")["collections"])
    return folder_uri


@task(task_display_name="Extract a share from Iru", execution_timeout=timedelta(hours=2))
def extract_share(folder_uri: str, partition: int) -> None:
    """Fetch the apps of the blueprints that fall to one partition."""
    with under_way(folder_uri, f"extract-{partition}", is_part=True) as run:
        run_extract_share(run, iru_hook(settings_of(run)).get_conn(), partition)


@task(task_display_name="Shape and validate", execution_timeout=timedelta(hours=1))
def shape(folder_uri: str, **context: Any) -> str:
    """Validate the rows and turn them into staging frames; shares of an extract are judged together before."""
    with under_way(folder_uri, "shape") as run:
        if is_shared(run):
            join_extract(run)
            collections = run.folder.told_by("extract")["collections"]
            tell_inventory(context, inventory(run.source, settings_of(run)), collections)
        run_shape(run)
    return folder_uri


@task(task_display_name="Plan: compare with the ledger", execution_timeout=timedelta(hours=1))
def plan(folder_uri: str) -> dict[str, str]:
    """Compare with the ledger; return the run's folder and, by feed, the folder of what is to be sent (empty: nothing).

    What earlier runs had sent is settled first, so that nothing is sent twice and no verdict is lost.
    """
    with under_way(folder_uri, "plan") as run:
        settings = settings_of(run)
        services = Services(
            ledger(settings), iru=iru_hook(settings).get_conn, servicenow=servicenow_hook(settings).get_conn
        )
        runs = registry(settings, run.source)
        in_flight = recover(run, services, runs, run_id=run_id(run), open_folder=storage_path)
        run_plan(run, services, in_flight=in_flight)
    chosen = {feed.name for feed in run.feeds} if run.params.mode == "load" else set()
    frames = {
        feed.name: str(run.folder.to_send(feed.name).folder)
        if feed.name in chosen and run.rows_to_send(feed.name)
        else ""
        for feed in run.mapping.of_source(run.source)
    }
    return {"folder": folder_uri} | frames


@task(
    task_display_name="Settle: verdicts and report",
    execution_timeout=timedelta(hours=1),
    trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
)
def settle(folder_uri: str, loads: dict[str, str], **context: Any) -> dict[str, Any]:
    """Take the verdicts into the ledger, write the report, and fail when a stage did or a planned row was not sent.

    ``loads`` names the load task of each feed. It runs however the run went once there is a folder, so that what did
    arrive is known and every row is counted.
    """
    ti, run, own_id = context["ti"], open_run(folder_uri), context["run_id"]
    settings = settings_of(run)
    told = {feed: ti.xcom_pull(task_ids=task_id) for feed, task_id in loads.items()}
    results = {feed: added_up(result, of=settings.partitions) for feed, result in told.items() if result}
    runs = registry(settings, run.source)
    note_usage(run, servicenow_hook(settings).get_conn, results)
    report = _conclude(run, runs, results, dag_id=ti.dag_id, own_id=own_id)
    runs.release(own_id)
    log.info("\n%s\nReport: %s", report.to_text(), run.folder.report)
    failed = bool(report.failed)
    seen_s = settle_changes(run, changes(settings), own_id, failed=failed) if settings.watches else ()
    is_newest = not runs.newer_than(own_id)
    note = partial(note_run, run=run, report=report, loads=results, seen_s=seen_s, is_newest=is_newest)
    warn_of_failures("the run", lambda: note(ledger(settings)))
    send_metrics(report, pair=settings.pair)
    _clean_up(run, runs, settings)
    if report.failed:
        raise AirflowFailException(report.failed)
    summary = report.to_json()
    return {"report": str(run.folder.report), "feeds": summary["feeds"], "requests": summary["requests"]}


def _clean_up(run: Run, runs: RunRegistry, settings: Settings) -> None:
    """Remove old runs' files; a failure is a warning, for the run itself has done its work."""
    needed = {known.run_id for known in runs.open_runs()} | {run.folder.root.name}
    try:
        if clean_up(run.folder.root.parent, settings.retention, needed=needed):
            prune(ledger(settings), settings.retention)
    except (PipelineError, OSError) as error:
        log.warning("Old runs' files could not be removed: %s", error)


def _conclude(run: Run, runs: RunRegistry, results: dict[str, Any], *, dag_id: str, own_id: str) -> Report:
    """Settle a run; one that another run took over only takes in what that one does not know better."""
    rival, newer_runs = runs.lost_to(own_id), runs.newer_than(own_id)
    known = ledger(settings_of(run))
    if rival:
        lost = f"Run {rival} has taken this one over."
        return conclude(run, known, dag_id=dag_id, run_id=own_id, loads=results, newer_runs=newer_runs, lost=lost)
    with under_way(str(run.folder.root), "settle"):
        report = conclude(run, known, dag_id=dag_id, run_id=own_id, loads=results)
        if not stopped_at(run)[0] and not has_open(run):
            runs.close(own_id)
    return report
