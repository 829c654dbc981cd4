"""What the terminal shows of a run."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import include
from include.errors import PipelineError
from include.local.console import ON_PURPOSE, render, secrets_of_environment

ROOT = Path(__file__).parents[2]


def entry(event: str, logger: str, level: str = "info", **more: object) -> str:
    """Return one line of Airflow's JSON log."""
    return json.dumps(
        {"timestamp": "2026-11-24T03:34:12.816435Z", "level": level, "event": event, "logger": logger} | more
    )


def test_lines_of_our_own_code_are_shown_with_time_and_fields() -> None:
    """A reader sees when something was said, and the numbers that belong to it."""
    assert render(entry("sent a chunk", "include.loading.load", rows=500)) == "03:34:12  sent a chunk  rows=500"


def test_what_airflow_tells_its_masker_is_dropped(tmp_path: Path) -> None:
    """At debug level Airflow logs the very secrets that it is to hide; such a line reaches neither terminal nor log."""
    script = (
        "import sys; from pathlib import Path; from include.local.console import Console\n"
        "with Console(Path(sys.argv[1])):\n"
        '    print(\'{"event": "Sending request", "msg": "MaskSecret(value=\\\'pw-of-nobody\\\')"}\')\n'
        "    print('done')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "done\n"
    assert (tmp_path / "log").read_text() == "done\n"


@pytest.mark.parametrize(
    "line",
    [
        entry("Task started", "airflow.api_fastapi.execution_api.routes.task_instances"),
        entry("::group::Post Execute", "task"),
        entry("Done. Returned value was: {'rows': 3}", "airflow.task.operators.PythonOperator"),
        entry("XCom not found offset=3", "task", level="error"),
        entry("deprecated", "py.warnings", level="warning", filename="/x/site-packages/fastapi/testclient.py"),
    ],
)
def test_airflow_talking_to_itself_is_left_out(line: str) -> None:
    """What Airflow says about its own workings does not bury what the run says."""
    assert render(line) is None


def test_an_unforeseen_error_names_its_type_and_the_line_of_our_code() -> None:
    """A defect says what happened and where in this project, without Airflow's own frames."""
    frames = [
        {"filename": f"{ROOT}/.venv/lib/site-packages/airflow/x.py", "lineno": 1, "name": "run"},
        {"filename": f"{ROOT}/include/loading/load.py", "lineno": 7, "name": "send"},
    ]
    failure = {"exc_type": "KeyError", "exc_value": "no such column", "frames": frames}
    shown = render(entry("Task failed with exception", "task", level="error", exception=[failure]))
    assert shown is not None
    assert shown.splitlines()[1:] == ["    KeyError: no such column", "      at include/loading/load.py:7 in send"]


def test_plain_lines_pass_unchanged() -> None:
    """A table that a task prints is shown as it is, also where a line happens to be JSON."""
    assert render("| feed | rows |") == "| feed | rows |"
    assert render("[1, 2]") == "[1, 2]"


def test_every_secret_of_a_connection_is_known() -> None:
    """Password, client secret and token are recognised in JSON, in a nested extra, and in a URI."""
    environment = {
        "AIRFLOW_CONN_A": json.dumps(
            {
                "host": "https://x",
                "password": "pass-word",
                "extra": {"client_secret": "sec-ret", "grant_type": "password"},
            }
        ),
        "AIRFLOW_CONN_B": json.dumps({"extra": json.dumps({"refresh_token": "tok-en"})}),
        "AIRFLOW_CONN_C": "http://user:uri-secret@host",
        "OTHER": json.dumps({"password": "not-ours"}),
    }
    assert set(secrets_of_environment(environment)) == {"pass-word", "sec-ret", "tok-en", "uri-secret"}


def test_no_secret_reaches_terminal_or_log(tmp_path: Path) -> None:
    """Even a print of a password, past every logger, comes out masked, on screen and in the file."""
    script = (
        "from pathlib import Path; import os, subprocess\n"
        "from include.local.console import Console\n"
        f"with Console(Path({str(tmp_path / 'run.log')!r})):\n"
        "    print('token is t0p-secret', flush=True)\n"
        "    subprocess.run(['echo', 'child says t0p-secret'])\n"
        "print('after')\n"
    )
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_CONN_IRU_DEFAULT": json.dumps({"password": "t0p-secret"}),
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["token is ***", "child says ***", "after"]
    assert (tmp_path / "run.log").read_text().splitlines() == ["token is ***", "child says ***"]


def test_the_course_of_a_run_is_shown() -> None:
    """A reader sees which task starts, and that a failed one will be tried again."""
    logger = "airflow.sdk.definitions.dag"
    assert render(entry("[DAG TEST] starting task_id=load.apps map_index=3", logger)) == "── load.apps[3]"
    waiting = (
        "{<TaskInstance: iru.plan m__1 [None] ti_id=1>, <TaskInstance: iru.load.apps m__1 [up_for_retry] ti_id=2>}"
    )
    event = entry(f"No tasks to run. unrunnable tasks: {waiting}", logger, level="warning")
    assert render(event) == "   waiting to try load.apps again"


def test_a_failure_on_purpose_is_its_message_alone() -> None:
    """A message that says what to do is not buried under the lines of code that it came through."""
    frames = [{"filename": f"{ROOT}/include/web/retry.py", "lineno": 53, "name": "call"}]
    raised = [{"exc_type": "RetryLater", "exc_value": "connection refused by x", "frames": frames}]
    line = entry("Task failed with exception", "task", level="error", exception=raised)
    assert render(line) == "03:34:12  ERROR: connection refused by x"


def test_every_error_of_the_pipelines_own_is_known_by_name() -> None:
    """An error that is added to the pipeline later is shown like the others, without its lines of code."""
    for module in pkgutil.walk_packages(include.__path__, "include."):
        if not module.name.startswith(("include.sandbox", "include.local")):
            importlib.import_module(module.name)
    kinds = [PipelineError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.__name__ for kind in kinds[1:]} - ON_PURPOSE == set()


def test_what_the_report_has_just_told_is_not_told_again(tmp_path: Path) -> None:
    """The report's reason of a failed run stands in the terminal once, not again as the last task's own failure."""
    raised = [{"exc_type": "AirflowFailException", "exc_value": "plan: the guard struck", "frames": []}]
    report = entry("a table\nFAILED: plan: the guard struck", "iru_servicenow.tasks")
    failure = entry("Task failed with exception", "task", level="error", exception=raised)
    script = (
        "import sys; from pathlib import Path; from include.local.console import Console\n"
        "with Console(Path(sys.argv[1])):\n    print(sys.argv[2])\n    print(sys.argv[3])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log"), report, failure]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.count("the guard struck") == 1
    assert "the guard struck" in (tmp_path / "log").read_text().splitlines()[1]
