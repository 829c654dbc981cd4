"""A PostgreSQL server of one's own on 127.0.0.1, in a temporary folder, for as long as a ``with`` block lasts."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from include.local.airflow import free_port
from include.local.cluster.programs import Programs
from include.local.cluster.waiting import ServerFailedError, running_server

USER = "airflow"
_ACCOUNT = "postgres"
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",  # what is in it is thrown away with the machine, not only with the demo
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """Where the server listens, and the password of its only user."""

    port: int
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """Return SQLAlchemy's address of a database, with the driver: without one, 2.1 takes another than 2.0."""
        return f"postgresql+psycopg2://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database and return its address."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{database}"')
        engine.dispose()
        return self.url(database)

    def is_ready(self) -> bool:
        """Say whether the server lets its user in."""
        engine = sa.create_engine(self.url("postgres"), connect_args={"connect_timeout": 2}, hide_parameters=True)
        try:
            with engine.connect():
                return True
        except sa.exc.OperationalError:
            return False
        finally:
            engine.dispose()


@contextmanager
def running_postgres(programs: Programs, *, log_path: Path) -> Iterator[Postgres]:
    """Make a new database cluster in a temporary folder, run its server, and remove all of it at the end.

    PostgreSQL refuses to run as root; it then runs as the account that its package made, in a folder of its own.
    """
    server = Postgres(free_port(), secrets.token_urlsafe(16))
    folder = Path(tempfile.mkdtemp(prefix="iru-servicenow-postgres-"))
    try:
        _initialise(programs, folder, server.password)
        options = [f"-c{name}={value}" for name, value in _OPTIONS.items()]
        command = _as_account([programs.postgres, "-D", str(folder / "data"), "-p", str(server.port), *options])
        with running_server(
            "PostgreSQL",
            command,
            environment=_environment(folder),
            log_path=log_path,
            is_ready=server.is_ready,
            stop_signal=signal.SIGQUIT,  # at once: nobody will read what it would still write
        ):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(programs: Programs, folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if _is_root():
        for path in (folder, secret):
            shutil.chown(path, user=_ACCOUNT, group=_ACCOUNT)
    command = [programs.initdb, "-D", str(folder / "data"), "-U", USER, "-E", "UTF8", "--locale=C.UTF-8"]
    command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
    made = subprocess.run(  # noqa: S603 - our own list
        _as_account(command), env=_environment(folder), cwd=folder, capture_output=True, text=True, check=False
    )
    secret.unlink()
    if made.returncode:
        raise ServerFailedError(f"PostgreSQL's initdb failed: {made.stderr.strip()}")


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C.UTF-8"}


def _as_account(command: Sequence[str]) -> list[str]:
    """Return the command as PostgreSQL's account; it is shut down fast when its parent dies."""
    if not _is_root():
        return list(command)
    account = pwd.getpwnam(_ACCOUNT)
    user = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--pdeathsig=INT"]
    return ["setpriv", *user, *command]


def _is_root() -> bool:
    return os.geteuid() == 0
