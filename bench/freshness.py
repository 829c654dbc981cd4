"""Freshness: from a change in Iru to the changed record in ServiceNow, on a real Airflow over the sandbox.

Changes come at random moments, several of them under way at a time: most take a device from its user, which the audit
log does not tell, some move it to another blueprint.
"""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from bench.busy import busy_sandbox
from include.local.airflow import LocalAirflow
from include.local.sandbox import Sandbox, running_sandbox
from include.servicenow.client import ServiceNowClient
from include.servicenow.settings import read_settings
from include.servicenow.table_api import iter_rows

CHANGES_PER_SEED = 5
MEAN_GAP_S = 5.0
GIVEN_UP_AFTER_S = 300.0
TARGETS_S = {1_000: (30.0, 60.0), 10_000: (None, 90.0)}
"""p50 and p95 by the size of the fleet, of the issue that asked for them."""

_DAG = "iru_devices"


@dataclass
class Change:
    """One change under way: what record shows that it has arrived."""

    table: str
    query: str
    made_s: float
    took_s: float | None = None


@dataclass
class Stage:
    """An Airflow that watches a sandbox."""

    sandbox: Sandbox
    airflow: LocalAirflow
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        box = self.sandbox
        extra = {"client_id": box.client_id, "client_secret": box.client_secret}
        self.snow = ServiceNowClient(
            read_settings("bench", host=box.servicenow_url, port=None, login=box.username, password=box.password,
                          scheme=None, extra=extra)
        )  # fmt: skip

    def iru(self, method: str, path: str, **options: Any) -> Any:
        """Send one request to Iru and return its JSON."""
        headers = {"Authorization": f"Bearer {self.sandbox.iru_token}"}
        url = f"{self.sandbox.iru_url}/api/v1/{path}"
        answer = requests.request(method, url, headers=headers, timeout=60, **options)
        answer.raise_for_status()
        return answer.json()

    def make(self, device: Mapping[str, Any], blueprints: list[str], *, move: bool) -> None:
        """Change one device."""
        serial, device_id = device["serial_number"], device["device_id"]
        if move:
            other = next(each for each in blueprints if each != device["blueprint_id"])
            change = Change("x_kandj_kandji_mdm", f"kandji_device_id={device_id}^kandji_blueprint_id={other}", 0.0)
            body: dict[str, Any] = {"blueprint_id": other}
        else:
            change = Change("cmdb_ci_computer", f"serial_number={serial}^assigned_toISEMPTY", 0.0)
            body = {"user": None}
        change.made_s = time.monotonic()
        self.iru("PATCH", f"devices/{device_id}", json=body)
        self.changes.append(change)

    def look(self) -> int:
        """Ask ServiceNow for the changes under way; return how many are."""
        waiting = [change for change in self.changes if change.took_s is None]
        for change in waiting:
            path, only = f"table/{change.table}", {"sysparm_fields": "sys_id", "sysparm_limit": 1}
            if self.snow.get(path, sysparm_query=change.query, **only)[0]["result"]:
                change.took_s = time.monotonic() - change.made_s
            elif time.monotonic() - change.made_s > GIVEN_UP_AFTER_S:
                raise RuntimeError(f"A change has not arrived after {GIVEN_UP_AFTER_S:.0f} s: {change.table}")
        return len([change for change in waiting if change.took_s is None])

    def assigned(self) -> set[str]:
        """Return the serial numbers of the computers that have a user in ServiceNow."""
        rows = iter_rows(
            self.snow, "cmdb_ci_computer", query="assigned_toISNOTEMPTY", fields=("sys_id", "serial_number")
        )
        return {row["serial_number"] for row in rows}

    def asked(self) -> dict[str, int]:
        """Return how often Iru was asked what."""
        url = f"{self.sandbox.iru_url}/_sandbox/counters"
        return dict(requests.get(url, timeout=30).json()["by_method_and_path"])

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs of the device flow."""
        found: list[dict[str, Any]] = self.airflow.client.call("GET", f"/dags/{_DAG}/dagRuns?limit=100")["dag_runs"]
        return found


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Start everything, let changes happen, and return how long they took, in seconds."""
    with tempfile.TemporaryDirectory(prefix="iru-freshness-") as folder:
        home = Path(folder)
        options = ("--devices", str(devices), "--apps-per-device", "0", "--seed", "7")
        quiet = {"IRU_SERVICENOW_APPS_SCHEDULE": "none", "IRU_SERVICENOW_DEVICES_SCHEDULE": "0 3 1 1 *"}
        with running_sandbox(options, log_path=home / "sandbox.log") as sandbox:
            environment = sandbox.connections() | quiet
            with LocalAirflow(home / "airflow", environment=environment, isolated=True) as airflow:
                return _measure(Stage(sandbox, airflow), devices, seeds * CHANGES_PER_SEED)


