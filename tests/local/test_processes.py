"""What we start never outlives us."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARENT = """
import os, sys, time
from include.local import processes
with processes.exit_on_signals(), open(sys.argv[1], "wb") as log:
    child = processes.start(["sh", "-c", "sleep 600 & exec sleep 600"], environment=dict(os.environ), log=log)
    try:
        print(child.pid, flush=True)
        time.sleep(600)
    finally:
        processes.stop([child], grace_s=5)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@dataclass
class Family:
    """A parent that started a child, which started a grandchild."""

    parent: subprocess.Popen[str]
    child: int

    def members(self) -> set[int]:
        """Return who of child and grandchild lives: all processes of the child's session."""
        return {int(entry.name) for entry in Path("/proc").iterdir() if _lives_in(entry, self.child)}


def _lives_in(entry: Path, session: int) -> bool:
    try:
        state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and os.getsid(int(entry.name)) == session
    except (OSError, ValueError):
        return False


def _eventually(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """Start a family, and end whoever of it is left."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout
    started = Family(parent, int(parent.stdout.readline()))
    assert _eventually(lambda: len(started.members()) == 2)
    yield started
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for member in started.members():
        os.kill(member, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_whole_family(family: Family, number: signal.Signals) -> None:
    """Ctrl-C, a polite kill and a closed terminal end the child and the grandchild too."""
    family.parent.send_signal(number)
    family.parent.wait()
    assert family.members() == set()


def test_a_killed_parent_takes_its_child_along(family: Family) -> None:
    """Even kill -9, which allows no clean-up, does not leave the started process behind."""
    family.parent.kill()
    assert _eventually(lambda: family.child not in family.members())
