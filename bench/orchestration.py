"""Orchestration: a run on a real Airflow (scheduler, LocalExecutor) against the same work as a plain script."""

import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.busy import busy_sandbox
from bench.flow import Flow
from include.iru.client import IruSettings
from include.local.airflow import LocalAirflow
from include.local.sandbox import Sandbox, running_sandbox
from include.servicenow.settings import read_settings

REPEATS = 3
MOST_TASKS, MOST_SECONDS = 8, 10.0
_DAG = "iru_devices"
_QUIET = {
    "IRU_SERVICENOW_APPS_SCHEDULE": "none",
    "IRU_SERVICENOW_DEVICES_SCHEDULE": "none",
    "IRU_SERVICENOW_RECONCILE_SCHEDULE": "none",
}


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Resend a twentieth of ``devices`` by turns on Airflow and as a script; one run of each ahead warms both up."""
    fleet = max(10, devices // 20)
    options = ("--devices", str(fleet), "--apps-per-device", "0", "--seed", "7")
    with tempfile.TemporaryDirectory(prefix="bench-orchestration-") as root:
        home = Path(root)
        with running_sandbox(options, log_path=home / "sandbox.log") as box:
            environment = box.connections() | _QUIET
            with LocalAirflow(home / "airflow", environment=environment, isolated=True) as airflow:
                airflow.client.unpause(_DAG)
                with busy_sandbox() as busy:
                    pairs = [
                        (_on_airflow(airflow), _as_script(box, home, turn)) for turn in range(1 + min(REPEATS, seeds))
                    ]
    runs = pairs[1:]
    extra = statistics.median(run["seconds"] - script for run, script in runs)
    tasks = max(run["tasks"] for run, _ in runs)
    return {
        "devices": fleet,
        "airflow_s": [round(run["seconds"], 2) for run, _ in runs],
        "script_s": [round(script, 2) for _, script in runs],
        "tasks": tasks,
        "extra_s": round(extra, 2),
        "sandbox_busy": busy.share,
        "passed": tasks <= MOST_TASKS and extra <= MOST_SECONDS,
    }


def table(results: Mapping[str, Any]) -> Iterable[str]:
    """Yield what came out."""
    yield f"{results['devices']:,} devices sent whole: {results['tasks']} tasks"
    yield f"Airflow {results['airflow_s']} s, script {results['script_s']} s: {results['extra_s']} s more"
    yield f"the sandbox was busy for {results['sandbox_busy']:.0%} of the time"


def _on_airflow(airflow: LocalAirflow) -> dict[str, Any]:
    run_id = airflow.client.trigger(_DAG, {"full_resend": True})
    while airflow.client.run_state(_DAG, run_id) not in ("success", "failed"):
        time.sleep(0.2)
    run = airflow.client.call("GET", f"/dags/{_DAG}/dagRuns/{run_id}")
    if run["state"] != "success":
        raise RuntimeError("The run on Airflow failed; its tasks' logs say why.")
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("queued_at", "end_date"))
    return {"seconds": (ended - begun).total_seconds(), "tasks": len(airflow.client.task_instances(_DAG, run_id))}


def _as_script(box: Sandbox, home: Path, turn: int) -> float:
    extra = {"client_id": box.client_id, "client_secret": box.client_secret}
    servicenow = read_settings(
        "bench", host=box.servicenow_url, port=None, login=box.username, password=box.password, scheme=None, extra=extra
    )
    flow = Flow(home / "script", IruSettings(box.iru_url, box.iru_token), servicenow)
    begun_s = time.perf_counter()
    report = flow.run("devices", f"script-{turn}", full_resend=True)
    if report.failed:
        raise RuntimeError(f"The script failed: {report.failed}")
    return time.perf_counter() - begun_s