def table(measured: Mapping[str, Any]) -> Iterable[str]:
    """Say in lines what came out."""
    took, runs = measured["seconds"], measured["runs"]
    yield f"{measured['changes']} changes of {measured['devices']} devices: from Iru to ServiceNow in seconds"
    yield f"  p50 {took['p50']:.0f}  p95 {took['p95']:.0f} longest {took['longest']:.0f} (target: {measured['target']})"
    yield f"{runs['count']} runs of {runs['median_s']:.1f} s in the median, {runs['tasks_s']:.1f} s of them in tasks"
    yield f"from the event to the run's first task: {runs['queued_s']:.1f} s"
    yield f"Iru, idle for {measured['idle']['seconds']:.0f} s: {json.dumps(measured['idle']['requests'])}"
    yield f"the sandbox was busy for {measured['sandbox_busy']:.0%} of the time"


def _measure(stage: Stage, devices: int, count: int) -> dict[str, Any]:
    airflow = stage.airflow
    airflow.client.unpause(_DAG)
    first = airflow.client.trigger(_DAG)
    _until(lambda: airflow.client.run_state(_DAG, first) in ("success", "failed"), 900)
    _settle_down(stage)
    idle = _idle(stage)
    rows = [row for offset in range(0, devices, 300) for row in stage.iru("GET", f"devices?limit=300&offset={offset}")]
    draw = random.Random(1)  # noqa: S311 - reproducible, not cryptography
    with busy_sandbox() as busy:
        _change(stage, draw, rows, count)
    return _results(stage, devices, idle, first) | {"sandbox_busy": busy.share}


def _change(stage: Stage, draw: random.Random, rows: list[dict[str, Any]], count: int) -> None:
    """Let changes happen, and wait until each has arrived."""
    blueprints = sorted({row["blueprint_id"] for row in rows})
    known = stage.assigned()
    chosen = draw.sample([row for row in rows if row["serial_number"] in known], count)
    for number, device in enumerate(chosen):
        stage.make(device, blueprints, move=number % 5 == 4)
        until_s = time.monotonic() + draw.expovariate(1 / MEAN_GAP_S)
        while time.monotonic() < until_s:
            stage.look()
            time.sleep(0.3)
    while stage.look():
        time.sleep(0.3)


def _settle_down(stage: Stage) -> None:
    """Wait until no run is under way and the watcher has had its first sweep."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 25:
        if any(run["state"] in ("queued", "running") for run in stage.runs()):
            quiet_since = time.monotonic()
        time.sleep(1)


def _idle(stage: Stage, seconds: float = 60.0) -> dict[str, Any]:
    before = stage.asked()
    time.sleep(seconds)
    asked = {what: n - before.get(what, 0) for what, n in stage.asked().items() if n != before.get(what, 0)}
    return {"seconds": seconds, "requests": asked}


def _results(stage: Stage, devices: int, idle: Mapping[str, Any], first: str) -> dict[str, Any]:
    took = sorted(change.took_s or 0.0 for change in stage.changes)
    p50, p95 = statistics.median(took), took[max(0, round(0.95 * len(took)) - 1)]
    target50, target95 = TARGETS_S.get(devices, (None, None))
    runs = [run for run in stage.runs() if run["dag_run_id"] != first and run["run_type"] == "asset_triggered"]
    return {
        "devices": devices,
        "changes": len(took),
        "seconds": {"p50": round(p50, 1), "p95": round(p95, 1), "longest": round(took[-1], 1)},
        "all_seconds": [round(each, 1) for each in took],
        "target": f"p50 {target50 or '-'}, p95 {target95 or '-'}",
        "runs": _runs(stage, runs),
        "idle": idle,
        "passed": (target50 is None or p50 <= target50) and (target95 is None or p95 <= target95),
    }


def _runs(stage: Stage, runs: list[dict[str, Any]]) -> dict[str, Any]:
    lasted = [_at(run["end_date"]) - _at(run["start_date"]) for run in runs if run["end_date"]]
    queued, tasks = [], []
    for run in runs:
        path = f"/dags/{_DAG}/dagRuns/{run['dag_run_id']}/taskInstances"
        found = stage.airflow.client.call("GET", path)["task_instances"]
        tasks.append(sum(task["duration"] or 0.0 for task in found))
        queued.append(min(_at(task["start_date"]) for task in found if task["start_date"]) - _at(run["queued_at"]))
    return {
        "count": len(runs),
        "median_s": round(statistics.median(lasted), 1),
        "tasks_s": round(statistics.median(tasks), 1),
        "queued_s": round(statistics.median(queued), 1),
    }


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _until(done: Any, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {within_s:.0f} s in vain")
        time.sleep(0.5)
