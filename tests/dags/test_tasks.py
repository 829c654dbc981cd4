"""The tasks of the DAGs, one after the other in this process, over the sandbox."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from airflow.sdk.exceptions import AirflowFailException
from iru_servicenow import tasks
from iru_servicenow.operators.feed_load import FeedLoadOperator
from iru_servicenow.operators.import_set import ServiceNowImportSetOperator

from include.errors import RetryLater, RunUnsafe, SetupWrong
from include.inventory import run_registry
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import load_mapping
from include.inventory.parts import Parts
from include.sandbox.serve import Sandbox

FEEDS = ["computer", "mdm"]
pytestmark = pytest.mark.usefixtures("installation")


@dataclass
class Instance:
    """What the tasks ask of Airflow's task instance: the DAG's id and what load tasks returned."""

    dag_id: str = "iru_devices"
    returned: dict[str, Any] = field(default_factory=dict)

    def xcom_pull(self, *, task_ids: str) -> Any:
        """Return what a task returned, None where it failed."""
        return self.returned.get(task_ids)


def plan(run_id: str = "r1", **params: Any) -> dict[str, str]:
    """Run the tasks up to the plan."""
    folder = tasks.prepare.function("devices", FEEDS, "", params=params, ti=Instance(), run_id=run_id)
    return tasks.plan.function(tasks.shape.function(tasks.extract.function(folder)))


def load(frames: Mapping[str, str]) -> dict[str, Any]:
    """Run the load tasks as the DAG wires them."""
    returned = {}
    for feed in load_mapping().of_source("devices"):
        operator = ServiceNowImportSetOperator(
            task_id=feed.name, staging_table=feed.staging_table, frame_uri=frames[feed.name], key_columns=feed.key
        )
        returned[f"load.{feed.name}"] = operator.execute({})
    return returned


def settle(planned: Mapping[str, str], returned: Mapping[str, Any], run_id: str = "r1") -> dict[str, Any]:
    """Run the last task."""
    instance = Instance(returned=dict(returned))
    return tasks.settle.function(
        planned["folder"], {feed: f"load.{feed}" for feed in FEEDS}, ti=instance, run_id=run_id
    )


def _requests(sandbox: Sandbox) -> int:
    return sum(
        requests.get(f"{service.url}/_sandbox/counters", timeout=10).json()["requests"]
        for service in (sandbox.iru, sandbox.servicenow)
    )


def test_what_arrived_is_in_the_ledger_of_this_tenant_and_instance(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a run the ledger holds its rows under both base URLs, and the next run has nothing to load."""
    planned = plan()
    assert all(planned.values())
    told = settle(planned, load(planned))
    assert told["feeds"]["computer"]["extracted"] == 4
    book = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite", Pair(sandbox.iru.url, sandbox.servicenow.url))
    assert len(book.read("computer")) == len(book.read("mdm")) == 4
    again = plan("r2")
    assert {feed: again[feed] for feed in FEEDS} == {"computer": "", "mdm": ""}


def test_the_report_counts_the_requests_of_the_load_tasks(sandbox: Sandbox) -> None:
    """A person sees what a run cost both services, the load tasks included."""
    before = _requests(sandbox)
    planned = plan(full_resend=True)
    told = settle(planned, load(planned))
    assert sum(told["requests"].values()) == _requests(sandbox) - before


def test_plan_mode_gives_the_load_tasks_nothing(sandbox: Sandbox) -> None:
    """What plan mode would send is in the run's folder, and no load task hears of it."""
    planned = plan(mode="plan", full_resend=True)
    assert {feed: planned[feed] for feed in FEEDS} == {"computer": "", "mdm": ""}
    assert settle(planned, load(planned))["feeds"]["computer"]["held"] == 4


def test_a_feed_that_was_not_chosen_is_not_loaded() -> None:
    """With one feed chosen, the other's load task has nothing to do."""
    planned = plan(feeds=["computer"], full_resend=True)
    assert planned["computer"]
    assert planned["mdm"] == ""


