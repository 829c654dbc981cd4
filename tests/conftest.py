"""One Airflow home for the whole test session, set before anything imports Airflow."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
_FOREIGN = ("AIRFLOW", "IRU_SERVICENOW_")

for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]  # the tests of a machine must not depend on whose machine it is

_HOME = tempfile.mkdtemp(prefix="airflow-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(_ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(_ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many cases the conformance matrix had."""
    ended = [
        report
        for kind in ("passed", "failed")
        for report in terminalreporter.stats.get(kind, [])
        if report.nodeid.startswith("tests/conformance/") and report.when == "call"
    ]
    if ended:
        wrong = sum(report.failed for report in ended)
        terminalreporter.write_line(f"conformance matrix: {len(ended)} cases, {wrong} wrong")
