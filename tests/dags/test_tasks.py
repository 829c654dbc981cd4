"""The tasks of the DAGs, one after the other in this process, over the sandbox."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.sdk.exceptions import AirflowFailException
from iru_servicenow import tasks
from iru_servicenow.operators.import_set import ServiceNowImportSetOperator

from include.errors import SetupWrong
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import load_mapping
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.storage import read_frame

FEEDS = ["computer", "mdm"]
SWITCHES = {"iru.rate_limit": False, "servicenow.transform_pickup_delay_s": 0.0}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Start both servers once."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=4, apps_per_device=1), switches=SWITCHES)) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _installation(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Define connections and settings in the environment; every test has a storage root and a ledger of its own."""
    servicenow = sandbox.servicenow
    extra = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret}
    iru = {"conn_type": "iru", "host": sandbox.iru.url, "password": sandbox.iru.token}
    instance = {
        "conn_type": "servicenow", "host": servicenow.url, "login": servicenow.username,
        "password": servicenow.password, "extra": extra,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(iru))
    monkeypatch.setenv("AIRFLOW_CONN_SERVICENOW_DEFAULT", json.dumps(instance))
    monkeypatch.setenv("IRU_SERVICENOW_STORAGE", str(tmp_path))


@dataclass
class Instance:
    """What the tasks ask of Airflow's task instance: the DAG's id and what load tasks returned."""

    dag_id: str = "iru_devices"
    returned: dict[str, Any] = field(default_factory=dict)

    def xcom_pull(self, *, task_ids: str) -> Any:
        """Return what a task returned, None where it failed."""
        return self.returned.get(task_ids)


def _plan(run_id: str = "r1", **params: Any) -> dict[str, str]:
    """Run the tasks up to the plan."""
    folder = tasks.prepare.function("devices", FEEDS, params=params, ti=Instance(), run_id=run_id)
    return tasks.plan.function(tasks.shape.function(tasks.extract.function(folder)))


def _load(frames: Mapping[str, str]) -> dict[str, Any]:
    """Run the load tasks as the DAG wires them."""
    returned = {}
    for feed in load_mapping().of_source("devices"):
        operator = ServiceNowImportSetOperator(
            task_id=feed.name, staging_table=feed.staging_table, frame_uri=frames[feed.name], key_columns=feed.key
        )
        returned[f"load.{feed.name}"] = operator.execute({})
    return returned


def _settle(planned: Mapping[str, str], returned: Mapping[str, Any], run_id: str = "r1") -> dict[str, Any]:
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
    planned = _plan()
    assert all(planned.values())
    told = _settle(planned, _load(planned))
    assert told["feeds"]["computer"]["extracted"] == 4
    book = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite", Pair(sandbox.iru.url, sandbox.servicenow.url))
    assert len(book.read("computer")) == len(book.read("mdm")) == 4
    again = _plan("r2")
    assert {feed: again[feed] for feed in FEEDS} == {"computer": "", "mdm": ""}


def test_the_report_counts_the_requests_of_the_load_tasks(sandbox: Sandbox) -> None:
    """A person sees what a run cost both services, the load tasks included."""
    before = _requests(sandbox)
    planned = _plan(full_resend=True)
    told = _settle(planned, _load(planned))
    assert sum(told["requests"].values()) == _requests(sandbox) - before


def test_plan_mode_gives_the_load_tasks_nothing(sandbox: Sandbox) -> None:
    """What plan mode would send is in the run's folder, and no load task hears of it."""
    planned = _plan(mode="plan", full_resend=True)
    assert {feed: planned[feed] for feed in FEEDS} == {"computer": "", "mdm": ""}
    assert _settle(planned, _load(planned))["feeds"]["computer"]["held"] == 4


def test_a_feed_that_was_not_chosen_is_not_loaded() -> None:
    """With one feed chosen, the other's load task has nothing to do."""
    planned = _plan(feeds=["computer"], full_resend=True)
    assert planned["computer"]
    assert planned["mdm"] == ""


def test_rows_that_were_not_sent_fail_settle_for_good() -> None:
    """A load task that failed leaves no result; settle says so, and trying it again would not help."""
    planned = _plan(full_resend=True)
    with pytest.raises(AirflowFailException, match="8 planned rows"):
        _settle(planned, {})


def test_an_own_mapping_is_used_by_every_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A column that the installation's mapping drops is not sent."""
    own = tmp_path / "mapping.toml"
    own.write_text("[feeds.computer.columns]\nos_version = false\n")
    monkeypatch.setenv("IRU_SERVICENOW_MAPPING", str(own))
    assert "os_version" not in read_frame(Path(_plan()["computer"].removeprefix("file://")))


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
        tasks.prepare.function("devices", FEEDS, params={}, ti=Instance(), run_id="r1")
    assert _requests(sandbox) == before
