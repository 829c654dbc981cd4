"""Insert or replace many rows of a table: as fast as each database takes them.

SQLite takes prepared statements, PostgreSQL a COPY into a table of the transaction's own and one INSERT from there.
Sources: SQLite, "UPSERT"; PostgreSQL, "Populating a Database".
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

T = TypeVar("T")

_BATCH_ROWS = 5000


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield values in lists of some size; the last one may be shorter."""
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch


class BeforeReplacing(Protocol):
    """What is done with the rows that are about to be replaced, within the same transaction."""

    def of_batch(self, connection: sa.Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Do it where some rows are about to be written (SQLite)."""

    def of_table(self, connection: sa.Connection, passing: str) -> None:
        """Do it where the rows of a table of the transaction's own are about to be written (PostgreSQL)."""


def write_rows(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    keep_if_null: Sequence[str] = (),
    before: BeforeReplacing | None = None,
) -> None:
    """Insert rows, or replace those with the same primary key, within the connection's transaction.

    ``names`` are the columns in the order of the rows' values. A null in one of ``keep_if_null`` leaves what is there.
    ``before`` sees to what is about to be replaced.
    """
    if connection.dialect.name == "postgresql":
        passing = _copy(connection, table, names, rows)
        if before:
            before.of_table(connection, passing)
        _take_over(connection, table, names, passing, keep_if_null)
        return
    values = ", ".join("?" for _ in names)
    statement = f"{_insert(table, names)} VALUES ({values}) {_replace(table, names, keep_if_null)}"
    for batch in batched(rows, _BATCH_ROWS):
        if before:
            before.of_batch(connection, batch)
        connection.exec_driver_sql(statement, [tuple(row) for row in batch])


def _copy(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Bring the rows into a table of the transaction's own, and return its name."""
    passing = f"passing_{table.name}"
    columns = ", ".join(map(_quoted, names))
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {passing} (LIKE {table.name} INCLUDING DEFAULTS) ON COMMIT DROP"
    )
    cursor: Any = connection.connection.cursor()
    with _sqlalchemys_errors(connection), cursor.copy(f"COPY {passing} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    return passing


@contextmanager
def _sqlalchemys_errors(connection: sa.Connection) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy's own, as all other statements do, without the row that they quote."""
    base: Any = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        plain = type(error)(error.diag.message_primary or type(error).__name__)
        raised: Any = sa.exc.DBAPIError.instance("COPY", None, plain, base, hide_parameters=True)
        raise raised from None


def _take_over(
    connection: sa.Connection, table: sa.Table, names: Sequence[str], passing: str, keep_if_null: Sequence[str]
) -> None:
    columns = ", ".join(map(_quoted, names))
    # Rows of one key in one order: two writers never wait for each other's in turn.
    keys = ", ".join(_quoted(column.name) for column in table.primary_key)
    chosen = f"SELECT {columns} FROM {passing} ORDER BY {keys}"  # noqa: S608 - our own names
    connection.exec_driver_sql(f"{_insert(table, names)} {chosen} {_replace(table, names, keep_if_null)}")
    connection.exec_driver_sql(f"DROP TABLE {passing}")


def _insert(table: sa.Table, names: Sequence[str]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))})"


def _replace(table: sa.Table, names: Sequence[str], keep_if_null: Sequence[str]) -> str:
    keys = [column.name for column in table.primary_key]
    changed = ", ".join(f"{_quoted(name)} = {_new(table, name, keep_if_null)}" for name in names if name not in keys)
    return f"ON CONFLICT ({', '.join(map(_quoted, keys))}) DO UPDATE SET {changed}"


def _new(table: sa.Table, name: str, keep_if_null: Sequence[str]) -> str:
    new = f"excluded.{_quoted(name)}"
    return f"COALESCE({new}, {table.name}.{_quoted(name)})" if name in keep_if_null else new


def _quoted(name: str) -> str:
    return f'"{name}"'
