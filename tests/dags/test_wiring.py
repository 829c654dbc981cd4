"""What the DAGs hand to Airflow: which failures are tried again, and what the load tasks are told."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import RetryAction, RetryDecision
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder
from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms
from iru_servicenow import retry, under_way
from iru_servicenow.operators.import_set import ServiceNowImportSetOperator
from iru_servicenow.wiring import DEFAULT_ARGS

from include.errors import AnswerUnusable, CountsDisagree, RetryLater, RunUnsafe, SetupWrong, StorageFailed
from include.servicenow.judge import AccessDenied

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("error", [SetupWrong("x"), AccessDenied("x"), RunUnsafe("x"), CountsDisagree("x")], ids=repr)
def test_what_only_a_person_can_mend_is_not_tried_again(error: Exception) -> None:
    """A wrong set-up fails at its first try, so that its message is not half an hour late."""
    assert DEFAULT_ARGS["retry_policy"].evaluate(error, 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize("error", [RetryLater("x"), AnswerUnusable("x"), StorageFailed("x"), OSError("x")], ids=repr)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    """A service that is down, or a worker that lost its disk, is met again by Airflow's own retries."""
    assert DEFAULT_ARGS["retry_policy"].evaluate(error, 1, 3).action is RetryAction.DEFAULT


def test_a_server_that_says_when_is_asked_again_then() -> None:
    """Airflow waits as long as a server asked for, up to ServiceNow's hour, instead of its own half minute."""
    decision: RetryDecision = DEFAULT_ARGS["retry_policy"].evaluate(RetryLater("x", after_s=3600), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(hours=1))


@pytest.mark.parametrize(("comms", "dies"), [(CommsDecoder, True), (InProcessSupervisorComms, False)])
def test_a_task_ends_with_its_supervisor_only_where_that_is_another_process(
    monkeypatch: pytest.MonkeyPatch, comms: type, dies: bool
) -> None:
    """A run of `make dag` outlives its terminal; a worker's task does not outlive the worker."""
    asked: list[bool] = []
    monkeypatch.setattr(under_way, "die_with_parent", lambda: asked.append(True))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object.__new__(comms), raising=False)
    under_way.die_with_supervisor()
    assert bool(asked) is dies


@pytest.mark.parametrize(
    ("error", "try_number", "pause"),
    [
        (RetryLater("x"), 1, 60),
        (RetryLater("x"), 2, 120),
        (RetryLater("x"), 3, 0),
        (RetryLater("x", after_s=45), 1, 45),
        (RetryLater("x", after_s=3600), 1, 600),
        (SetupWrong("x"), 1, 0),
    ],
    ids=str,
)
def test_how_long_a_failed_stage_may_wait_is_known(
    monkeypatch: pytest.MonkeyPatch, error: Exception, try_number: int, pause: float
) -> None:
    """A run is held for as long as its retry may take, and not at all after its last try."""
    task = SimpleNamespace(retry_delay=timedelta(seconds=30))
    context = {"ti": SimpleNamespace(try_number=try_number, max_tries=2), "task": task}
    monkeypatch.setattr(retry, "get_current_context", lambda: context)
    assert retry.pause_s(error) == pause


def test_the_mappings_labels_reach_the_load_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the dictionary may not be read, only the mapping knows that a column has another label."""
    own = tmp_path / "mapping.toml"
    own.write_text('[feeds.computer.columns]\nos_version = { from = "os_version", label = "Operating system" }\n')
    monkeypatch.setenv("IRU_SERVICENOW_MAPPING", str(own))
    task = DagBag(str(ROOT / "dags")).dags["iru_devices"].get_task("load.computer")
    assert task.column_labels["os_version"] == "Operating system"


def test_the_installations_policy_for_missing_devices_is_a_runs_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheduled runs have no form: what they do about missing devices comes from the environment."""
    monkeypatch.setenv("IRU_SERVICENOW_MISSING_DEVICES", "report")
    assert DagBag(str(ROOT / "dags")).dags["iru_devices"].params["missing_devices"] == "report"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chunk_rows": 0}, "chunk_rows"),
        ({"concurrency": 0}, "concurrency"),
        ({"load_method": "bulk"}, "load_method"),
        ({"column_keys": "title"}, "column_keys"),
    ],
)
def test_every_option_of_the_operator_is_heeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    """An option that cannot be is named before any request, so none is passed over."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_SERVICENOW_DEFAULT",
        '{"conn_type": "servicenow", "host": "https://acme.example", "login": "u", "password": "p", '
        '"extra": {"client_id": "c", "client_secret": "s"}}',
    )
    path = tmp_path / "frame.parquet"
    pd.DataFrame({"serial_number": ["X1"]}).to_parquet(path)
    operator = ServiceNowImportSetOperator(
        task_id="load", staging_table="t", frame_uri=str(path), key_columns=["serial_number"], **options
    )
    with pytest.raises(SetupWrong, match=said):
        operator.execute({})
