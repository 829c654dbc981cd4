"""What operators rely on in the tasks: few rows at once, a run that rests, old files, usage, both checks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from iru_servicenow import preflight, reconcile, tasks
from iru_servicenow.under_way import changes
from test_tasks import Instance, feed_load, load, plan, prepare, settle

from include.errors import RetryLater
from include.inventory import run_registry
from include.inventory.ledger import Ledger, Pair
from include.inventory.settings import Settings
from include.inventory.sync_tables import COUNTS_SEEN, FEEDS, RUNS
from include.sandbox.serve import Sandbox

pytestmark = pytest.mark.usefixtures("installation")

APPS = "x_kandj_kandji_kandji_import_set_apps"


@contextmanager
def switched(sandbox: Sandbox, **switches: Any) -> Iterator[None]:
    """Set switches of the instance for a while."""
    url = f"{sandbox.servicenow.url}/_sandbox/switches"
    before = requests.get(url, timeout=10).json()
    requests.patch(url, json=switches, timeout=10).raise_for_status()
    try:
        yield
    finally:
        requests.patch(url, json={name: before[name] for name in switches}, timeout=10).raise_for_status()


def asked(sandbox: Sandbox) -> dict[str, int]:
    """Return what the instance was asked."""
    url = f"{sandbox.servicenow.url}/_sandbox/counters"
    return dict(requests.get(url, timeout=10).json()["by_method_and_path"])


def folder(uri: str) -> Path:
    """Return a run's folder."""
    return Path(uri.removeprefix("file://"))


