"""The servers of the cluster demo: found, installed or asked for, private, and gone without a trace."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from rich.console import Console

from include.local import processes
from include.local.cluster import programs
from include.local.cluster.broker import running_redis
from include.local.cluster.postgres import running_postgres
from include.local.cluster.programs import ProgramsMissingError, ensure_programs
from include.local.cluster.waiting import ServerFailedError, answers, running_server
from include.local.environment import python_environment


def test_what_is_missing_is_asked_for_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not root learns what to install, and nothing is tried."""
    monkeypatch.setattr(programs, "_find", lambda _: None)
    monkeypatch.setattr(programs.os, "geteuid", lambda: 1000)
    with pytest.raises(ProgramsMissingError, match=r"as root, apt-get install redis-server postgresql\.$"):
        ensure_programs(Console(quiet=True))


def test_a_failed_installation_ends_with_what_the_installer_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network, root learns why, and what to install by hand; only what is missing is asked for."""
    asked: list[list[str]] = []

    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 100, "", "E: Unable to fetch some archives")

    monkeypatch.setattr(programs, "_find", lambda name: None if name == "redis-server" else f"bin/{name}")
    monkeypatch.setattr(programs.os, "geteuid", lambda: 0)
    monkeypatch.setattr(programs.shutil, "which", lambda name: f"bin/{name}")
    monkeypatch.setattr(programs.subprocess, "run", fail)
    with pytest.raises(ProgramsMissingError, match=r"(?s)install redis-server\..*Unable to fetch"):
        ensure_programs(Console(quiet=True))
    assert asked[-1][-1] == "redis-server"
    assert "postgresql" not in asked[-1]


def test_servers_listen_on_loopback_ask_for_a_password_and_leave_nothing(tmp_path: Path) -> None:
    """Nobody else gets in, no password is in a command line, and everything ends with the block."""
    import redis

    found = ensure_programs(Console(quiet=True))
    with (
        running_postgres(found, log_path=tmp_path / "postgres.log") as postgres,
        running_redis(found, folder=tmp_path / "redis", log_path=tmp_path / "redis.log") as broker,
    ):
        port = int(broker.rpartition(":")[2].partition("/")[0])
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=port).ping()
        assert redis.Redis.from_url(broker).ping()
        wrong = postgres.url("postgres").replace(postgres.password, "wrong")
        with pytest.raises(sa.exc.OperationalError, match="password authentication failed"):
            sa.create_engine(wrong).connect()
        listening = [
            c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port in (port, postgres.port)
        ]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        shown = " ".join(
            " ".join(process.cmdline())
            for process in psutil.process_iter()
            if process.pid in {c.pid for c in listening}
        )
        assert postgres.password not in shown
        assert broker.split("@")[0].rpartition(":")[2] not in shown
        folder = next(word for word in shown.split() if "iru-servicenow-postgres-" in word)
        assert Path(folder).parent.exists()
    assert not Path(folder).parent.exists()
    assert not answers(port)
    assert not answers(postgres.port)


def test_a_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    """A newcomer sees why a server did not start instead of waiting for it."""
    command = [sys.executable, "-c", "print('port is taken'); raise SystemExit(1)"]
    failing = running_server(
        "The S3 server", command, environment=python_environment(), log_path=tmp_path / "a.log", is_ready=lambda: False
    )
    with pytest.raises(ServerFailedError, match=r"(?s)The S3 server did not start.*port is taken"), failing:
        pass


def test_a_killed_worker_takes_its_tasks_with_it(tmp_path: Path) -> None:
    """The demo's incident is the death of a machine: a task's process in a group of its own dies too."""
    code = (
        "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE, "
        "process_group=0); print(c.pid, flush=True); c.wait()"
    )
    log_path = tmp_path / "worker.log"
    with log_path.open("wb") as log:
        child = processes.start([sys.executable, "-c", code], environment=python_environment(), log=log)
    while not log_path.read_text().strip():
        assert child.poll() is None
    task = psutil.Process(int(log_path.read_text()))
    processes.kill(child)
    assert child.returncode == -9
    assert not task.is_running() or task.status() == psutil.STATUS_ZOMBIE
