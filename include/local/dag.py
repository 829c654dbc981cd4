"""One DAG run to the end in this process: ``python -m include.local.dag DAG_ID ['{"param": "value"}']``.

The run uses whatever the connections of the environment point at. Exit status: 0 the run succeeded, 1 it failed,
2 it could not be started as asked (unknown DAG, CONF that is no JSON object or breaks a param, broken DAG file).
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from include.local.console import Console
from include.local.environment import airflow_environment, airflow_home
from include.local.processes import insisting_interrupts

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
SUCCESS, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """The run cannot be started as asked; the message says what to change."""


class _SchedulerAtWork(Exception):
    """A scheduler works on the database that this run would use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one DAG and return the exit status."""
    options = _parse(arguments)
    home = airflow_home()
    try:
        conf = _conf(options.conf)
        os.environ.update(airflow_environment(home) | {"AIRFLOW__LOGGING__JSON_LOGS": "True"})
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        with Console(_log_path(home, options.dag_id)) as console:
            run = _run(options.dag_id, conf)
    except _SchedulerAtWork:
        _start_over_on_another_database(home)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("interrupted; the run is marked as failed", file=sys.stderr)
        return INTERRUPTED
    _show_end(run, console.log_path)
    return SUCCESS if run.state == "success" else FAILED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make dag",
        usage='make dag DAG=<dag id> [CONF=\'{"param": "value"}\']',
        description="Run one DAG to its end in this process.",
    )
    parser.add_argument("dag_id", help="for example iru_devices")
    parser.add_argument("conf", nargs="?", default="", help="the run's params, as a JSON object")
    return parser.parse_args(arguments)


def _conf(text: str) -> dict[str, Any]:
    """Read CONF, where nothing means no params."""
    try:
        conf = json.loads(text.strip() or "{}")
    except ValueError as error:
        raise UsageError(f'CONF is not valid JSON ({error}). Example: CONF=\'{{"mode": "plan"}}\'') from None
    if not isinstance(conf, dict):
        raise UsageError(f'CONF must be a JSON object, not {text.strip()}. Example: CONF=\'{{"mode": "plan"}}\'')
    return conf


def _log_path(home: Path, dag_id: str) -> Path:
    name = "".join(char if char.isalnum() else "_" for char in dag_id)
    return home / "logs" / "make-dag" / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"


def _run(dag_id: str, conf: dict[str, Any]) -> "DagRun":
    """Prepare Airflow's database, find the DAG and run it."""
    from airflow.exceptions import ParamValidationError

    _prepare_database()
    _step_aside_of_a_scheduler()
    dag = _find(dag_id)
    try:
        return _finish(dag, conf)
    except ParamValidationError as error:
        raise UsageError(f"CONF does not fit {dag_id}: {str(error).splitlines()[0]}") from None


def _prepare_database() -> None:
    """Create or upgrade Airflow's database when this version needs it."""
    from airflow.utils import db

    try:
        db.check_migrations(0)  # type: ignore[no-untyped-call]  # Airflow leaves it without annotations
    except TimeoutError:
        print("Preparing Airflow's database")
        db.initdb()


def _step_aside_of_a_scheduler() -> None:
    """Start over on a database of our own where a scheduler works on this one: it would run the tasks a second time."""
    from airflow.jobs.job import most_recent_job

    scheduler = most_recent_job("SchedulerJob")
    if not scheduler or not scheduler.is_alive():
        return
    if _DATABASE in os.environ:
        raise UsageError(
            f"An Airflow scheduler works on the database that {_DATABASE} names and would run the tasks twice. "
            "Trigger the DAG in its UI, stop it, or name another database."
        )
    raise _SchedulerAtWork


def _start_over_on_another_database(home: Path) -> NoReturn:
    """Replace this process by one that shares no database with the scheduler."""
    print("An Airflow scheduler (make up?) is running: this run takes a database of its own,")
    print("so that only connections of the environment and of secrets backends are known to it.", flush=True)
    own = {_DATABASE: f"sqlite:///{home / 'make-dag.db'}"}
    command = [sys.executable, "-m", "include.local.dag", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | own)  # noqa: S606 - ourselves, with no shell


def _find(dag_id: str) -> "DAG":
    """Load the DAG files and return one DAG."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag

    errors: dict[str, str] = {}
    known: list[str] = []
    manager = DagBundlesManager()  # type: ignore[no-untyped-call]  # Airflow leaves it without annotations
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        if dag_id in bag.dags:
            return bag.dags[dag_id]
        errors |= bag.import_errors
        known += bag.dags
    raise UsageError(_not_found(dag_id, known, errors))


def _not_found(dag_id: str, known: Sequence[str], errors: dict[str, str]) -> str:
    message = f"There is no DAG {dag_id!r}. Known: {', '.join(sorted(known)) or 'none'}."
    for file, trace in errors.items():
        message += f"\n{file} does not import: {trace.strip().splitlines()[-1]}"
    return message


def _finish(dag: "DAG", conf: dict[str, Any]) -> "DagRun":
    """Run the DAG; an interrupted run is marked as failed, or a scheduler would take it up later."""
    started = datetime.now(UTC)
    try:
        with insisting_interrupts():
            run: DagRun = dag.test(run_conf=conf, logical_date=started)
    except BaseException:
        _fail_run(dag.dag_id, started)
        raise
    return run


def _fail_run(dag_id: str, logical_date: datetime) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    with create_session() as session:
        query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.logical_date == logical_date)
        for run in session.scalars(query):
            run.set_state(DagRunState.FAILED)


def _show_end(run: "DagRun", log_path: Path) -> None:
    print(f"\n{run.dag_id} {run.state}  ({run.run_id})")
    root = os.environ["IRU_SERVICENOW_STORAGE"]
    folder = f"{root.rstrip('/')}/runs/{run.dag_id}/{run.run_id}"
    for label, name in (("report", "report.json"), ("page", "preflight.html")):
        if Path(folder, name).exists() or ("://" in root and label == "report"):
            print(f"{label:<8}{folder}/{name}")
    print(f"log     {log_path}")
    if run.state != "success" and "preflight" not in run.dag_id:
        print("again   the same command, any time: what ServiceNow took already is not sent twice")


if __name__ == "__main__":
    sys.exit(main())
