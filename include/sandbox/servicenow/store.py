"""Records of every table in SQLite: one column a dictionary entry, all values text, empty is ''.

Columns collate without case, because ServiceNow compares strings so. Abstract tables are views over their children.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from secrets import token_hex
from typing import Any

from include.sandbox.common.clock import Clock
from include.sandbox.common.database import Database
from include.sandbox.servicenow.schema import Schema, Table

Record = dict[str, str]
SYSTEM_USER = "system"
"""Who imports run as, whoever sent the rows."""


def new_sys_id() -> str:
    """Return a fresh sys_id."""
    return token_hex(16)


@lru_cache(4096)
def quote(name: str) -> str:
    """Return an SQL identifier; some columns have names such as ``order`` and ``set``."""
    return '"' + name.replace('"', "") + '"'


def to_time(moment: datetime) -> str:
    """Return a moment as ServiceNow stores it: UTC, to the second."""
    return _stored_second(int(moment.timestamp() // 1))


@lru_cache(1024)
def _stored_second(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


class Store:
    """Reads and writes records; safe from any thread."""

    def __init__(self, database: Database, schema: Schema, clock: Clock) -> None:
        self.database = database
        self.schema = schema
        self.clock = clock
        self._listeners: dict[str, list[Callable[[str], None]]] = defaultdict(list)

    def now(self) -> str:
        """Return the present as a stored value."""
        return to_time(self.clock.now())

    def on_change(self, table: str, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with the sys_id after a record of ``table`` was written or deleted."""
        self._listeners[table].append(listener)

    def create_tables(self) -> None:
        """Create what is missing in the database."""
        with self.database.transaction():
            for table in self.schema.tables():
                if not table.abstract:
                    self.create_table(table)
            self.create_views()

    def create_table(self, table: Table) -> None:
        """Create one table, or the columns that it lacks."""
        columns = ", ".join(_definition(name) for name in table.columns)
        with self.database.transaction() as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {quote(table.name)} ({columns})")
            known = {row["name"] for row in connection.execute(f"PRAGMA table_info({quote(table.name)})")}
            for name in table.columns.keys() - known:
                connection.execute(f"ALTER TABLE {quote(table.name)} ADD COLUMN {_definition(name)}")
        if "sys_import_set" in table.columns:
            self.ensure_index(table.name, ["sys_import_set"])

    def create_views(self) -> None:
        """Make every abstract table show its children's rows."""
        with self.database.transaction() as connection:
            for table in self.schema.tables():
                if table.abstract:
                    columns = ", ".join(map(quote, table.columns))
                    children = [f"SELECT {columns} FROM {quote(c.name)}" for c in self.schema.children(table.name)]  # noqa: S608 - names from the schema
                    empty = f"SELECT {', '.join(_nothing(name) for name in table.columns)} WHERE 0"
                    connection.execute(f"DROP VIEW IF EXISTS {quote(table.name)}")
                    body = " UNION ALL ".join(children or [empty])
                    connection.execute(f"CREATE VIEW {quote(table.name)} AS {body}")

    def ensure_index(self, table: str, columns: Sequence[str]) -> None:
        """Index the columns that lookups go by."""
        found = self.schema.find(table)
        if found is None or found.abstract or not set(columns) <= set(found.columns):
            return
        name = quote(f"ix_{table}_{'_'.join(columns)}")
        with self.database.transaction() as connection:
            listed = ", ".join(map(quote, columns))
            connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {quote(table)} ({listed})")

    def insert(self, table: str, values: Mapping[str, str], *, by: str = SYSTEM_USER) -> Record:
        """Insert one record and return it whole; unknown names are dropped, long values cut to the column."""
        record = self._complete(self.schema[table], values, by)
        self._insert_all(table, [record])
        self._tell(table, record["sys_id"])
        return record

    def complete(self, table: str, values: Mapping[str, str], *, by: str = SYSTEM_USER) -> Record:
        """Return the record that ``insert`` would insert."""
        return self._complete(self.schema[table], values, by)

    def insert_complete(self, table: str, records: Sequence[Record]) -> None:
        """Insert records that are complete, in one statement."""
        self._insert_all(table, records)
        for record in records:
            self._tell(table, record["sys_id"])

    def insert_many(self, table: str, rows: Iterable[Mapping[str, str]], *, by: str = SYSTEM_USER) -> int:
        """Insert records in one statement and return how many."""
        records = [self._complete(self.schema[table], row, by) for row in rows]
        self._insert_all(table, records)
        return len(records)

    def update(self, table: str, sys_id: str, changes: Mapping[str, str], *, by: str = SYSTEM_USER) -> None:
        """Change a record's columns and its updated fields."""
        known = self._fit(self.schema[table], changes)
        known.pop("sys_id", None)
        if not known:
            return
        own = {"sys_updated_on": self.now(), "sys_updated_by": by}
        assignments = ", ".join(f"{quote(name)} = ?" for name in [*known, *own])
        sql = (
            f"UPDATE {quote(table)} SET {assignments}, sys_mod_count = CAST(sys_mod_count + 1 AS TEXT)"  # noqa: S608 - names from the schema
            " WHERE sys_id = ?"
        )
        with self.database.transaction() as connection:
            connection.execute(sql, [*known.values(), *own.values(), sys_id])
        self._tell(table, sys_id)

    def delete(self, table: str, sys_id: str) -> None:
        """Delete a record."""
        with self.database.transaction() as connection:
            connection.execute(f"DELETE FROM {quote(table)} WHERE sys_id = ?", (sys_id,))  # noqa: S608 - name from the schema
        self._tell(table, sys_id)

    def get(self, table: str, sys_id: str) -> Record | None:
        """Return a record by sys_id."""
        found = self.find(table, {"sys_id": sys_id})
        return found[0] if found else None

    def find(self, table: str, equals: Mapping[str, str], *, order: str = "") -> list[Record]:
        """Return the records whose columns equal the values, without case, oldest first or by a column."""
        where = " AND ".join(f"{quote(name)} = ?" for name in equals) or "1"
        by = f" ORDER BY {order}" if order else ""
        sql = f"SELECT * FROM {quote(table)} WHERE {where}{by}"  # noqa: S608 - names from the schema
        return [dict(row) for row in self.database.rows(sql, list(equals.values()))]

    def count(self, table: str) -> int:
        """Return the number of records."""
        return int(self.database.rows(f"SELECT count(*) FROM {quote(table)}")[0][0])  # noqa: S608 - name from the schema

    def display_values(self, table: str, sys_ids: Iterable[str]) -> dict[str, str]:
        """Return the display value of each sys_id that exists."""
        found = self.schema.find(table)
        wanted = sorted(set(sys_ids))
        if found is None or not wanted:
            return {}
        display = found.display or "sys_created_on"
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT sys_id, {quote(display)} FROM {quote(table)} WHERE sys_id IN ({marks})"  # noqa: S608 - names from the schema
        return {row[0]: row[1] for row in self.database.rows(sql, wanted)}

    def _insert_all(self, table: str, records: Sequence[Record]) -> None:
        if not records:
            return
        names = tuple(self.schema[table].columns)
        rows = [tuple(map(record.__getitem__, names)) for record in records]
        with self.database.transaction() as connection:
            connection.executemany(_insertion(table, names), rows)

    def _complete(self, table: Table, values: Mapping[str, str], by: str) -> Record:
        record = {name: column.default for name, column in table.columns.items()}
        record.update(self._fit(table, values))
        now = self.now()
        record["sys_id"] = record["sys_id"] or new_sys_id()
        record.update(sys_created_on=now, sys_updated_on=now, sys_created_by=by, sys_updated_by=by)
        record.update(sys_mod_count="0", sys_class_name=table.name)
        return record

    def _fit(self, table: Table, values: Mapping[str, str]) -> Record:
        columns = table.columns
        return {name: value[: columns[name].max_length] for name, value in values.items() if name in columns}

    def _tell(self, table: str, sys_id: str) -> None:
        for listener in self._listeners.get(table, ()):
            listener(sys_id)


class Counters:
    """Record numbers such as ISET0010001, one sequence a prefix."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS sandbox_numbers (prefix TEXT PRIMARY KEY, last INTEGER)")

    def next(self, prefix: str) -> str:
        """Return the next number."""
        sql = (
            "INSERT INTO sandbox_numbers VALUES (?, 10001)"
            " ON CONFLICT (prefix) DO UPDATE SET last = last + 1 RETURNING last"
        )
        with self._database.transaction() as connection:
            last: Any = connection.execute(sql, (prefix,)).fetchone()[0]
        return f"{prefix}{last:07d}"


@lru_cache
def _insertion(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {quote(table)} ({', '.join(map(quote, names))}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - names from the schema


def _definition(name: str) -> str:
    if name == "sys_id":
        return "sys_id TEXT PRIMARY KEY COLLATE NOCASE"
    return f"{quote(name)} TEXT NOT NULL DEFAULT '' COLLATE NOCASE"


def _nothing(name: str) -> str:
    return f"'' AS {quote(name)}"