def test_rows_that_were_not_sent_fail_settle_for_good() -> None:
    """A load task that failed leaves no result; settle says so, and trying it again would not help."""
    planned = plan(full_resend=True)
    with pytest.raises(AirflowFailException, match="8 planned rows"):
        settle(planned, {})


def prepare(run_id: str = "r1", **params: Any) -> str:
    """Run the first task."""
    return tasks.prepare.function("devices", FEEDS, "", params=params, ti=Instance(), run_id=run_id)


def _settle_early(folder: str, run_id: str = "r1") -> dict[str, Any]:
    """Run settle after a run that never came to its load, and return the report that it left."""
    with pytest.raises(AirflowFailException):
        settle({"folder": folder}, {}, run_id)
    return json.loads((Path(folder.removeprefix("file://")) / "report.json").read_bytes())


def _counts(report: Mapping[str, Any], feed: str = "computer") -> dict[str, int]:
    return {name: n for name, n in report["feeds"][feed].items() if n}


def test_a_run_whose_extract_failed_leaves_a_report(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing fetched there is nothing to count; the report says which stage failed and why."""
    folder = prepare()
    iru = {"conn_type": "iru", "host": sandbox.iru.url, "password": "expired"}
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(iru))
    with pytest.raises(SetupWrong):
        tasks.extract.function(folder)
    report = _settle_early(folder)
    assert report["failed"].startswith("extract: ")
    assert "401" in report["failed"]
    assert "expired" not in report["failed"]
    assert _counts(report) == _counts(report, "mdm") == {}


def test_a_run_that_was_killed_in_shape_leaves_a_report() -> None:
    """A stage that could say nothing any more is named all the same."""
    folder = tasks.extract.function(prepare())
    assert _settle_early(folder)["failed"] == "shape: it did not come to its end (killed, or not started)."


def test_a_run_whose_plan_failed_counts_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are not known to have been sent are held, for the stage that failed."""
    folder = tasks.shape.function(tasks.extract.function(prepare()))
    monkeypatch.setattr(tasks, "run_plan", _failing)
    with pytest.raises(RetryLater):
        tasks.plan.function(folder)
    report = _settle_early(folder)
    assert _counts(report) == {"extracted": 4, "held": 4}
    assert report["failed"] == "plan: ServiceNow is down."
    assert report["details"]["computer"]["held_because"] == {"the stage plan failed": 4}


def _failing(*_: Any, **__: Any) -> None:
    raise RetryLater("ServiceNow is down.")


def test_a_load_that_failed_says_why_in_the_report(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report of a failed load holds ServiceNow's reason, and the rows are held."""
    planned = plan()
    servicenow = sandbox.servicenow
    extra = {"client_id": servicenow.client_id, "client_secret": "wrong"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_SERVICENOW_DEFAULT",
        json.dumps({"conn_type": "servicenow", "host": servicenow.url, "login": "u", "password": "p", "extra": extra}),
    )
    with pytest.raises(SetupWrong):
        feed_load(planned, "computer").execute({})
    report = _settle_early(planned["folder"])
    assert "8 planned rows have no verdict" in report["failed"]
    assert "load.computer: " in report["failed"]
    assert "load.mdm: it did not come to its end." in report["failed"]
    assert report["details"]["computer"]["held_because"] == {"not sent, or not answered for yet": 4}


def feed_load(planned: Mapping[str, str], feed: str, **options: Any) -> FeedLoadOperator:
    """Return the load task of a feed."""
    found = load_mapping().feeds[feed]
    return FeedLoadOperator(
        task_id=feed, feed=feed, folder_uri=planned["folder"], staging_table=found.staging_table,
        frame_uri=planned[feed], key_columns=found.key, **options,
    )  # fmt: skip


def test_a_second_run_waits_until_the_first_has_settled() -> None:
    """Two runs at once could send the same rows twice; the second is told which run it waits for."""
    planned = plan("r1")
    with pytest.raises(RetryLater, match="Run r1 is under way") as caught:
        prepare("r2")
    assert caught.value.after_s is None, "Airflow waits as it is set up to"
    settle(planned, load(planned), "r1")
    prepare("r2")


def test_a_run_that_was_taken_over_sends_nothing_more_and_still_reports(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that comes back late is stopped before its first request; its run's rows are counted as held."""
    planned = plan("r1", full_resend=True)
    monkeypatch.setattr(run_registry, "BETWEEN_STAGES", timedelta(0))
    prepare("r2")
    before = _requests(sandbox)
    with pytest.raises(RunUnsafe, match="run r2 has begun"):
        feed_load(planned, "computer").execute({})
    assert _requests(sandbox) == before
    report = _settle_early(planned["folder"], "r1")
    assert report["failed"].startswith("Run r2 has taken this one over.")
    assert _counts(report) == {"extracted": 4, "held": 4}


def test_a_killed_runs_rows_are_settled_before_the_next_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that died after its load costs no resend: the next one takes its verdicts, and writes its report."""
    planned = plan("r1", full_resend=True)
    load(planned)
    monkeypatch.setattr(run_registry, "BETWEEN_STAGES", timedelta(0))
    again = plan("r2")
    assert {feed: again[feed] for feed in FEEDS} == {"computer": "", "mdm": ""}
    report = json.loads((tmp_path / "runs/iru_devices/r1/report.json").read_bytes())
    assert "run r2 took care" in report["failed"]
    assert report["feeds"]["computer"]["held"] == 0


def test_a_guard_stops_the_run_in_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation's limits reach the plan, and the run's report names the guard."""
    planned = plan("r1")
    settle(planned, load(planned), "r1")
    monkeypatch.setenv("IRU_SERVICENOW_GUARDS", "many_rejects=0,floor_rows=0,shrunk_source=0")
    folder = tasks.shape.function(tasks.extract.function(prepare("r2", device_families=["iPad"])))
    assert tasks.plan.function(folder)
    for name, most in (("rows", 1), ("also_seen", 0)):
        seen = Parts(Path(folder.removeprefix("file://")) / "shape/computer" / name)
        left = seen.read().head(most)
        seen.write_buckets(0, left, np.zeros(len(left), dtype="int64"), 1)
    with pytest.raises(RunUnsafe, match=r"shrunk_source.*lift_guards"):
        tasks.plan.function(folder)
    report = _settle_early(folder, "r2")
    assert "shrunk_source" in report["failed"]
    assert [found["guard"] for found in report["guards"]] == ["shrunk_source"]


def test_a_report_tells_what_was_tried_again(sandbox: Sandbox) -> None:
    """Retries and waiting are counted by service beside the requests, those of the load tasks included."""
    planned = plan()
    returned = load(planned)
    returned["load.computer"] |= {"retries": 2, "waited_s": 1.25}
    returned["load.mdm"] |= {"retries": 1, "waited_s": 0.5}
    settle(planned, returned)
    report = json.loads((Path(planned["folder"].removeprefix("file://")) / "report.json").read_bytes())
    assert report["retries"] == {"iru": 0, "servicenow": 3}
    assert report["waited_s"] == {"iru": 0, "servicenow": 1.8}


def test_an_own_mapping_is_used_by_every_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A column that the installation's mapping drops is not sent."""
    own = tmp_path / "mapping.toml"
    own.write_text("[feeds.computer.columns]\nos_version = false\n")
    monkeypatch.setenv("IRU_SERVICENOW_MAPPING", str(own))
    assert "os_version" not in Parts(Path(plan()["computer"].removeprefix("file://"))).read()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("IRU_SERVICENOW_MAPPING", "/nowhere/mapping.toml"),
        ("AIRFLOW_CONN_IRU_DEFAULT", '{"conn_type": "iru", "host": "https://acme.example"}'),
        ("AIRFLOW_CONN_SERVICENOW_DEFAULT", '{"conn_type": "servicenow", "host": "http://acme.example"}'),
    ],
)
def test_prepare_finds_a_wrong_set_up_without_a_request(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A mapping or a connection that cannot work ends the run in its first task, before anybody is asked."""
    monkeypatch.setenv(variable, value)
    before = _requests(sandbox)
    with pytest.raises(SetupWrong):
        tasks.prepare.function("devices", FEEDS, "", params={}, ti=Instance(), run_id="r1")
    assert _requests(sandbox) == before
