"""The tasks that both DAGs are made of: each opens its services, runs one stage, and passes on URIs and counts."""

import logging
from typing import Any

from airflow.sdk import ObjectStoragePath, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException

from include.inventory.conclude import conclude
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import Feed, SourceName, load_mapping
from include.inventory.params import RunParams
from include.inventory.run_folder import RunFolder
from include.inventory.settings import Settings
from include.inventory.stages import Run, Services, run_extract, run_plan, run_shape
from include.storage import read_json, write_json
from iru_servicenow.hooks.iru import IruHook
from iru_servicenow.hooks.servicenow import ServiceNowHook

log = logging.getLogger(__name__)


@task
def prepare(source: SourceName, feeds: list[str], **context: Any) -> str:
    """Check params, settings, mapping and both connections without a request; return the URI of the run's folder."""
    params = RunParams.parse(dict(context["params"]), feeds=feeds)
    settings = Settings.from_environment()
    load_mapping(settings.mapping)
    pair = _pair()
    folder = ObjectStoragePath(settings.storage) / "runs" / context["ti"].dag_id / context["run_id"]
    write_json(folder / "run.json", {"source": source, "params": params.to_json(), "pair": [pair.source, pair.target]})
    log.info("%s -> %s, mode %s, feeds %s.", pair.source, pair.target, params.mode, ", ".join(params.feeds))
    return str(folder)


@task
def extract(folder_uri: str) -> str:
    """Fetch the source's pages and keep them as received."""
    run_extract(_run(folder_uri), IruHook().get_conn())
    return folder_uri


@task
def shape(folder_uri: str) -> str:
    """Validate the rows and turn them into staging frames."""
    run_shape(_run(folder_uri))
    return folder_uri


@task
def plan(folder_uri: str) -> dict[str, str]:
    """Compare with the ledger; return the run's folder and, by feed, the frame to send (empty: nothing to send)."""
    run = _run(folder_uri)
    services = Services(_ledger(), iru=IruHook().get_conn, servicenow=ServiceNowHook().get_conn)
    run_plan(run, services)
    chosen = {feed.name for feed in run.feeds} if run.params.mode == "load" else set()
    frames = {
        feed.name: str(run.folder.to_send(feed.name)) if feed.name in chosen and _has_rows(run, feed) else ""
        for feed in run.mapping.of_source(run.source)
    }
    return {"folder": folder_uri} | frames


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
def settle(folder_uri: str, loads: dict[str, str], **context: Any) -> dict[str, Any]:
    """Take the verdicts into the ledger, write the report, and fail when a planned row was not sent.

    ``loads`` names the load task of each feed. It runs after a failed load too, so that what did arrive is known.
    """
    ti = context["ti"]
    results = {feed: ti.xcom_pull(task_ids=task_id) or {} for feed, task_id in loads.items()}
    report = conclude(_run(folder_uri), _ledger(), dag_id=ti.dag_id, run_id=context["run_id"], loads=results)
    log.info("\n%s\nReport: %s", report.to_text(), _run(folder_uri).folder.report)
    if report.failed:
        raise AirflowFailException(report.failed)
    summary = report.to_json()
    return {"report": str(_run(folder_uri).folder.report), "feeds": summary["feeds"], "requests": summary["requests"]}


def _run(folder_uri: str) -> Run:
    folder = RunFolder(ObjectStoragePath(folder_uri))
    told = read_json(folder.root / "run.json")
    mapping = load_mapping(Settings.from_environment().mapping)
    return Run(told["source"], RunParams.from_json(told["params"]), mapping, folder)


def _has_rows(run: Run, feed: Feed) -> bool:
    return int(run.folder.told_by(f"plan-{feed.name}")["rows_to_send"]) > 0


def _pair() -> Pair:
    return Pair(IruHook().settings.base_url, ServiceNowHook().settings.base_url)


def _ledger() -> Ledger:
    return Ledger(Settings.from_environment().ledger, _pair())
