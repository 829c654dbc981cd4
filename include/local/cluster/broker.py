"""A Redis server of one's own on 127.0.0.1, as Celery's broker, for as long as a ``with`` block lasts."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.local.airflow import free_port
from include.local.cluster.programs import Programs
from include.local.cluster.waiting import answers, running_server
from include.local.environment import python_environment


@contextmanager
def running_redis(programs: Programs, *, folder: Path, log_path: Path) -> Iterator[str]:
    """Run a server that keeps everything in memory and yield its address, which holds its password."""
    port, password = free_port(), secrets.token_urlsafe(16)
    settings = folder / "redis.conf"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}", 'save ""', "appendonly no", f"dir {folder}"]
    with os.fdopen(os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join([*lines, ""]))
    with running_server(
        "Redis",
        [programs.redis_server, str(settings)],
        environment=python_environment(),
        log_path=log_path,
        is_ready=lambda: answers(port),
    ):
        yield f"redis://:{password}@127.0.0.1:{port}/0"
