"""The whole way of a row, shown: sandbox, real Airflow, both flows, a changed fleet, both flows again, comparison.

``python -m include.local.demo [--devices 500] [--apps-per-device 40] [--seed 7] [--keep]``. Exit status: 0 when
ServiceNow ends up holding what Iru holds, 1 when it does not, or when something failed.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from upath import UPath

from include.local.airflow import AirflowFailedError, LocalAirflow
from include.local.check import Findings, IruFleet, SignIn, compare, read_fleet, read_tables
from include.local.check.http import CheckFailedError
from include.local.demo_tables import ledger_of_runs, tables_of_servicenow
from include.local.environment import PROJECT_ROOT, STORAGE
from include.local.fleet_change import change_fleet, removed_apps
from include.local.processes import exit_on_signals
from include.local.progress import RunFailedError, follow_run, make_console
from include.local.rest import AirflowApiError, TaskInstance
from include.local.sandbox import Sandbox, SandboxFailedError, running_sandbox

DAGS = ("iru_devices", "iru_apps")
ON_TRIGGER_ONLY = {"IRU_SERVICENOW_DEVICES_SCHEDULE": "none", "IRU_SERVICENOW_APPS_SCHEDULE": "none"}
"""The demo triggers every run itself; a scheduled one in between would blur what each run sent."""

_EXPECTED_FAILURES = (
    AirflowApiError,
    AirflowFailedError,
    CheckFailedError,
    RunFailedError,
    SandboxFailedError,
    requests.RequestException,
)


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that a step of the demo works with."""

    console: Console
    sandbox: Sandbox
    airflow: LocalAirflow
    storage: Path | UPath
    """The folder in which the runs leave their files."""


Play = Callable[[argparse.Namespace, Console, Path], Findings]
RunFlow = Callable[[Stage, str, int], dict[str, Any]]
"""Runs one flow for the first or second time and returns its report."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit status."""
    options = parse_options(
        arguments, prog="make demo", description="Both flows against the sandbox, then a comparison."
    )
    return run_demo(options, _play)


def run_demo(options: argparse.Namespace, play: Play, failures: tuple[type[Exception], ...] = ()) -> int:
    """Play a demo in a fresh folder, tell how it ended, and return the exit status.

    ``failures`` are errors of this demo alone whose message says all that there is to know.
    """
    console = make_console()
    started = time.monotonic()
    try:
        with exit_on_signals(), _workspace(keep=options.keep, console=console) as home:
            findings = play(options, console, home)
            if not findings.agree:
                raise RunFailedError("Iru and ServiceNow differ, see above")
    except KeyboardInterrupt:
        console.print("interrupted; everything that the demo started is stopped")
        return 130
    except Exception as error:
        if not isinstance(error, _EXPECTED_FAILURES + failures):
            raise
        console.print(f"\nThe demo failed: {error}", markup=False, soft_wrap=True)
        return 1
    console.print(f"\nIru and ServiceNow agree: 0 differences. ({time.monotonic() - started:.0f} s)")
    return 0


def parse_options(arguments: Sequence[str] | None, *, prog: str, description: str) -> argparse.Namespace:
    """Return a demo's options: how big the fleet is, and what stays."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--apps-per-device", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="keep Airflow's folder with its logs and the run reports")
    return parser.parse_args(arguments)


@contextmanager
def _workspace(*, keep: bool, console: Console) -> Iterator[Path]:
    """Yield a fresh folder; it stays when asked for, and when something went wrong."""
    parent = PROJECT_ROOT / ".cache" / "demo"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield home
    except KeyboardInterrupt:
        shutil.rmtree(home, ignore_errors=True)
        raise
    except BaseException:
        console.print(f"\nlogs and reports of this demo: {home}", markup=False, soft_wrap=True)
        raise
    if keep:
        console.print(f"\nkept: {home}", markup=False, soft_wrap=True)
    else:
        shutil.rmtree(home, ignore_errors=True)


def _play(options: argparse.Namespace, console: Console, home: Path) -> Findings:
    """Go through the demo's steps and return what the comparison found."""
    size = ["--devices", str(options.devices), "--apps-per-device", str(options.apps_per_device)]
    console.print(f"[bold]Sandbox[/]: {options.devices} devices with {options.apps_per_device} apps each")
    with running_sandbox([*size, "--seed", str(options.seed)], log_path=home / "logs" / "sandbox.log") as sandbox:
        console.print(f"   Iru {sandbox.iru_url}   ServiceNow {sandbox.servicenow_url}")
        console.print("[bold]Airflow[/]: scheduler, DAG processor, API server, triggerer")
        environment = sandbox.connections() | ON_TRIGGER_ONLY
        started = time.monotonic()
        with LocalAirflow(home, environment=environment, isolated=True) as airflow:
            stage = Stage(console, sandbox, airflow, home / STORAGE)
            for dag_id in DAGS:
                airflow.client.unpause(dag_id)
            console.print(f"   ready after {time.monotonic() - started:.0f} s at {airflow.url}")
            return act(stage)


def act(stage: Stage, run: RunFlow | None = None) -> Findings:
    """Run both flows, change the fleet, run both again, and compare."""
    run = run or run_flow
    reports = [run(stage, dag_id, 1) for dag_id in DAGS]
    before = read_fleet(stage.sandbox.iru_url, stage.sandbox.iru_token)
    changes = change_fleet(stage.sandbox.iru_url, devices=len(before.devices), apps=len(before.apps))
    stage.console.print(f"[bold]Change of the fleet[/]: {changes}", soft_wrap=True)
    reports += [run(stage, dag_id, 2) for dag_id in DAGS]
    stage.console.print()
    stage.console.print(ledger_of_runs(reports))
    return _compare(stage, before)


def run_flow(
    stage: Stage, dag_id: str, turn: int, *, on_look: Callable[[list[TaskInstance]], None] = lambda _: None
) -> dict[str, Any]:
    """Run a DAG and return its report; ``on_look`` gets its tasks each time they are looked at."""
    stage.console.print(f"[bold]{dag_id}[/], run {turn}")
    run_id = id_of_run(turn)
    seconds = follow_run(stage.airflow, dag_id, console=stage.console, run_id=run_id, on_look=on_look)
    stage.console.print(f"   done in {seconds:.0f} s")
    path = stage.storage / "runs" / dag_id / run_id / "report.json"
    if not path.exists():
        raise RunFailedError(f"{dag_id} left no report at {path}")
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def id_of_run(turn: int) -> str:
    """Return the run id of a flow's first or second run."""
    return f"demo-{turn}"


def _compare(stage: Stage, before: IruFleet) -> Findings:
    """Read both sides afresh, show what ServiceNow holds, and print the comparison."""
    sandbox = stage.sandbox
    after = read_fleet(sandbox.iru_url, sandbox.iru_token)
    sign_in = SignIn(
        username=sandbox.username,
        password=sandbox.password,
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
    )
    tables = read_tables(sandbox.servicenow_url, sign_in)
    stage.console.print(tables_of_servicenow(tables))
    findings = compare(after, tables, removed_apps(before, after))
    stage.console.print("[bold]Comparison[/] of ServiceNow with Iru, field by field, over both public APIs")
    for line in findings.lines():
        stage.console.print(f"   {line}", markup=False, soft_wrap=True)
    return findings


if __name__ == "__main__":
    sys.exit(main())
