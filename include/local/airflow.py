"""A real Airflow on this machine, for as long as a ``with`` block lasts.

``airflow standalone`` would do nearly the same; its components are started one by one here, because standalone
leaves them running when it gets SIGTERM, and because its log servers listen on every network interface.
"""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from include.local import processes
from include.local.environment import airflow_environment, isolated_environment
from include.local.rest import AirflowClient

USERNAME = "admin"
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}


class AirflowFailedError(RuntimeError):
    """Airflow did not start, or one of its components ended; the message ends with its log."""


class LocalAirflow:
    """API server with UI, scheduler, DAG processor and triggerer on 127.0.0.1, stopped when the block ends."""

    def __init__(
        self,
        home: Path,
        *,
        environment: Mapping[str, str] | None = None,
        isolated: bool = False,
        port: int = 0,
        ready_within_s: float = 120.0,
    ) -> None:
        """Prepare, but start nothing.

        ``environment`` is added to the processes' own, which is the caller's, or nothing of its Airflow settings
        when ``isolated``. Port 0 takes a free one.
        """
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.username = USERNAME
        self.log_folder = home / "logs" / "local"
        self._base = isolated_environment(home) if isolated else airflow_environment(home)
        self._extra = dict(environment or {})
        self._ready_within_s = ready_within_s
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        """Start every component and wait until all of them report to be healthy."""
        self.log_folder.mkdir(parents=True, exist_ok=True)
        self.password = self._password()
        try:
            self._migrate()
            for name, arguments in self.components.items():
                self._children[name] = self._start(name, arguments)
            self.client = AirflowClient(self.url, username=self.username, password=self.password)
            self._wait_until_healthy()
            self.client.sign_in()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        self.client.close()
        self.stop()

    def stop(self) -> None:
        """Stop every component and whatever it started; calling it again does nothing."""
        processes.stop(list(self._children.values()))
        self._children.clear()
        for log in self._logs:
            log.close()

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """The processes that make up this Airflow, each with its arguments of the ``airflow`` command."""
        return COMPONENTS

    def process_id(self, component: str) -> int:
        """Return the process id of a component, one of ``components``."""
        return self._children[component].pid

    def restart(self, component: str) -> None:
        """Stop a component where it still runs, with all that it started, and start it again."""
        processes.stop([self._children[component]])
        self._children[component] = self._start(component, self.components[component], again=True)

    def check(self) -> None:
        """Raise ``AirflowFailedError`` when a component has ended."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise AirflowFailedError(self._failure(f"Airflow's {name} ended ({child.returncode})", name))

    def _migrate(self) -> None:
        """Create or upgrade Airflow's database before the components race to do it."""
        child = self._start("database", ("db", "migrate"))
        self._children["database"] = child
        code = child.wait()
        del self._children["database"]
        if code:
            raise AirflowFailedError(self._failure("Airflow's database could not be prepared", "database"))

    def _start(self, name: str, arguments: tuple[str, ...], *, again: bool = False) -> subprocess.Popen[bytes]:
        log = self._log_path(name).open("ab" if again else "wb")
        self._logs.append(log)
        command = [sys.executable, "-m", "airflow", *arguments]
        return processes.start(command, environment=self._environment(name), log=log)

    def _environment(self, _component: str) -> dict[str, str]:
        """Return the environment of a component's process.

        The address must be set whole: with the port alone, tasks look for the API server on 8080.
        """
        address = {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_path),
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return self._base | {"AIRFLOW_HOME": str(self.home)} | address | self._extra

    @property
    def _passwords_path(self) -> Path:
        return self.home / "passwords.json"

    def _password(self) -> str:
        """Return the password of the only user; it is made once per home and readable by its owner only."""
        path = self._passwords_path
        with contextlib.suppress(OSError, ValueError, KeyError):
            return str(json.loads(path.read_text())[USERNAME])
        password = secrets.token_urlsafe(12)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({USERNAME: password}, file)
        return password

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + self._ready_within_s
        while True:
            health = self.client.health()
            if health and all(status == "healthy" for status in health.values()):
                return
            self.check()
            if time.monotonic() > deadline:
                late = ", ".join(sorted(n for n, status in health.items() if status != "healthy"))
                raise AirflowFailedError(self._failure(f"Airflow is not ready, waiting for {late}", "scheduler"))
            time.sleep(0.3)

    def _log_path(self, name: str) -> Path:
        return self.log_folder / f"{name}.log"

    def _failure(self, what: str, name: str) -> str:
        path = self._log_path(name)
        return f"{what}. Its log, {path}, ends:\n{processes.tail(path)}"


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Say whether nobody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
