"""The demo is the first thing that a newcomer sees."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_ends_with_both_sides_equal() -> None:
    """A small demo on a real scheduler runs both flows twice and ends with 0 differences and exit status 0."""
    command = [sys.executable, "-m", "include.local.demo", "--devices", "25", "--apps-per-device", "6"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "differences: 0" in ended.stdout
    assert "Iru and ServiceNow agree: 0 differences" in ended.stdout
