"""``make dag``: the exit status is the run's, and every mistake has one clear message."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAGS = """
import time
from airflow.sdk import Connection, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

@dag(schedule=None, params={"fail": Param(False, type="boolean"), "wait_s": 0})
def throw_away():
    @task(retries=3)
    def work(params=None):
        if params["wait_s"]:
            print("working", flush=True)
            time.sleep(params["wait_s"])
        print("host", Connection.get("iru_default").host, "password", Connection.get("iru_default").password)
        if params["fail"]:
            raise AirflowFailException("asked to fail")
    work()

throw_away()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty AIRFLOW_HOME, with a folder of DAGs of which one file is broken."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    (folder / "dags/throw_away.py").write_text(DAGS)
    (folder / "dags/broken.py").write_text("from airflow.sdk import dag\nimport there_is_no_such_module\n")
    return folder


def make_dag(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command behind ``make dag`` to its end."""
    process = start_dag(home, *arguments)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def start_dag(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command behind ``make dag`` as its own process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW_CONN_IRU_DEFAULT": json.dumps(
            {"conn_type": "iru", "host": "http://127.0.0.1:1", "password": "t0p-secret"}
        ),
    }
    command = [sys.executable, "-m", "include.local.dag", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def test_a_successful_run_exits_0_and_shows_no_secret(home: Path) -> None:
    """The run takes its connections from the environment, on a database that did not exist before."""
    result = make_dag(home, "throw_away")
    assert result.returncode == 0, result.stderr
    assert "host http://127.0.0.1:1 password ***" in result.stdout
    assert "throw_away success" in result.stdout
    logs = "".join(path.read_text() for path in home.glob("logs/make-dag/*.log"))
    assert "t0p-secret" not in result.stdout + result.stderr + logs


def test_a_failed_run_exits_1_and_says_why(home: Path) -> None:
    """CONF reaches the run's params, and the failure's reason reaches the terminal."""
    result = make_dag(home, "throw_away", '{"fail": true}')
    assert result.returncode == 1, result.stderr
    assert "ERROR: asked to fail" in result.stdout
    assert "throw_away failed" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_dag"], "There is no DAG 'no_such_dag'. Known: throw_away.\n"),
        (["throw_away", '{"fail": 7}'], "CONF does not fit throw_away: Invalid input for param fail"),
        (["throw_away", "[1]"], "CONF must be a JSON object, not [1]"),
        (["throw_away", "{fail"], "CONF is not valid JSON"),
        ([], "usage: make dag DAG=<dag id>"),
    ],
)
def test_bad_usage_exits_2_and_names_the_mistake(home: Path, arguments: list[str], message: str) -> None:
    """A run that cannot be started as asked says what to change, without a traceback."""
    result = make_dag(home, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert ("broken.py does not import: ModuleNotFoundError" in result.stderr) == (arguments == ["no_such_dag"])
    assert "Traceback" not in result.stdout + result.stderr


def test_an_interrupted_run_ends_at_once_as_failed(home: Path) -> None:
    """Ctrl-C inside a task ends the run, instead of counting as that task's failure and starting a retry."""
    process = start_dag(home, "throw_away", '{"wait_s": 600}')
    assert process.stdout
    while "working" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert (process.returncode, stderr) == (130, "interrupted; the run is marked as failed\n")
    with sqlite3.connect(home / "airflow.db") as database:
        states = database.execute("select state from dag_run order by id desc limit 1").fetchall()
    assert states == [("failed",)]
