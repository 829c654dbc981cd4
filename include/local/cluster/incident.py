"""The incident of the cluster demo: a worker dies in mid-load, and the other one brings the load to its end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import requests
from upath import UPath

from include.local.cluster.airflow import ClusterAirflow
from include.local.demo import Stage, id_of_run
from include.local.rest import TaskInstance

DAG_ID, TURN = "iru_apps", 1
"""The run in which it happens: the one that sends most."""

_LOADS = "load."
_BEGUN, _VERDICTS = ".begun.json", ".verdicts.parquet"
_SLOW_PICKUP_S, _PICKUP = 5.0, "transform_pickup_delay_s"
_MANY = 10
"""More rows than a canary has, the few that go ahead of the others."""
_TIMEOUT_S = 30


@dataclass(slots=True)
class Incident:
    """Waits for a load under way and kills the worker that runs it, once."""

    stage: Stage
    airflow: ClusterAirflow
    storage: UPath
    victim: str = ""
    task: TaskInstance | None = None
    begun_rows: int = 0
    _pickup_s: float = field(default=0.0)

    def prepare(self) -> None:
        """Have ServiceNow take its time with transforms, as a real one does, so that a load lasts."""
        self._pickup_s = self._switch(_SLOW_PICKUP_S)

    def look(self, tasks: Sequence[TaskInstance]) -> None:
        """Kill the worker of a load that has sent rows whose verdicts are not known yet."""
        if self.victim:
            return
        workers = self.airflow.workers
        loads = [task for task in tasks if task.task_id.startswith(_LOADS) and task.state == "running"]
        task = next((task for task in loads if task.hostname in workers), None)
        rows = _rows_in_flight(self.storage / "runs" / DAG_ID / id_of_run(TURN)) if task else 0
        if task is None or not rows:
            return
        self.victim, self.task, self.begun_rows = task.hostname, task, rows
        pid = self.airflow.kill_worker(self.victim)
        self._switch(self._pickup_s)
        self.stage.console.print(
            f"   [bold]SIGKILL[/] to {self.victim} (process {pid} and its tasks) in {task.label}, with {rows} rows "
            "begun and no verdict yet",
            soft_wrap=True,
        )

    def clear_up(self) -> None:
        """Start the killed worker again."""
        self._switch(self._pickup_s)
        if self.victim:
            self.airflow.start_worker_again(self.victim)
            self.stage.console.print(f"   {self.victim} is back")

    def _switch(self, pickup_s: float) -> float:
        """Set how long transforms wait to be picked up; return what it was."""
        url = f"{self.stage.sandbox.servicenow_url}/_sandbox/switches"
        with requests.Session() as session:
            session.trust_env = False
            before = session.get(url, timeout=_TIMEOUT_S)
            before.raise_for_status()
            session.patch(url, json={_PICKUP: pickup_s}, timeout=_TIMEOUT_S).raise_for_status()
        return float(before.json()[_PICKUP])


def _rows_in_flight(run: UPath) -> int:
    """Return how many rows the run's receipts tell to be sent, or about to be, without a verdict; but for canaries."""
    names = set(run.fs.find(run.path))  # in one request, however many folders there are
    begun = [name for name in names if name.endswith(_BEGUN) and _verdicts_of(name) not in names]
    rows = [sum(last - first + 1 for first, last in json.loads(run.fs.cat_file(name))["rows"]) for name in begun]
    return sum(count for count in rows if count >= _MANY)


def _verdicts_of(name: str) -> str:
    return name.removesuffix(_BEGUN) + _VERDICTS
