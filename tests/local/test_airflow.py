"""A real Airflow, started once for this module."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from include.local.airflow import LocalAirflow
from include.local.rest import AirflowApiError

ROOT = Path(__file__).parents[2]
DAGS = """
import os
from airflow.sdk import Param, dag, task

@dag(schedule="* * * * *", catchup=False, params={"number": Param(1, type="integer")})
def throw_away():
    @task
    def work(params=None):
        if params["number"] < 0:
            raise ValueError("negative")
        inherited = os.environ.get("AIRFLOW_VAR_X")
        return {"number": params["number"], "given": os.environ.get("GIVEN"), "inherited": inherited}
    work()

throw_away()
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """Start Airflow with one throw-away DAG; settings of the caller's environment stay outside."""
    home = tmp_path_factory.mktemp("airflow home")
    (home / "dags").mkdir()
    (home / "dags/throw_away.py").write_text(DAGS)
    environment = {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "GIVEN": "yes"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_VAR_X", "from outside")
        with LocalAirflow(home, environment=environment, isolated=True) as started:
            yield started


def family() -> list[psutil.Process]:
    """Return every process below this one."""
    return psutil.Process().children(recursive=True)


def run(airflow: LocalAirflow, number: int) -> tuple[str, str]:
    """Run the throw-away DAG to its end and return the run's id and state."""
    run_id = airflow.client.trigger("throw_away", {"number": number})
    for _ in airflow.client.watch("throw_away", run_id, check=airflow.check):
        pass
    return run_id, airflow.client.run_state("throw_away", run_id)


def test_a_run_gets_its_params_and_environment(airflow: LocalAirflow) -> None:
    """The scheduler runs a triggered DAG with conf as params, in the given environment and not the caller's."""
    airflow.client.unpause("throw_away")
    run_id, state = run(airflow, 7)
    assert state == "success"
    assert airflow.client.xcom("throw_away", run_id, "work") == {"number": 7, "given": "yes", "inherited": None}


def test_a_failed_task_shows_its_reason(airflow: LocalAirflow) -> None:
    """Whoever follows a run learns which task failed, and why."""
    run_id, state = run(airflow, -1)
    [task] = airflow.client.task_instances("throw_away", run_id)
    assert (state, task.task_id, task.state) == ("failed", "work", "failed")
    assert "ValueError: negative" in airflow.client.task_log("throw_away", run_id, task)


def test_a_single_run_beside_a_scheduler_takes_a_database_of_its_own(airflow: LocalAirflow) -> None:
    """``make dag`` on the home of a running Airflow runs each task once, and the scheduler sees nothing of it."""
    before = _manual_runs(airflow)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(airflow.home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow.home / "dags"),
    }
    command = [sys.executable, "-m", "include.local.dag", "throw_away", '{"number": 3}']
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "a database of its own" in ended.stdout
    assert _manual_runs(airflow) == before


def _manual_runs(airflow: LocalAirflow) -> set[str]:
    runs = airflow.client.call("GET", "/dags/throw_away/dagRuns?limit=100")["dag_runs"]
    return {run["dag_run_id"] for run in runs if run["run_type"] == "manual"}


def test_an_unknown_dag_is_named(airflow: LocalAirflow) -> None:
    """Waiting for a DAG that is not there ends with its name."""
    with pytest.raises(AirflowApiError, match="does not know a DAG 'no_such_dag'"):
        airflow.client.unpause("no_such_dag", within_s=0)


def test_nobody_gets_in_without_the_password(airflow: LocalAirflow) -> None:
    """The password lies in a file that only its owner reads, and the API refuses who has none."""
    mode = stat.S_IMODE((airflow.home / "passwords.json").stat().st_mode)
    assert mode == 0o600
    stranger = type(airflow.client)(airflow.url, username="admin", password="guess")
    with pytest.raises(AirflowApiError, match="refused the sign-in"):
        stranger.sign_in()


def test_airflow_listens_on_this_machine_only(airflow: LocalAirflow) -> None:
    """No part of a local Airflow can be reached from the network."""
    listening = [c.laddr for p in family() for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert airflow.port in {address.port for address in listening}
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_stopping_leaves_no_process_behind(airflow: LocalAirflow) -> None:
    """Everything that was started is gone, and stopping twice does no harm. (The last test of this module.)"""
    started = [process for process in family() if process.is_running()]
    assert len(started) >= 4
    airflow.stop()
    airflow.stop()
    assert [p.pid for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
