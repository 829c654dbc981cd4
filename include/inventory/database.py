"""The ledger's database: opened, its tables brought up to date, its failures told in our own words.

SQLite keeps its default rollback journal instead of a write-ahead log: a run writes once, in one short transaction, so
that there is nothing to gain from readers beside a writer, while the ledger stays one file that may be copied, and that
may lie on a network file system (WAL needs shared memory). A kill in mid-transaction leaves a journal that the next
opening rolls back. Source: SQLite, "Write-Ahead Logging" and "Atomic Commit In SQLite".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from include.errors import SetupWrong, StorageFailed
from include.inventory.migrate import migrate

WAIT_S = 60.0
"""How long SQLite waits for another run's commit before the database counts as locked."""

_FAILURES = (
    ("locked", "is locked by another process, longer than we wait for it. Trying again later is safe"),
    ("full", "cannot grow: its disk is full. Make room and run again"),
    ("i/o error", "cannot be read or written: its disk is full or failing. Make room and run again"),
    ("readonly", "may not be written: check the file's owner and permissions"),
    ("malformed", "is damaged. Restore a copy or delete it, which costs one full resend and never correctness"),
    ("not a database", "is damaged. Restore a copy or delete it, which costs one full resend and never correctness"),
)


def pair_columns() -> list[sa.Column[Any]]:
    """Return the columns with which every table's key begins: which tenant and which instance a row belongs to."""
    return [
        sa.Column("source", sa.String(200), primary_key=True, comment="base URL of the Iru tenant"),
        sa.Column("target", sa.String(200), primary_key=True, comment="base URL of the ServiceNow instance"),
    ]


def open_database(url: str, *, wait_s: float = WAIT_S) -> sa.Engine:
    """Open a database with all tables in their present form; a new SQLite file may be read by its owner only.

    Raises SetupWrong when it cannot be opened, StorageFailed when it can but does not work now.
    """
    try:
        parsed = _with_driver(make_url(url))
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database and parsed.database != ":memory:":
            _make_file(Path(parsed.database))
        # Parameters hold names and e-mails, which must not get into a traceback.
        engine = sa.create_engine(parsed, connect_args=_connect_args(parsed, wait_s), hide_parameters=True)
        with storage_failures(only_known=is_sqlite):
            migrate(engine)
    except ImportError as error:
        raise SetupWrong(
            f"The ledger's database needs a driver that is not installed ({error.name}). PostgreSQL is reached by "
            "psycopg, whatever driver IRU_SERVICENOW_LEDGER names: pip install 'psycopg[binary]'. "
            f"It is now {_without_password(url)}."
        ) from error
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise SetupWrong(
            f"The ledger's database cannot be opened ({type(error).__name__}). Check IRU_SERVICENOW_LEDGER "
            f"(now {_without_password(url)})."
        ) from error
    return engine


@contextmanager
def storage_failures(*, only_known: bool = False) -> Iterator[None]:
    """Turn a failing disk, lock or server into StorageFailed; ``only_known`` leaves others as they are.

    Whatever was being written is rolled back by then: it is in the database as a whole or not at all.
    """
    try:
        yield
    except sa.exc.DatabaseError as error:
        if type(error) not in (sa.exc.OperationalError, sa.exc.DatabaseError):
            raise  # a mistake in what is written, not in where
        words = str(error.orig).lower()
        said = next((what for sign, what in _FAILURES if sign in words), "")
        if not said and only_known:
            raise
        said = said or f"does not answer ({type(error.orig).__name__}): check its server and IRU_SERVICENOW_LEDGER"
        raise StorageFailed(f"The ledger {said}. Nothing of what was being written is in it.") from error


def _make_file(path: Path) -> None:
    """Make a new database's file and folder for their owner alone; what is there already keeps its permissions."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def _with_driver(url: sa.URL) -> sa.URL:
    """Reach PostgreSQL by psycopg, whatever driver the address names: bulk writes need its COPY."""
    is_postgresql = url.get_backend_name() in ("postgresql", "postgres")
    return url.set(drivername="postgresql+psycopg") if is_postgresql else url


def _connect_args(url: sa.URL, wait_s: float) -> dict[str, Any]:
    """Let SQLite wait for another run's commit instead of failing at once."""
    return {"timeout": wait_s} if url.get_backend_name() == "sqlite" else {}


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "not a database URL"
