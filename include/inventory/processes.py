"""Tell whether the process that another one noted down is still at work, and do not outlive one's own parent."""

import ctypes
import os
import signal
import socket
import sys
from dataclasses import dataclass

import psutil

_PR_SET_PDEATHSIG = 1
_CLOCK_TOLERANCE_S = 2.0
"""A process's start is computed from the machine's boot time, which a corrected clock moves a little."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process: a number alone may have been given to another one since. ``started_s`` is in unix seconds."""

    host: str
    pid: int
    started_s: float

    def is_same(self, other: "Process") -> bool:
        """Say whether two notes are about one process."""
        same = (self.host, self.pid) == (other.host, other.pid)
        return same and abs(self.started_s - other.started_s) < _CLOCK_TOLERANCE_S


def this_process() -> Process:
    """Return the process that asks."""
    return Process(socket.gethostname(), os.getpid(), psutil.Process().create_time())


def is_alive(process: Process) -> bool:
    """Say whether a process of this host is still there."""
    try:
        found = psutil.Process(process.pid)
        began_with_it = abs(found.create_time() - process.started_s) < _CLOCK_TOLERANCE_S
        return began_with_it and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as its parent is dead; on other systems than Linux nothing happens.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
