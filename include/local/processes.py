"""Child processes that never outlive the command that started them."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from include.local.environment import PROJECT_ROOT

_PR_SET_PDEATHSIG = 1
_LAST_GRACE_S = 3.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def exit_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into ``SystemExit`` and SIGINT into ``KeyboardInterrupt``, so that clean-up runs.

    A shell's ``&`` makes its command ignore SIGINT, and children inherit that; restoring it here means that
    what we start can be interrupted too.
    """
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: _raise_exit,
        signal.SIGHUP: _raise_exit,
    }
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def insisting_interrupts(*, every_s: float = 0.5) -> Iterator[None]:
    """End the block with ``KeyboardInterrupt`` on SIGINT, SIGTERM or SIGHUP, interrupting it until it ends.

    Airflow takes an interrupt inside a task for a failure of that task, and would go on to a retry.
    """
    ended = threading.Event()
    insisting: list[threading.Thread] = []

    def insist() -> None:
        while not ended.wait(every_s):
            os.kill(os.getpid(), signal.SIGINT)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if ended.is_set():
            return
        if not insisting:
            insisting.append(threading.Thread(target=insist, daemon=True))
            insisting[0].start()
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        ended.set()
        for thread in insisting:
            thread.join()
        for number, handler in previous.items():
            signal.signal(number, handler)
    if insisting:
        raise KeyboardInterrupt


def _raise_exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore further signals while a stop is under way: a second Ctrl-C must not leave children behind."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: IO[bytes],
    stdout: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, so that Ctrl-C in the terminal reaches only us, who stop it.

    Both output streams go to ``log`` unless ``stdout`` says otherwise.
    """
    return subprocess.Popen(  # noqa: S603  # our own commands, without a shell
        command,
        cwd=PROJECT_ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=log if stdout is None else stdout,
        stderr=log,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # one system call, no lock
    )


def _die_with_parent() -> None:
    """Ask the kernel for SIGTERM when our parent dies without a chance to clean up (``kill -9``)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(children: Sequence[subprocess.Popen[bytes]], *, grace_s: float = 20.0) -> None:
    """End every child within ``grace_s`` of a SIGTERM, then whatever it started and left behind."""
    with _uninterrupted():
        sessions = {child.pid for child in children}
        for child in children:
            if child.poll() is None:
                child.terminate()
        _wait_for(lambda: all(child.poll() is not None for child in children), within_s=grace_s)
        for send in (psutil.Process.terminate, psutil.Process.kill):
            for process in _family(sessions):
                with contextlib.suppress(psutil.Error):  # it has gone by itself
                    send(process)
            _wait_for(lambda: not _family(sessions), within_s=_LAST_GRACE_S)
        for child in children:
            child.wait()


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a child with all that it started, at once and without a word, as a failing machine would."""
    while family := _family({child.pid}):
        for process in family:
            with contextlib.suppress(psutil.Error):  # it has gone by itself
                process.kill()
    child.wait()


def _wait_for(condition: Callable[[], bool], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _family(sessions: set[int]) -> set[psutil.Process]:
    """Return the living processes of ``sessions``, children in process groups of their own included."""
    return {process for process in psutil.process_iter() if _session_of(process) in sessions}


def _session_of(process: psutil.Process) -> int | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return os.getsid(process.pid)
    except (psutil.Error, ProcessLookupError, PermissionError):
        return None


def tail(path: Path, lines: int = 20) -> str:
    """Return the last ``lines`` of a log, for an error message."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
