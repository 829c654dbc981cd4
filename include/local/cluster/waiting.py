"""Start a server, wait until it answers, and stop it when the block ends."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from include.local import processes

READY_WITHIN_S = 60.0


class ServerFailedError(RuntimeError):
    """A server ended or stayed silent instead of answering; the message ends with its log."""


@contextmanager
def running_server(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log_path: Path,
    is_ready: Callable[[], bool],
    stop_signal: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server and yield its process once it is ready; ``stop_signal`` goes to it before SIGTERM does.

    Raises:
        ServerFailedError: it ended, or was not ready in time.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        child = processes.start(command, environment=environment, log=log)
        try:
            _wait(name, child, is_ready, log_path)
            yield child
        finally:
            if stop_signal is not None and child.poll() is None:
                child.send_signal(stop_signal)
            processes.stop([child], grace_s=10)


def _wait(name: str, child: subprocess.Popen[bytes], is_ready: Callable[[], bool], log_path: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not is_ready():
        if child.poll() is not None or time.monotonic() > deadline:
            raise ServerFailedError(f"{name} did not start. Its log, {log_path}, ends:\n{processes.tail(log_path)}")
        time.sleep(0.1)


def answers(port: int) -> bool:
    """Say whether something on 127.0.0.1 takes connections at ``port``."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
