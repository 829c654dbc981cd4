"""Bring a flow to its end in child processes, some of which are killed on the way."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos_child import RETRY, SPEC
from include.sandbox.serve import Sandbox

SAME_RUN_TRIES = 3
"""How often a run that failed is tried again under its own id, as Airflow's retries would, before a new run begins."""
NEW_RUNS = 5
LONGEST_S = 300.0
"""A process that takes longer hangs, which is a defect."""


@dataclass(slots=True)
class Course:
    """How a flow came to its end; ``at_work_s`` leaves out what processes take to start.

    ``failures`` are the reasons of the tries that failed, ``kills`` the moments at which a process was killed.
    """

    at_work_s: float = 0.0
    processes: int = 0
    runs: int = 1
    kills: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    ended: bool = False


def run_to_end(sandbox: Sandbox, root: Path, kill_at_s: Sequence[float] = ()) -> Course:
    """Run the device flow until a run succeeds, killing its process at each moment (in seconds at work, ascending)."""
    course, left, tries = Course(), list(kill_at_s), 0
    while not course.ended and course.runs <= NEW_RUNS:
        said = _run_process(sandbox, root, course, left[0] if left else None)
        if said is None:
            left.pop(0)
        elif not said:
            course.ended = True
        else:
            course.failures.append(said)
            tries += 1
            if tries % (1 + SAME_RUN_TRIES) == 0:
                course.runs += 1
    return course


def _run_process(sandbox: Sandbox, root: Path, course: Course, kill_at_s: float | None) -> str | None:
    """Run one process; return why its run failed, "" where it did not, None where it was killed."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "log.txt").open("a") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.chaos_child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=Path(__file__).parents[1],
        )  # fmt: skip
    course.processes += 1
    with child:
        try:
            _tell(child, sandbox, root, f"run-{course.runs}")
            since_s = time.monotonic()
            killed = _kill(child, LONGEST_S if kill_at_s is None else max(0.0, kill_at_s - course.at_work_s))
            course.at_work_s += time.monotonic() - since_s
        finally:
            child.kill()
        said = child.stdout.read() if child.stdout else ""
    if killed and kill_at_s is None:
        raise RuntimeError(f"A flow did not end within {LONGEST_S:.0f} s; see {root / 'log.txt'}")
    if killed:
        course.kills.append(round(course.at_work_s, 3))
        return None
    if child.returncode or not said:
        raise RuntimeError(f"A flow ended without a report, status {child.returncode}; see {root / 'log.txt'}")
    return str(json.loads(said))


def _tell(child: subprocess.Popen[str], sandbox: Sandbox, root: Path, run_id: str) -> None:
    """Tell a process what to do and wait until it begins."""
    asked: dict[str, Any] = {
        "root": str(root), "run_id": run_id, "iru": asdict(sandbox.iru), "servicenow": asdict(sandbox.servicenow),
        "spec": SPEC, "retry": RETRY,
    }  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    json.dump(asked, child.stdin)
    child.stdin.close()
    if child.stdout.readline() != "started\n":
        raise RuntimeError(f"A flow did not start; see {root / 'log.txt'}")


def _kill(child: subprocess.Popen[str], after_s: float) -> bool:
    """Kill a process after some seconds, and say whether it was still alive, so that the kill struck."""
    try:
        child.wait(after_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait() < 0
    return False
