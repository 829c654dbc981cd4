"""Show a run while it goes on, in a terminal and in a log file alike."""

import time
from collections.abc import Callable

from rich.console import Console

from include.local.airflow import LocalAirflow
from include.local.rest import TaskInstance

_WIDTH_WITHOUT_TERMINAL = 110
_FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_LOG_LINES = 25


class RunFailedError(RuntimeError):
    """A DAG run did not succeed; the message ends with the log of the task that failed."""


def make_console() -> Console:
    """Return a console that is wide enough for tables when the output is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


def follow_run(
    airflow: LocalAirflow,
    dag_id: str,
    *,
    console: Console,
    run_id: str,
    limit_s: float = 900.0,
    on_look: Callable[[list[TaskInstance]], None] = lambda _: None,
) -> float:
    """Run a DAG to its end, one line per finished task, and return the seconds it took.

    ``on_look`` is called with the tasks each time they are looked at.

    Raises:
        RunFailedError: the run failed, or took longer than ``limit_s``.
    """
    started = time.monotonic()
    airflow.client.trigger(dag_id, run_id=run_id)
    shown: set[str] = set()
    with console.status(f"{dag_id}: waiting for the scheduler") as status:
        for tasks in airflow.client.watch(dag_id, run_id, check=_limit(airflow, dag_id, started + limit_s)):
            on_look(tasks)
            for task in tasks:
                if task.state in _FINISHED and task.label not in shown:
                    shown.add(task.label)
                    _show_task(console, task)
            running = [task.label for task in tasks if task.state == "running"]
            if running:
                status.update(f"{dag_id}: {', '.join(running)} ({time.monotonic() - started:.0f} s)")
    if airflow.client.run_state(dag_id, run_id) != "success":
        raise RunFailedError(_why(airflow, dag_id, run_id))
    return time.monotonic() - started


def _limit(airflow: LocalAirflow, dag_id: str, deadline: float) -> Callable[[], None]:
    def check() -> None:
        airflow.check()
        if time.monotonic() > deadline:
            raise RunFailedError(f"{dag_id} has not ended in time")

    return check


def _show_task(console: Console, task: TaskInstance) -> None:
    seconds = "" if task.duration_s is None else f"{task.duration_s:6.1f} s"
    state = "" if task.state == "success" else f"  {task.state}"
    console.print(f"   {task.label:<28}{seconds:>9}{state}", markup=False)


def _why(airflow: LocalAirflow, dag_id: str, run_id: str) -> str:
    """Return the end of the failed task's log; Airflow has taken the secrets out of it."""
    tasks = airflow.client.task_instances(dag_id, run_id)
    failed = next((task for task in tasks if task.state == "failed"), None)
    if failed is None:
        return f"{dag_id} failed"
    lines = airflow.client.task_log(dag_id, run_id, failed).splitlines()[-_LOG_LINES:]
    return "\n".join([f"{dag_id} failed in {failed.label}. Its log ends:", *(f"  {line}" for line in lines)])
