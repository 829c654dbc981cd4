"""A run killed in mid-load and started again: nothing doubled, nothing lost."""

import os
import signal
import time
from pathlib import Path
from subprocess import Popen

import requests
from runs import access, run_dag, start_dag

from include.local.check import SignIn, compare, read_fleet, read_tables
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

APPS = "x_kandj_kandji_kandji_import_set_apps"


def test_a_killed_load_started_again_leaves_servicenow_equal_to_iru(tmp_path: Path) -> None:
    """SIGKILL between chunks, then normal runs: both sides agree, and no install or computer exists twice."""
    fleet = FleetSpec(devices=60, apps_per_device=50, seed=11)
    with Sandbox(SandboxSpec(fleet=fleet, switches={"servicenow.transform_row_time_s": 0.002})) as sandbox:
        servicenow = sandbox.servicenow
        account = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret,
                   "username": servicenow.username, "password": servicenow.password}  # fmt: skip
        connections = access(sandbox.iru.url, sandbox.iru.token, servicenow.url, **account)
        assert run_dag("iru_devices", connections, tmp_path).status == 0
        _kill_when_staged(start_dag("iru_apps", connections, tmp_path), servicenow.url, rows=1000)
        again = run_dag("iru_apps", connections, tmp_path)
        assert again.status == 0, again.output
        counts = again.counts("apps")
        assert sum(n for name, n in counts.items() if name != "extracted") == counts["extracted"]
        tables = read_tables(servicenow.url, SignIn(**account))
        found = compare(read_fleet(sandbox.iru.url, sandbox.iru.token), tables)
        assert found.agree, found.lines()
        unchanged = run_dag("iru_apps", connections, tmp_path)
        assert unchanged.report
        assert unchanged.report["requests"]["servicenow"] == 0


def _kill_when_staged(process: Popen[bytes], servicenow_url: str, *, rows: int) -> None:
    """Kill a run with all its processes once ServiceNow has staged some rows, which must be before it ends."""
    while process.poll() is None and _staged(servicenow_url) < rows:
        time.sleep(0.02)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _staged(servicenow_url: str) -> int:
    counters = requests.get(f"{servicenow_url}/_sandbox/counters", timeout=10).json()
    return int(counters["staged_rows"].get(APPS, 0))
