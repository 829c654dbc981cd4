"""The ledger's database as a reader: never written, never migrated, no question longer than it may take.

A SQLite file in rollback-journal mode keeps a writer from committing while somebody reads, so every answer is fetched
whole and the file is let go at once. Sources: SQLite, "File Locking And Concurrency", "URI Filenames", "Query Progress
Callbacks"; PostgreSQL, "Client Connection Defaults".
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from include.errors import SetupWrong, StorageFailed
from include.insight.errors import NoLedger, OtherForm, TooSlow
from include.inventory.ledger_tables import Pair
from include.inventory.migrate import HEAD, VERSION_TABLE

BUDGET_S = 2.0
"""What the questions of one request may take together."""

Question = sa.Select[*tuple[Any, ...]]

_STEPS = 5000  # of SQLite's machine between two looks at the clock: some tens of microseconds
_CACHE_KIB = 32_768
_CONNECT_S = 3
_NO_LEDGER = (
    "Nothing has been synchronised yet: there is no ledger. Trigger the DAG iru_devices, or wait for its schedule."
)
_OLDER = "The ledger has the form {} of an older release; the next run brings it to {}. Trigger the DAG iru_devices."
_NEWER = "The ledger has the form {} of a newer release; this one knows {}. Update the API server's installation too."
_SLOW = "The ledger took too long to answer. Narrow the filter, or try again when no run is being settled."
_HOT = "The ledger's last writer was killed in the middle of it; the next run mends that. Trigger the DAG iru_devices."
_NAME_SQLITE = "sqlite"


class Reader:
    """Asks about one pair; a ``with`` block lets go of the database.

    Raises NoLedger, OtherForm, TooSlow, SetupWrong where the address makes no sense, else StorageFailed.
    """

    def __init__(self, url: str, pair: Pair, *, budget_s: float = BUDGET_S) -> None:
        self.pair = pair
        self._url = url
        self._until_s = time.monotonic() + budget_s
        self._budget_s = budget_s
        self._open: sa.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def is_sqlite(self) -> bool:
        """Say whether the ledger is a SQLite file."""
        return make_url(self._url).get_backend_name() == _NAME_SQLITE

    def renew(self) -> None:
        """Give the next questions their full time: a download asks many, each of them short."""
        self._until_s = time.monotonic() + self._budget_s

    def check(self) -> None:
        """Raise as a question does where there is no ledger of this release."""
        with _failures(self._url):
            self._connection()

    def rows(self, question: Question) -> Sequence[Any]:
        """Return all rows of an answer."""
        with _failures(self._url):
            connection = self._connection()
            if time.monotonic() > self._until_s:
                raise TooSlow(_SLOW)
            return connection.execute(question).all()

    def row(self, question: Question) -> Any:
        """Return the first row of an answer; None where there is none."""
        return next(iter(self.rows(question)), None)

    def number(self, question: Question) -> int:
        """Return the one number of an answer, 0 for null."""
        found = self.row(question)
        return int(found[0] or 0) if found else 0

    def of(self, table: sa.Table, **values: Any) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that choose the pair's rows of a table."""
        asked = {"source": self.pair.source, "target": self.pair.target} | values
        return [table.c[name] == value for name, value in asked.items()]

    def by(self, question: Question, table: sa.Table, index: str) -> Question:
        """Return a question that SQLite answers by an index; it keeps no statistics from which it would know."""
        return question.with_hint(table, f"INDEXED BY {index}", _NAME_SQLITE)

    def _connection(self) -> sa.Connection:
        if self._open is None:
            self._open = _engine(self._url).connect()
            if self.is_sqlite:
                self._watch_clock(self._open)
            _check_form(self._url, self._open)
        return self._open

    def _watch_clock(self, connection: sa.Connection) -> None:
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: int(time.monotonic() > self._until_s), _STEPS)


@lru_cache(maxsize=32)
def _engine(url: str) -> sa.Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == _NAME_SQLITE:
        path = Path(parsed.database or "")
        return sa.create_engine(
            "sqlite://", creator=lambda: _open_file(path), poolclass=sa.NullPool, hide_parameters=True
        )
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        pool_size=4,
        max_overflow=8,
        pool_timeout=BUDGET_S,
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_S},
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _bound)
    return engine


def _open_file(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUDGET_S, check_same_thread=False
    )
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def _bound(connection: Any, _: object) -> None:
    """Let PostgreSQL itself refuse to write and to take long, whatever is asked."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        cursor.execute(f"SET statement_timeout = {int(BUDGET_S * 1000)}")
    connection.commit()


_KNOWN_FORMS: set[str] = set()
"""Servers whose ledger has this release's form; a file may be replaced by another, so it is asked each time."""


def _check_form(url: str, connection: sa.Connection) -> None:
    if url in _KNOWN_FORMS:
        return
    form = None
    if sa.inspect(connection).has_table(VERSION_TABLE):
        form = connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalar()
    if form is None:
        raise NoLedger(_NO_LEDGER)
    if form != HEAD:
        raise OtherForm((_OLDER if form < HEAD else _NEWER).format(form, HEAD))
    if connection.dialect.name != _NAME_SQLITE:
        _KNOWN_FORMS.add(url)


@contextmanager
def _failures(url: str) -> Iterator[None]:
    """Tell in our own words why there is no answer; what the driver says may hold a path, a host or a value."""
    try:
        yield
    except ImportError as error:
        raise SetupWrong(
            f"The ledger's database needs a driver that the API server does not have ({error.name}): install it there "
            "too, for PostgreSQL pip install 'psycopg[binary]'."
        ) from None
    except sa.exc.ArgumentError:
        raise SetupWrong("IRU_SERVICENOW_LEDGER is no database URL; correct it.") from None
    except sa.exc.TimeoutError:  # of the pool
        raise TooSlow(_SLOW) from None
    except sa.exc.DBAPIError as error:
        raise _told(url, error) from None


def _told(url: str, error: sa.exc.DBAPIError) -> StorageFailed:
    words, kind = str(error.orig).lower(), type(error.orig).__name__
    if "interrupted" in words or kind == "QueryCanceled":
        return TooSlow(_SLOW)
    if "locked" in words or kind == "LockNotAvailable":
        return TooSlow("A run is writing the ledger right now. Try again in a moment.")
    if "unable to open" in words:
        path = Path(make_url(url).database or "")
        return StorageFailed(_HOT) if path.exists() else NoLedger(_NO_LEDGER)
    if "readonly" in words:
        return StorageFailed(_HOT)
    return StorageFailed(
        f"The ledger cannot be read ({kind}). Check that the API server reaches what IRU_SERVICENOW_LEDGER names, and "
        "may read it."
    )
