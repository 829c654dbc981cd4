"""What Airflow gets of a run: metrics, notifiers, deadlines, links, events of a deferred load."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.observability import stats
from iru_servicenow import assets, links, metrics, notify
from iru_servicenow.operators.import_set import ServiceNowImportSetOperator
from iru_servicenow.pools import pools_of
from iru_servicenow.triggers.device_changes import DeviceChangeTrigger
from iru_servicenow.triggers.import_sets import ImportSetsTrigger
from iru_servicenow.watch import devices_schedule

from include.errors import RetryLater, SetupWrong
from include.inventory.mapping import load_mapping
from include.inventory.report import FeedReport, Report
from include.inventory.settings import Settings
from include.inventory.settle import COUNTS
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

ROOT = Path(__file__).resolve().parents[2]
STAGING = "x_kandj_kandji_kandji_import_set_computer"


class Noting(BaseNotifier):
    """Remembers what it was told."""

    told: list[Any] = []  # noqa: RUF012 - shared on purpose: Airflow makes the notifier, not the test

    def __init__(self, *, to: str) -> None:
        super().__init__()
        self.to = to

    def notify(self, context: Any) -> None:
        """Remember."""
        self.told.append((self.to, context))


def _settings(**values: str) -> Settings:
    return Settings.of_pair(environment={f"IRU_SERVICENOW_{name}": value for name, value in values.items()})


def test_a_notifier_of_the_settings_is_called_about_a_late_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline's callback makes the notifiers where it runs, and calls each."""
    told = json.dumps([{"notifier": f"{__name__}.Noting", "to": "oncall"}])
    monkeypatch.setenv("IRU_SERVICENOW_NOTIFY", told)
    notify.tell_late({"run": 1})
    assert Noting.told[-1] == ("oncall", {"run": 1})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"notifier": "no.such.Module"}, "cannot be imported"),
        ({"notifier": f"{__name__}.Nobody"}, "cannot be imported"),
        ({"notifier": f"{__name__}.Noting", "color": "red"}, "cannot be made with color"),
        ({"notifier": "pathlib.Path"}, "no notifier"),
    ],
)
def test_a_notifier_that_cannot_be_made_is_named_when_the_dag_is_parsed(entry: dict[str, str], words: str) -> None:
    """Whoever would be told nothing learns it before a run fails."""
    with pytest.raises(SetupWrong, match=words):
        notify.notifiers(_settings(NOTIFY=json.dumps([entry])))


def test_a_deadline_counts_from_the_moment_a_run_is_queued() -> None:
    """Without the setting no run is late; with it, the alert has the setting's minutes."""
    assert notify.deadlines(_settings()) == []
    [alert] = notify.deadlines(_settings(DEADLINE_MIN="90"))
    assert alert.interval == timedelta(minutes=90)


def test_the_report_is_sent_as_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's metrics get each count under the report's own name, with the DAG and the pair as tags."""
    seen: dict[str, tuple[float, dict[str, str]]] = {}
    monkeypatch.setattr(stats, "gauge", lambda name, value, *, tags: seen.update({name: (value, tags)}))
    monkeypatch.setattr(stats, "incr", lambda name, count=1, *, tags: seen.update({name: (count, tags)}))
    counts = dict.fromkeys(COUNTS, 0) | {"extracted": 7, "inserted": 7}
    report = Report("iru_devices", "r1", "load", {"computer": FeedReport(counts)}, {"iru": 5, "servicenow": 9})
    metrics.send_metrics(report, pair="emea")
    assert seen["iru_servicenow.computer.inserted"] == (7, {"dag_id": "iru_devices", "mode": "load", "pair": "emea"})
    assert seen["iru_servicenow.requests.servicenow"][0] == 9
    assert seen["iru_servicenow.runs.succeeded"][0] == 1
    assert len(seen) == len(COUNTS) + 3


def test_pools_and_assets_are_kept_apart_per_pair() -> None:
    """Two pairs share neither a pool nor an asset."""
    pairs = {"IRU_SERVICENOW_PAIRS": '{"a": {}, "b": {}}'}
    a, b = (Settings.of_pair(name, pairs) for name in ("a", "b"))
    feed = load_mapping().feeds["computer"]
    assert [pool.name for pool in pools_of(a)] == ["iru__a", "servicenow__a"]
    assert {pool.name for pool in pools_of(a)} & {pool.name for pool in pools_of(b)} == set()
    assert assets.table(feed, a) != assets.table(feed, b)
    assert assets.table(feed, _settings()).name == "servicenow_cmdb_ci_computer"


def test_every_task_has_a_title_and_a_time_out() -> None:
    """The grid shows words, and no stage may hang for ever."""
    dags = DagBag(str(ROOT / "dags")).dags
    stages = [task for name in ("iru_devices", "iru_apps") for task in dags[name].tasks]
    assert {task.task_id for task in stages} >= {"prepare", "extract", "shape", "plan", "settle", "require_sam_pro"}
    assert [task.task_id for task in stages if task.task_display_name == task.task_id] == []
    assert [task.task_id for task in stages if not task.execution_timeout > timedelta(0)] == []


def test_without_a_cron_or_with_the_watcher_off_nothing_watches() -> None:
    """The schedule is the cron alone, or nothing."""
    assert devices_schedule(_settings(DEVICES_SCHEDULE="none")) is None
    assert devices_schedule(_settings(WATCH="off")) == "0 * * * *"
    watched: Any = devices_schedule(_settings())
    [watcher] = watched.asset_condition.objects[0].watchers
    assert watcher.trigger.serialize() == (
        "iru_servicenow.triggers.device_changes.DeviceChangeTrigger", {"pair_name": ""},
    )  # fmt: skip


def test_a_watcher_whose_connection_is_missing_says_so_and_lives_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A person may mend the connection; the trigger looks again instead of ending."""
    monkeypatch.delenv("AIRFLOW_CONN_IRU_DEFAULT", raising=False)
    poll = DeviceChangeTrigger()._poll()
    assert (poll.ask_for, poll.again_in_s) == (0, 60.0)
    assert "Devices are not watched: Connection 'iru_default'" in caplog.text


