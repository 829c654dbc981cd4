"""The operator alone: any frame, any staging table, any DAG."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests
from iru_servicenow.hooks.iru import IruHook
from iru_servicenow.hooks.servicenow import ServiceNowHook
from iru_servicenow.operators.import_set import ServiceNowImportSetOperator

from include.errors import SetupWrong
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

TABLE = "x_kandj_kandji_kandji_import_set_computer"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Start both servers once."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=3, apps_per_device=1))) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _connections(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Define both connections in the environment, as an operator would."""
    servicenow = sandbox.servicenow
    extra = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret}
    iru = {"conn_type": "iru", "host": sandbox.iru.url, "password": sandbox.iru.token}
    instance = {
        "conn_type": "servicenow", "host": servicenow.url, "login": servicenow.username,
        "password": servicenow.password, "extra": extra,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(iru))
    monkeypatch.setenv("AIRFLOW_CONN_SERVICENOW_DEFAULT", json.dumps(instance))


def _operator(frame: Path | str, **options: object) -> ServiceNowImportSetOperator:
    return ServiceNowImportSetOperator(
        task_id="load", staging_table=TABLE, frame_uri=str(frame), key_columns=["serial_number"], **options
    )


def _frame(folder: Path, *serials: str) -> Path:
    path = folder / "frame.parquet"
    names = [f"printer {serial}" for serial in serials]
    pd.DataFrame({"serial_number": list(serials), "device_name": names, "_note": 1, "os_type": None}).to_parquet(path)
    return path


@pytest.mark.parametrize("load_method", ["insert_multiple", "single"])
def test_every_row_of_a_frame_gets_its_verdict(tmp_path: Path, sandbox: Sandbox, load_method: str) -> None:
    """Both load methods insert new rows, ignore unchanged ones, and leave own notes and empty cells out."""
    serials = [f"{load_method[:3].upper()}{number}" for number in range(7)]
    first = _operator(_frame(tmp_path, *serials), load_method=load_method, chunk_rows=3, concurrency=2).execute({})
    assert {outcome: n for outcome, n in first["outcomes"].items() if n} == {"inserted": 7}
    (tmp_path / "again").mkdir()
    again = _operator(_frame(tmp_path / "again", *serials, "ONE-MORE" + load_method), load_method=load_method)
    assert {outcome: n for outcome, n in again.execute({})["outcomes"].items() if n} == {"inserted": 1, "ignored": 7}
    url = f"{sandbox.servicenow.url}/_sandbox/tables/cmdb_ci_computer"
    names = json.dumps(requests.get(url, timeout=10).json())
    assert names.count(f"printer {serials[0]}") >= 1


def test_nothing_to_send_is_done_without_a_request(sandbox: Sandbox) -> None:
    """An empty frame URI ends well and asks nobody."""
    before = requests.get(f"{sandbox.servicenow.url}/_sandbox/counters", timeout=10).json()["requests"]
    assert _operator("").execute({})["rows"] == 0
    after = requests.get(f"{sandbox.servicenow.url}/_sandbox/counters", timeout=10).json()["requests"]
    assert after == before


def test_a_column_that_the_staging_table_lacks_is_named(tmp_path: Path) -> None:
    """A misspelled column stops the load before it sends anything, because ServiceNow would drop the values."""
    path = tmp_path / "frame.parquet"
    pd.DataFrame({"serial_number": ["X1"], "devize_name": ["a"]}).to_parquet(path)
    with pytest.raises(SetupWrong, match="devize_name"):
        _operator(path).execute({})


def test_a_frame_of_numbers_is_refused(tmp_path: Path) -> None:
    """Import Sets take text; numbers would arrive as something else."""
    path = tmp_path / "frame.parquet"
    pd.DataFrame({"serial_number": ["X1"], "device_capacity": [128.0]}).to_parquet(path)
    with pytest.raises(SetupWrong, match="device_capacity"):
        _operator(path).execute({})


def test_test_connection_reads_and_never_writes(sandbox: Sandbox) -> None:
    """Both hooks say that they can sign in, without a request that writes."""
    before = _writes(sandbox)
    assert IruHook().test_connection() == (True, f"Signed in to {sandbox.iru.url}.")
    assert ServiceNowHook().test_connection() == (True, f"Signed in to {sandbox.servicenow.url}.")
    assert _writes(sandbox) == before


def test_test_connection_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """A wrong token is told as such, and not repeated in the message."""
    wrong = {"conn_type": "iru", "host": sandbox.iru.url, "password": "not-the-token"}
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(wrong))
    good, message = IruHook().test_connection()
    assert not good
    assert "API token" in message
    assert "not-the-token" not in message


def _writes(sandbox: Sandbox) -> int:
    counters = requests.get(f"{sandbox.servicenow.url}/_sandbox/counters", timeout=10).json()
    return sum(n for line, n in counters["by_method_and_path"].items() if line.startswith("POST /api"))
