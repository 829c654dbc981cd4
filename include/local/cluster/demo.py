"""The demo on a cluster: Celery, Redis, PostgreSQL, S3, two workers, one of which is killed in mid-load.

``python -m include.local.cluster.demo [--devices 500] [--apps-per-device 40] [--seed 7] [--keep]``. Exit status: 0 when
ServiceNow ends up holding what Iru holds, 1 when it does not, or when something failed.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from include.local.check import Findings
from include.local.cluster.airflow import WORKERS, ClusterAirflow
from include.local.cluster.broker import running_redis
from include.local.cluster.incident import DAG_ID, TURN, Incident
from include.local.cluster.object_store import ObjectStore, running_object_store
from include.local.cluster.postgres import running_postgres
from include.local.cluster.programs import ProgramsMissingError, ensure_programs
from include.local.cluster.settings import cluster_environment
from include.local.cluster.story import Try, read_story, table_of_workers
from include.local.cluster.waiting import ServerFailedError
from include.local.demo import DAGS, ON_TRIGGER_ONLY, Stage, act, id_of_run, parse_options, run_demo, run_flow
from include.local.progress import RunFailedError
from include.local.sandbox import running_sandbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit status."""
    about = "Both flows on two Celery workers, one of which is killed in mid-load, then a comparison."
    options = parse_options(arguments, prog="make cluster-demo", description=about)
    return run_demo(options, _play, failures=(ProgramsMissingError, ServerFailedError))


def _play(options: argparse.Namespace, console: Console, home: Path) -> Findings:
    """Go through the demo's steps and return what the comparison found."""
    size = ["--devices", str(options.devices), "--apps-per-device", str(options.apps_per_device)]
    console.print(f"[bold]Sandbox[/]: {options.devices} devices with {options.apps_per_device} apps each")
    with (
        running_sandbox([*size, "--seed", str(options.seed)], log_path=home / "logs" / "sandbox.log") as sandbox,
        _servers(home, console) as (environment, store),
    ):
        console.print(f"[bold]Airflow[/]: CeleryExecutor with {' and '.join(WORKERS)}")
        started = time.monotonic()
        environment |= sandbox.connections() | ON_TRIGGER_ONLY
        with ClusterAirflow(home, environment=environment, isolated=True) as airflow:
            for dag_id in DAGS:
                airflow.client.unpause(dag_id)
            console.print(f"   ready after {time.monotonic() - started:.0f} s at {airflow.url}")
            return _act(Stage(console, sandbox, airflow, store.root), airflow, store)


@contextmanager
def _servers(home: Path, console: Console) -> Iterator[tuple[dict[str, str], ObjectStore]]:
    """Run what the processes of a cluster share, and yield their environment and the object store."""
    logs = home / "logs" / "servers"
    console.print("[bold]Servers[/]: PostgreSQL (Airflow and ledger), Redis (queue), S3 (the runs' files)")
    programs, started = ensure_programs(console), time.monotonic()
    with (
        running_postgres(programs, log_path=logs / "postgres.log") as postgres,
        running_redis(programs, folder=home / "redis", log_path=logs / "redis.log") as broker,
        running_object_store(log_path=logs / "s3.log") as store,
    ):
        console.print(f"   ready after {time.monotonic() - started:.0f} s; files in {store.storage}", soft_wrap=True)
        yield cluster_environment(postgres, broker, store), store


def _act(stage: Stage, airflow: ClusterAirflow, store: ObjectStore) -> Findings:
    """Act as the demo on one machine does, with an incident, and tell who did what."""
    incident = Incident(stage, airflow, store.root)

    def run(stage: Stage, dag_id: str, turn: int) -> dict[str, Any]:
        if (dag_id, turn) != (DAG_ID, TURN):
            return run_flow(stage, dag_id, turn)
        incident.prepare()
        report = run_flow(stage, dag_id, turn, on_look=incident.look)
        incident.clear_up()
        return report

    findings = act(stage, run)
    story = read_story(airflow.client)
    stage.console.print(table_of_workers(story))
    stage.console.print(_what_became_of(incident, story), markup=False, soft_wrap=True)
    return findings


def _what_became_of(incident: Incident, story: Sequence[Try]) -> str:
    """Tell how the task that the killed worker ran came to its end.

    Raises:
        RunFailedError: no worker was killed, or the task did not end on the other one.
    """
    task = incident.task
    if task is None:
        raise RunFailedError(
            f"no load of {DAG_ID} lasted long enough to kill its worker; give the fleet more apps (APPS=)"
        )
    run = [each for each in story if (each.dag_id, each.turn) == (DAG_ID, TURN)]
    tries = [each for each in run if (each.task.task_id, each.task.map_index) == (task.task_id, task.map_index)]
    told = ", then ".join(f"{each.worker} ({each.task.state})" for each in tries)
    last = tries[-1]
    if last.worker == incident.victim or not last.succeeded:
        raise RunFailedError(f"{task.label} of {DAG_ID} did not end on the other worker: {told}")
    return (
        f"{DAG_ID} {id_of_run(TURN)}, {task.label}: {incident.victim} was killed with {incident.begun_rows} rows of "
        f"the run in flight; tries: {told}; {last.rows} rows, each with one verdict."
    )


if __name__ == "__main__":
    sys.exit(main())