def test_links_lead_to_pages_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run id is quoted into the address; a page that was not written has no link."""
    monkeypatch.setenv("IRU_SERVICENOW_STORAGE", str(tmp_path))
    key: Any = SimpleNamespace(dag_id="iru_devices", run_id="manual__2026+00:00")
    operator: Any = object()
    assert links.REPORT.get_link(operator, ti_key=key) == ""
    folder = tmp_path / "runs/iru_devices/manual__2026+00:00"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("x")
    assert links.REPORT.get_link(operator, ti_key=key).endswith(
        "/iru-servicenow/runs/iru_devices/manual__2026%2B00%3A00/report.html"
    )


# --- deferred loads ------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start an instance whose transforms are picked up late, and define its connection."""
    switches = {"servicenow.transform_pickup_delay_s": 2.5}
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=1, apps_per_device=0), switches=switches)) as sandbox:
        snow = sandbox.servicenow
        extra = {"client_id": snow.client_id, "client_secret": snow.client_secret}
        connection = {"conn_type": "servicenow", "host": snow.url, "login": snow.username, "password": snow.password}
        monkeypatch.setenv("AIRFLOW_CONN_SERVICENOW_DEFAULT", json.dumps(connection | {"extra": extra}))
        yield sandbox


def _operator(tmp_path: Path, **options: Any) -> ServiceNowImportSetOperator:
    frame = tmp_path / "rows.parquet"
    rows = {"serial_number": ["S1", "S2"], "device_name": ["a", "b"], "os_type": ["macOS", "iOS"]}
    pd.DataFrame(rows, dtype="str").to_parquet(frame)
    return ServiceNowImportSetOperator(
        task_id="load", staging_table=STAGING, frame_uri=str(frame), key_columns=["serial_number"], inline_wait_s=0.3,
        **options,
    )  # fmt: skip


def _deferred(operator: ServiceNowImportSetOperator) -> TaskDeferred:
    """Run an operator that gives its worker back, and return how."""
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    return deferred.value


def _fire(trigger: ImportSetsTrigger) -> dict[str, Any]:
    """Run a trigger in an event loop, as the triggerer does, and return its only event."""

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    [event] = asyncio.run(events())
    return dict(event)


@pytest.mark.usefixtures("slow")
def test_a_load_gives_its_worker_back_and_goes_on_when_the_transform_has_ended(tmp_path: Path) -> None:
    """The trigger is made of names, fires once the set has ended, and the task then counts every row and request."""
    operator = _operator(tmp_path, deferrable=True)
    deferred = _deferred(operator)
    path, kwargs = deferred.trigger.serialize()
    assert path == "iru_servicenow.triggers.import_sets.ImportSetsTrigger"
    named = {"servicenow_conn_id", "staging_table", "key_columns", "frame_uri", "until_s", "partition", "partitions"}
    assert set(kwargs) == named

    event = _fire(ImportSetsTrigger(**kwargs))
    assert event == {"ended": True}
    spent = (deferred.kwargs or {})["spent"]
    result = operator.resume({}, event, spent)
    assert (result["rows"], result["outcomes"]["inserted"]) == (2, 2)
    assert result["requests"] > spent["requests"] > 0


@pytest.mark.usefixtures("slow")
def test_a_transform_that_does_not_end_in_time_fails_the_task_as_ever(tmp_path: Path) -> None:
    """The trigger gives up at its time, and the task is tried again as one that waited itself."""
    operator = _operator(tmp_path, deferrable=True)
    _, kwargs = _deferred(operator).trigger.serialize()

    event = _fire(ImportSetsTrigger(**kwargs | {"until_s": time.time()}))
    assert event == {"ended": False}
    with pytest.raises(RetryLater, match="has not ended"):
        operator.resume({}, event)


@pytest.mark.usefixtures("slow")
def test_without_deferral_the_worker_waits(tmp_path: Path) -> None:
    """The operator's default is Airflow's own setting, which is off."""
    assert _operator(tmp_path).execute({})["outcomes"]["inserted"] == 2


# --- lineage -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("slow")
def test_a_load_names_its_frame_and_its_table_for_lineage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the OpenLineage provider there, a load tells its datasets and rows; its two modules stand in for it here."""

    def made(**given: Any) -> SimpleNamespace:
        return SimpleNamespace(**given)

    facets = dict.fromkeys(("Dataset", "OutputDataset", "OutputStatisticsOutputDatasetFacet"), made)
    for name, content in (
        ("airflow.providers.common.compat.openlineage.facet", facets),
        ("airflow.providers.openlineage.extractors", {"OperatorLineage": made}),
    ):
        module: Any = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    operator = _operator(tmp_path)
    told = operator.get_openlineage_facets_on_complete(SimpleNamespace(xcom_pull=lambda **_: {"rows": 2}))
    [source], [target] = told.inputs, told.outputs
    assert (source.namespace, source.name) == ("file", str(tmp_path / "rows.parquet"))
    assert (target.name, target.outputFacets["outputStatistics"].rowCount) == (STAGING, 2)
    assert target.namespace.startswith("servicenow://127.0.0.1:")
