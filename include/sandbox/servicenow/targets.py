"""The target records of one block of rows: found with one question, inserted with one statement, where it is the same.

It is for a map with one key that is compared without case; for any other each row asks and inserts for itself.
"""

from collections.abc import Iterable, Mapping
from string import ascii_lowercase, ascii_uppercase

from include.sandbox.servicenow import coalesce
from include.sandbox.servicenow.store import Record, Store, quote
from include.sandbox.servicenow.transform_maps import TransformMap

_WITHOUT_CASE = str.maketrans(ascii_uppercase, ascii_lowercase)
"""SQLite's NOCASE knows the letters of ASCII only."""


class Targets:
    """Finds and writes target records; what was inserted reaches the database with ``flush``."""

    def __init__(self, store: Store, each: TransformMap) -> None:
        self._store, self._map = store, each
        keys = [field for field in each.fields if field.coalesce]
        own = store.schema.find(each.target_table)
        refers_to_itself = own and any(column.reference == own.name for column in own.columns.values())
        simple = own and len(keys) == 1 and not keys[0].case_sensitive and not refers_to_itself
        self._key = keys[0].target if simple else ""
        self._known: dict[str, Record] = {}
        self._asked: set[str] = set()
        self._waiting: list[Record] = []

    def look_up(self, values: Iterable[Mapping[str, str]]) -> None:
        """Find the records of several rows at once."""
        if not self._key:
            return
        wanted = sorted({each.get(self._key, "") for each in values})
        if not wanted:
            return
        self._asked |= {_fold(key) for key in wanted}
        sql = (
            f"SELECT * FROM {quote(self._map.target_table)}"  # noqa: S608 - names from the schema
            f" WHERE {quote(self._key)} IN ({', '.join('?' * len(wanted))}) ORDER BY rowid"
        )
        for row in self._store.database.rows(sql, wanted):
            self._known.setdefault(_fold(row[self._key]), dict(row))

    def find(self, values: Mapping[str, str]) -> Record | None:
        """Return the first record that a row's key matches."""
        key = _fold(values.get(self._key, ""))
        if self._key and key in self._asked:
            return self._known.get(key)
        self.flush()
        return coalesce.find_target(self._store, self._map, values)

    def insert(self, values: Mapping[str, str]) -> Record:
        """Insert a record, at the latest with ``flush``."""
        if not self._key:
            return self._store.insert(self._map.target_table, values)
        record = self._store.complete(self._map.target_table, values)
        self._waiting.append(record)
        self._known.setdefault(_fold(record[self._key]), record)
        return record

    def update(self, found: Record, changes: Mapping[str, str]) -> None:
        """Change a record that was found."""
        self.flush()
        self._store.update(self._map.target_table, found["sys_id"], changes)
        found.update(changes)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        self._store.insert_complete(self._map.target_table, waiting)


def _fold(key: str) -> str:
    return key.lower() if key.isascii() else key.translate(_WITHOUT_CASE)
