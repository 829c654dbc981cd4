"""Start the sandbox of both APIs as a process, and the Airflow connections that point at it."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.local import processes
from include.local.environment import python_environment


class SandboxFailedError(RuntimeError):
    """The sandbox ended, or stayed silent, instead of printing where it listens."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where both servers listen, and the credentials that they accept."""

    iru_url: str
    iru_token: str
    servicenow_url: str
    client_id: str
    client_secret: str
    username: str
    password: str

    def connections(self) -> dict[str, str]:
        """Return ``AIRFLOW_CONN_…`` variables for ``iru_default`` and ``servicenow_default``."""
        iru = {"conn_type": "iru", "host": self.iru_url, "password": self.iru_token}
        servicenow = {
            "conn_type": "servicenow",
            "host": self.servicenow_url,
            "login": self.username,
            "password": self.password,
            "extra": {
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "grant_type": "password",
                "column_keys": "label",
            },
        }
        return {
            "AIRFLOW_CONN_IRU_DEFAULT": json.dumps(iru),
            "AIRFLOW_CONN_SERVICENOW_DEFAULT": json.dumps(servicenow),
        }


@contextlib.contextmanager
def running_sandbox(options: Sequence[str], *, log_path: Path, ready_within_s: float = 120.0) -> Iterator[Sandbox]:
    """Run ``python -m include.sandbox serve`` with ``options`` and yield it once both servers listen.

    Raises:
        SandboxFailedError: it ended, or printed nothing within ``ready_within_s``.
    """
    command = [sys.executable, "-m", "include.sandbox", "serve", *options]
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        child = processes.start(command, environment=python_environment(), log=log, stdout=subprocess.PIPE)
        try:
            yield _parse(_first_line(child, log_path, ready_within_s))
        finally:
            processes.stop([child], grace_s=10)


def _first_line(child: subprocess.Popen[bytes], log_path: Path, within_s: float) -> bytes:
    lines: list[bytes] = []
    reader = threading.Thread(target=_read_lines, args=(child, lines), daemon=True)
    reader.start()
    waited = threading.Event()
    for _ in range(int(within_s / 0.05)):
        if lines:
            return lines[0]
        if child.poll() is not None:
            break
        waited.wait(0.05)
    raise SandboxFailedError(f"The sandbox did not start. Its log, {log_path}, ends:\n{processes.tail(log_path)}")


def _read_lines(child: subprocess.Popen[bytes], lines: list[bytes]) -> None:
    """Keep reading to the end, so that the sandbox never blocks on a full pipe."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip():
            lines.append(line)


def _parse(line: bytes) -> Sandbox:
    said: Mapping[str, Any] = json.loads(line)
    iru, servicenow = said["iru"], said["servicenow"]
    return Sandbox(
        iru_url=iru["url"],
        iru_token=iru["token"],
        servicenow_url=servicenow["url"],
        client_id=servicenow["client_id"],
        client_secret=servicenow["client_secret"],
        username=servicenow["username"],
        password=servicenow["password"],
    )