def test_a_few_changed_devices_go_one_by_one(sandbox: Sandbox) -> None:
    """A run that the watcher asked for sends single records, which are answered at once; a full run loads in bulk."""
    first = plan("r0")
    settle(first, {f"load.{feed}": feed_load(first, feed).execute({}) for feed in ("computer", "mdm")}, "r0")
    before = asked(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IRU_SERVICENOW_MAPPING", str(_mapping_with_another_name(Path(first["folder"]).parent)))
        device_id = requests.get(
            f"{sandbox.iru.url}/api/v1/devices", headers={"Authorization": f"Bearer {sandbox.iru.token}"}, timeout=10
        ).json()[0]["device_id"]
        _notice(device_id)
        run = {"params": {}, "ti": Instance(), "run_id": "r1", "dag_run": SimpleNamespace(run_type="asset_triggered")}
        uri = tasks.prepare.function("devices", ["computer", "mdm"], "", **run)
        planned = tasks.plan.function(tasks.shape.function(tasks.extract.function(uri)))
        assert feed_load(planned, "computer").execute({})["rows"] == 1
    new = {what: n - before.get(what, 0) for what, n in asked(sandbox).items() if n != before.get(what, 0)}
    assert [what for what in new if what.startswith("POST") and "import" in what and "insertMultiple" not in what]
    assert not [what for what in new if "insertMultiple" in what]


def _mapping_with_another_name(where: Path) -> Path:
    """Change what every device's name is made of, so that its row differs from the ledger's."""
    own = where / "own.toml"
    own.write_text('[feeds.computer.columns]\ndevice_name = { from = "serial_number" }\n')
    return own


def _notice(device_id: str) -> None:
    """Let a changed device wait, as the watcher does."""
    from include.detection.memory import Memory, Position

    memory = Memory(changes(Settings.of_pair())._tables, "test")
    memory.take_turn(1e9)
    memory.keep_audit([device_id], Position())


def test_a_run_whose_load_is_deferred_is_still_under_way(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at work on it, and all the same no other run takes it over, and no failure is noted."""
    planned = plan("r1", full_resend=True)
    with switched(sandbox, transform_pickup_delay_s=3.0):
        load_task = feed_load(planned, "computer", deferrable=True, inline_wait_s=0.1)
        with pytest.raises(TaskDeferred):
            load_task.execute({})
        monkeypatch.setattr(run_registry, "BETWEEN_STAGES", timedelta(0))
        with pytest.raises(RetryLater, match="Run r1 is under way"):
            prepare("r2")
        assert not list((folder(planned["folder"]) / "stages").glob("load-*.failed.json"))


def test_settle_removes_what_old_runs_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and frames of a run of long ago go once a later run settles; its report stays."""
    old = plan("old")
    settle(old, load(old), "old")
    about = folder(old["folder"]) / "run.json"
    began = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    about.write_text(json.dumps(json.loads(about.read_text()) | {"began_at": began}))
    (folder(old["folder"]).parent / "cleaned.json").unlink()
    new = plan("new")
    settle(new, load(new), "new")
    assert not (folder(old["folder"]) / "extract").exists()
    assert (folder(old["folder"]) / "report.json").exists()
    assert (folder(new["folder"]) / "extract").exists()


def test_settle_sends_the_report_as_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's metrics hear of every run that settles."""
    told: list[tuple[int, str]] = []
    monkeypatch.setattr(
        tasks, "send_metrics", lambda report, *, pair: told.append((report.feeds["computer"].counts["extracted"], pair))
    )
    planned = plan()
    settle(planned, load(planned))
    assert told == [(4, "")]


# --- applications --------------------------------------------------------------------------------------------------


def _run_apps() -> dict[str, Any]:
    """Run the app flow to its end and return its report."""
    ti = Instance(dag_id="iru_apps")
    uri = tasks.prepare.function("apps", ["apps"], "", params={}, ti=ti, run_id="a1")
    planned = tasks.plan.function(tasks.shape.function(tasks.extract.function(uri)))
    ti.returned["load.apps"] = feed_load(planned, "apps").execute({})
    tasks.settle.function(uri, {"apps": "load.apps"}, ti=ti, run_id="a1")
    return dict(json.loads((folder(uri) / "report.json").read_text()))


def _load_devices() -> None:
    planned = plan("d1")
    settle(planned, load(planned), "d1")


def test_the_report_tells_what_the_usage_publisher_made(sandbox: Sandbox) -> None:
    """After a load, the report says how many installs there are, how many were used, and what was published."""
    _load_devices()
    usage = _run_apps()["usage"]
    assert usage == {"active_installs": 4, "with_last_used": 0, "usage_records": 0, "newest_usage": ""}


def test_usage_that_may_not_be_read_is_said_and_fails_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that has done its work is not red for a number beside it."""
    _load_devices()
    real = tasks.note_usage

    def without_sam_pro(*given: Any) -> None:
        with switched(sandbox, sam_pro=False):
            real(*given)

    monkeypatch.setattr(tasks, "note_usage", without_sam_pro)
    assert "cmdb_sam_sw_install" in _run_apps()["usage"]["cannot_tell"]


def _noted(sandbox: Sandbox, table: sa.Table) -> list[dict[str, Any]]:
    """Return what the sync page is told."""
    pair = Pair(sandbox.iru.url, sandbox.servicenow.url)
    with Ledger(Settings.of_pair().ledger, pair).engine.connect() as connection:
        rows = connection.execute(sa.select(table).where(table.c.source == pair.source)).mappings()
        return [dict(row) for row in rows]


def test_a_settled_run_is_noted_for_the_sync_page(sandbox: Sandbox) -> None:
    """The last task tells the page what the report says, how long the load took, and what both sides hold."""
    before = sum(asked(sandbox).values())
    planned = plan("n1", full_resend=True)
    told = settle(planned, load(planned), "n1")
    (run,) = [row for row in _noted(sandbox, RUNS) if row["run_id"] == "n1"]
    assert (run["dag_id"], run["flow"], run["mode"], run["is_whole"], run["rows_sent"]) == (
        "iru_devices", "devices", "load", True, 8,
    )  # fmt: skip
    assert run["requests_servicenow"] == told["requests"]["servicenow"] == sum(asked(sandbox).values()) - before
    assert run["load_s"] > 0
    assert run["iru_limit"] == 10_000
    feeds = {row["feed"]: row for row in _noted(sandbox, FEEDS) if row["run_id"] == "n1"}
    assert {name: feeds["mdm"][name] for name in told["feeds"]["mdm"]} == told["feeds"]["mdm"]
    assert len(json.loads(feeds["computer"]["import_sets"])) >= 1
    counted = {(row["feed"], row["side"]): row["rows"] for row in _noted(sandbox, COUNTS_SEEN)}
    assert {counted[feed, side] for feed in ("computer", "mdm") for side in ("iru", "servicenow")} == {4}


def test_a_page_that_cannot_be_told_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run's work is done by then; a ledger that fails at that moment is a line in the log."""
    planned = plan("n2")
    returned = load(planned)
    monkeypatch.setattr(tasks, "note_run", lambda *_, **__: tasks.ledger(Settings(**_BROKEN)))
    assert settle(planned, returned, "n2")["report"]
    assert "The sync page is not told of the run" in caplog.text


_BROKEN: dict[str, Any] = {
    "storage": "", "ledger": "sqlite:////dev/null/x", "mapping": None, "devices_schedule": None, "apps_schedule": None,
    "missing_devices": "ignore",
}  # fmt: skip


def test_an_instance_without_sam_pro_skips_the_app_flow(sandbox: Sandbox) -> None:
    """The reason names the table; with SAM Pro, or after a confirmed install, the flow goes on."""
    tasks.require_sam_pro.function("", ["apps"])
    with switched(sandbox, sam_pro=False), pytest.raises(AirflowSkipException, match="cmdb_sam_sw_install"):
        tasks.require_sam_pro.function("", ["apps"])
    _load_devices()
    _run_apps()
    before = asked(sandbox)
    tasks.require_sam_pro.function("", ["apps"])
    assert asked(sandbox) == before


# --- set-up check and reconciliation -------------------------------------------------------------------------------


def _check(run_id: str, **params: Any) -> dict[str, Any]:
    given = {"fleet": True, "show_users": False} | params
    instance = Instance(dag_id="iru_servicenow_preflight")
    return dict(preflight.check_set_up.function("", params=given, ti=instance, run_id=run_id))


def test_the_set_up_check_fails_when_something_would_lose_data(sandbox: Sandbox, tmp_path: Path) -> None:
    """A right set-up passes; an inactive map fails the task with its name, and the table is kept in both cases."""
    assert "Nothing that was seen would lose data." in _check("p1")["summary"]
    with switched(sandbox, maps_inactive=[APPS]), pytest.raises(AirflowFailException, match=r"apps\.map"):
        _check("p2", fleet=False)
    for run_id in ("p1", "p2"):
        left = tmp_path / "runs/iru_servicenow_preflight" / run_id
        assert sorted(path.name for path in left.iterdir()) == ["preflight.html", "preflight.json"]


def test_a_set_up_check_without_a_tenant_still_checks_the_instance(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """A token that was revoked costs the checks that need the fleet, and is what fails."""
    iru = {"conn_type": "iru", "host": sandbox.iru.url, "password": "revoked"}
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(iru))
    with pytest.raises(AirflowFailException, match=r"iru\.token"):
        _check("p1")


def _compare(run_id: str, **params: Any) -> dict[str, Any]:
    given = {"feeds": ["computer", "mdm"], "repair": [], "rebuild_ledger": False} | params
    instance = Instance(dag_id="iru_servicenow_reconcile")
    return dict(reconcile.compare.function("", ["devices"], params=given, ti=instance, run_id=run_id))


def test_a_repair_waits_for_the_flow_and_a_report_does_not() -> None:
    """The ledger is never changed beside a run of the flow; comparing alone may happen at any time."""
    planned = plan("r1", full_resend=True)
    assert set(_compare("c1")) == {"computer", "mdm"}
    with pytest.raises(RetryLater, match="Run r1 is under way"):
        _compare("c2", repair=["missing"])
    settle(planned, load(planned), "r1")
    _compare("c3", rebuild_ledger=True)
    prepare("r2")


def test_a_flow_waits_for_a_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a reconciliation changes the ledger, no run begins; afterwards it does, and asks after no files of it."""
    met: list[str] = []
    real = reconcile.reconcile

    def meanwhile(*given: Any, **options: Any) -> Any:
        with pytest.raises(RetryLater, match="Run c1 is under way") as caught:
            prepare("r1")
        met.append(str(caught.value))
        return real(*given, **options)

    monkeypatch.setattr(reconcile, "reconcile", meanwhile)
    _compare("c1", rebuild_ledger=True)
    assert len(met) == 1
    assert plan("r2")
