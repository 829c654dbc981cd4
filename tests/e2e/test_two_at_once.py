"""Two people start the same flow at the same moment."""

from pathlib import Path

import requests
from runs import access, run_dag, start_dag

from include.local.check import SignIn, compare, read_fleet, read_tables
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

_FEEDS = ("computer", "mdm")
_SLOW = {"servicenow.transform_row_time_s": 0.08}


def test_the_second_run_waits_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    """One of two runs is told which run it waits for; each row is staged once, and both sides agree."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=60, apps_per_device=1, seed=5), switches=_SLOW)) as sandbox:
        servicenow = sandbox.servicenow
        account = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret,
                   "username": servicenow.username, "password": servicenow.password}  # fmt: skip
        connections = access(sandbox.iru.url, sandbox.iru.token, servicenow.url, **account)
        planned = run_dag("iru_devices", connections, tmp_path, {"mode": "plan"})
        assert planned.report, planned.output
        both = [start_dag("iru_devices", connections, tmp_path, IRU_SERVICENOW_RETRY_DELAY_S="2") for _ in range(2)]
        outputs = [process.communicate(timeout=240)[0].decode() for process in both]
        waited = [output for output in outputs if "is under way" in output]
        assert len(waited) == 1, "\n\n".join(outputs)
        assert "Two runs at once could send the same rows twice" in waited[0]
        assert "waiting to try prepare again" in waited[0]
        assert 0 in [process.returncode for process in both]
        expected = {feed: planned.counts(feed)["held"] for feed in _FEEDS}
        assert {feed: _staged(servicenow.url, feed) for feed in _FEEDS} == expected
        found = compare(read_fleet(sandbox.iru.url, sandbox.iru.token), read_tables(servicenow.url, SignIn(**account)))
        assert [line for line in found.differences if line.table != "cmdb_sam_sw_install"] == []


def _staged(servicenow_url: str, feed: str) -> int:
    counters = requests.get(f"{servicenow_url}/_sandbox/counters", timeout=10).json()
    return int(counters["staged_rows"].get(f"x_kandj_kandji_kandji_import_set_{feed}", 0))
