"""The DAGs on a cluster: two workers share the work, and the death of one of them costs nothing but time."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
MARK = "CLUSTER_DEMO_OF_TEST"
LIMIT_S = 1500


def _demo(mark: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "include.local.cluster.demo", "--devices", "30", "--apps-per-device", "5"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), MARK: mark}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )


def _of_workers(shown: str, row: str) -> list[int]:
    """Return a row's numbers in the table of workers, one a worker."""
    found = re.search(rf"^\s+{row}\s+([\d,]+)\s+([\d,]+)\s*$", shown, re.MULTILINE)
    assert found, shown
    return [int(number.replace(",", "")) for number in found.groups()]


def _left_behind(mark: str) -> list[str]:
    """Return the processes that carry a demo's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(LIMIT_S + 60)
def test_a_killed_worker_costs_no_row() -> None:
    """Both workers carry work, a load whose worker was killed ends on the other one, and both sides end up equal."""
    mark = uuid.uuid4().hex
    ended = _demo(mark)
    shown = ended.stdout
    assert ended.returncode == 0, shown + ended.stderr
    assert "differences: 0" in shown
    assert "Iru and ServiceNow agree: 0 differences" in shown
    killed = re.search(r"SIGKILL to (worker-[12])", shown)
    assert killed, shown
    other = {"worker-1": "worker-2", "worker-2": "worker-1"}[killed[1]]
    tries = re.search(r"tries: (worker-[12]) \((\w+)\), .*?(worker-[12]) \(success\); ([1-9]\d*) rows", shown)
    assert tries, shown
    assert (tries[1], tries[3]) == (killed[1], other)
    assert tries[2] != "success"
    assert f"{killed[1]} is back" in shown
    assert min(_of_workers(shown, "tasks")) > 0
    assert sum(_of_workers(shown, "rows sent")) > 200, "150 apps, and 30 devices in two tables"
    assert _left_behind(mark) == []
