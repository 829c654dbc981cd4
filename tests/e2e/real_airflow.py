"""One real Airflow over one sandbox, driven and judged from outside: over its API, its processes and both servers."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from include.local.airflow import LocalAirflow
from include.local.check import Findings, IruFleet, SignIn, compare, read_fleet, read_tables
from include.local.environment import STORAGE
from include.local.fleet_change import removed_apps
from include.local.sandbox import Sandbox, running_sandbox

T = TypeVar("T")

STAGING = "x_kandj_kandji_kandji_import_set_"
_QUICK = {
    "IRU_SERVICENOW_DEVICES_SCHEDULE": "none",
    "IRU_SERVICENOW_APPS_SCHEDULE": "none",
    "IRU_SERVICENOW_RETRY_DELAY_S": "2",
    # A task that nobody hears of is given up after 6 s instead of 5 minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "6",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # So are the tasks of a scheduler that is silent for 10 s; by default, they are looked for every 5 minutes.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
}


@dataclass(slots=True)
class Stage:
    """An Airflow at work on a sandbox."""

    sandbox: Sandbox
    airflow: LocalAirflow

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a DAG to its end and return its report."""
        return self.end_of(dag_id, self.airflow.client.trigger(dag_id, conf))

    def end_of(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Wait until a run has succeeded and return its report."""
        state = until(lambda: self._ended(dag_id, run_id), f"{dag_id} {run_id} to end", within_s=120)
        assert state == "success", self.tried(dag_id, run_id)
        path = self.airflow.home / STORAGE / "runs" / dag_id / run_id / "report.json"
        report: dict[str, Any] = json.loads(path.read_text())
        return report

    def tried(self, dag_id: str, run_id: str) -> dict[str, tuple[str | None, int]]:
        """Return each task's state and number of tries."""
        return {
            task.label: (task.state, task.try_number) for task in self.airflow.client.task_instances(dag_id, run_id)
        }

    def kill_in_mid_load(self, dag_id: str, feed: str, find: Callable[[], list[psutil.Process]], *, rows: int) -> str:
        """Trigger a run, kill what ``find`` finds once ServiceNow has staged so many of its rows; return the run's id.

        That must happen before the load has ended, and the task's own process must not outlive it.
        """
        before = self.staged(feed)
        run_id = self.airflow.client.trigger(dag_id)
        until(
            lambda: self.staged(feed) >= before + rows or self._ended(dag_id, run_id),
            f"{run_id} to send {rows} rows",
            within_s=90,
        )
        assert not self._ended(dag_id, run_id), self.tried(dag_id, run_id)
        task = self.task()
        for process in find():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        assert self.tried(dag_id, run_id)[f"load.{feed}"] == ("running", 1), "the load ended before it could be killed"
        until(lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE, "the task to end", within_s=5)
        return run_id

    def staged(self, feed: str) -> int:
        """Return how many rows of a feed ServiceNow has ever staged."""
        counters = requests.get(f"{self.sandbox.servicenow_url}/_sandbox/counters", timeout=10).json()
        return int(counters["staged_rows"].get(f"{STAGING}{feed}", 0))

    def slow_down(self, row_time_s: float) -> None:
        """Let every row's transform take so long."""
        switches = {"transform_row_time_s": row_time_s}
        requests.patch(f"{self.sandbox.servicenow_url}/_sandbox/switches", json=switches, timeout=10).raise_for_status()

    def change(self, **counts: int) -> None:
        """Change the fleet."""
        requests.post(f"{self.sandbox.iru_url}/_sandbox/fleet/change", json=counts, timeout=60).raise_for_status()

    def fleet(self) -> IruFleet:
        """Read what Iru holds."""
        return read_fleet(self.sandbox.iru_url, self.sandbox.iru_token)

    def compare(self, before: IruFleet) -> Findings:
        """Compare ServiceNow with Iru over both public APIs; an app or a computer that exists twice is a difference."""
        after = self.fleet()
        box = self.sandbox
        account = SignIn(
            username=box.username, password=box.password, client_id=box.client_id, client_secret=box.client_secret
        )
        return compare(after, read_tables(box.servicenow_url, account), removed_apps(before, after))

    def scheduler(self) -> psutil.Process:
        """Return the scheduler's process."""
        return psutil.Process(self.airflow.process_id("scheduler"))

    def worker(self) -> psutil.Process:
        """Return the executor's process that is at work on a task: the one that has a child."""
        [busy] = [worker for worker in self.scheduler().children() if worker.children()]
        return busy

    def task(self) -> psutil.Process:
        """Return the process of the task that is under way."""
        [task] = self.worker().children()
        return task

    def _ended(self, dag_id: str, run_id: str) -> str:
        self.airflow.check()
        state = self.airflow.client.run_state(dag_id, run_id)
        return state if state in ("success", "failed") else ""


@contextmanager
def stage(home: Path, *options: str) -> Iterator[Stage]:
    """Start a sandbox with ``options`` and an Airflow that soon notices what has died."""
    with (
        running_sandbox(options, log_path=home / "sandbox.log") as sandbox,
        LocalAirflow(home / "airflow", environment=sandbox.connections() | _QUICK, isolated=True) as airflow,
    ):
        for dag_id in ("iru_devices", "iru_apps"):
            airflow.client.unpause(dag_id)
        yield Stage(sandbox, airflow)


def until(look: Callable[[], T], what: str, *, within_s: float) -> T:
    """Look again and again until there is something to see; fails after ``within_s``."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s for {what}"
        time.sleep(0.05)
    return seen
