"""What ServiceNow is known to hold: one entry per feed and key, written only after ServiceNow confirmed it.

Losing the ledger costs one full resend, never correctness. SQLite by default, PostgreSQL at scale. A device's rows have
a digest together, so that an unchanged device costs one comparison and not one for each of its apps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd
import sqlalchemy as sa

from include.inventory.bulk_write import batched, write_rows
from include.inventory.database import WAIT_S, open_database, storage_failures
from include.inventory.history import KeepReplaced
from include.inventory.ledger_tables import COLUMNS, DEVICES, MISSES, ROWS, Entry, Pair, device_digest, to_frame
from include.inventory.orders import Orders

__all__ = ["Entry", "Held", "Ledger", "Pair"]

_ASKED = 1000  # values in one question; SQLite takes 32,766
_SIZES = ("freelist_count", "page_count")
_FREE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Held:
    """What ServiceNow holds of one device: how many rows, and a digest over them; "" where each has to be compared."""

    digest: str
    rows: int


class Ledger:
    """The table of entries of one pair; SetupWrong when the database cannot be opened, StorageFailed when it fails."""

    def __init__(self, url: str, pair: Pair, *, wait_s: float = WAIT_S) -> None:
        self._pair = pair
        self._engine = open_database(url, wait_s=wait_s)

    @property
    def engine(self) -> sa.Engine:
        """The database, for those who keep something of the same pair beside the entries."""
        return self._engine

    @property
    def pair(self) -> Pair:
        """The pair whose entries these are."""
        return self._pair

    @property
    def orders(self) -> Orders:
        """What people have ordered for single rows of the pair."""
        return Orders.on(self._engine, self._pair)

    def read(self, feed: str) -> pd.DataFrame:
        """Return all of a feed's entries, one row each, with the columns of ``Entry``."""
        return self._read(feed)

    def read_keys(self, feed: str, keys: Iterable[str]) -> pd.DataFrame:
        """Return the entries of some keys."""
        return self._read_some(feed, ROWS.c.key, keys)

    def read_devices(self, feed: str, devices: Iterable[str]) -> pd.DataFrame:
        """Return the entries of some devices."""
        return self._read_some(feed, ROWS.c.device, devices)

    def read_deviceless(self, feed: str) -> pd.DataFrame:
        """Return the entries of which nobody has told yet to which device they belong."""
        return self._read(feed, ROWS.c.device.is_(None))

    def devices(self, feed: str) -> dict[str, Held]:
        """Return what is held of every device of a feed."""
        asked = sa.select(DEVICES.c.device, DEVICES.c.digest, DEVICES.c.rows).where(*self._of(feed, DEVICES))
        with storage_failures(), self._engine.connect() as connection:
            return {device: Held(digest or "", rows) for device, digest, rows in connection.execute(asked)}

    def count_active(self, feed: str) -> int:
        """Return how many rows of a feed ServiceNow holds as active."""
        counted = sa.select(sa.func.count()).select_from(ROWS).where(*self._of(feed), *_HELD)
        with storage_failures(), self._engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def active_keys(self, feed: str) -> set[str]:
        """Return the keys of the rows that ServiceNow holds as active."""
        return self._keys(feed, *_HELD)

    def confirmed_keys(self, feed: str) -> set[str]:
        """Return the keys of the rows that ServiceNow has confirmed, be they removed since."""
        return self._keys(feed, ROWS.c.row_hash.is_not(None))

    def never_confirmed(self, feed: str) -> set[str]:
        """Return the keys of the rows that were sent and that ServiceNow has never confirmed."""
        return self._keys(feed, ROWS.c.row_hash.is_(None), ROWS.c.since.is_not(None))

    def forget(self, feed: str, keys: Iterable[str]) -> None:
        """Forget rows that ServiceNow has never confirmed; what it has confirmed stays."""
        with storage_failures(), self._engine.begin() as connection:
            for some in batched(keys, _ASKED):
                never = (*self._of(feed), ROWS.c.key.in_(some), ROWS.c.row_hash.is_(None))
                devices = set(connection.execute(sa.select(ROWS.c.device).where(*never)).scalars()) - {None}
                connection.execute(sa.delete(ROWS).where(*never))
                self._digest(connection, feed, devices)

    def has_confirmed(self, feed: str) -> bool:
        """Say whether ServiceNow has ever confirmed a row of a feed."""
        any_row = sa.select(ROWS.c.key).where(*self._of(feed), ROWS.c.row_hash.is_not(None)).limit(1)
        with storage_failures(), self._engine.connect() as connection:
            return connection.execute(any_row).first() is not None

    def write(self, feed: str, entries: Iterable[Entry]) -> None:
        """Insert or replace entries, all or none of them; one that names no device keeps the one that it had.

        A verdict of an earlier run that is replaced goes into the history.
        """
        own, names = tuple(self._values_of(feed).values()), (*self._values_of(feed), *COLUMNS)
        touched: set[str] = set()
        deviceless: list[str] = []

        def values() -> Iterator[tuple[object, ...]]:
            for entry in entries:
                if entry.device is None:
                    deviceless.append(entry.key)
                else:
                    touched.add(entry.device)
                yield (*own, *(getattr(entry, name) for name in COLUMNS))

        with storage_failures(), self._engine.begin() as connection:
            kept = KeepReplaced(own, names)
            write_rows(connection, ROWS, names, values(), keep_if_null=("device",), before=kept)
            for some in batched(deviceless, _ASKED):
                of = sa.select(ROWS.c.device).where(*self._of(feed), ROWS.c.key.in_(some), ROWS.c.device.is_not(None))
                touched.update(connection.execute(of.distinct()).scalars())
            self._digest(connection, feed, touched)

    def assign(self, feed: str, devices: Mapping[str, str]) -> None:
        """Tell to which device some entries belong, by key."""
        set_device = sa.update(ROWS).where(*self._of(feed), ROWS.c.key == sa.bindparam("of_key"))
        values = [{"of_key": key, "device": device} for key, device in devices.items()]
        with storage_failures(), self._engine.begin() as connection:
            if values:
                connection.execute(set_device.values(device=sa.bindparam("device")), values)
            self._digest(connection, feed, set(devices.values()))

    def miss(self, feed: str, keys: Sequence[str], *, run: str) -> dict[str, int]:
        """Count the run among those that missed some keys, and return how many have, by key; each run counts once.

        Keys that are not named are no longer missed. A run without a name is not kept, only added to the answer.
        """
        mine = self._of(feed, MISSES)
        with storage_failures(), self._engine.begin() as connection:
            found = connection.execute(sa.select(MISSES.c.key, MISSES.c.runs, MISSES.c.last_run).where(*mine))
            before = {key: (runs, last_run) for key, runs, last_run in found}
            counted = {key: _count_run(before.get(key, (0, "")), run) for key in keys}
            if run:
                connection.execute(sa.delete(MISSES).where(*mine))
                rows = [{**self._values_of(feed), "key": k, "runs": n, "last_run": run} for k, n in counted.items()]
                if rows:
                    connection.execute(sa.insert(MISSES), rows)
        return counted

    def prune(self, *, removed_before: str) -> int:
        """Forget rows whose removal was confirmed before a time (UTC), and return how many; one that comes back is new.

        A SQLite file of which a quarter is free by then is made smaller.
        """
        old = [ROWS.c.source == self._pair.source, ROWS.c.target == self._pair.target, ~ROWS.c.active]
        gone = sa.delete(ROWS).where(*old, ROWS.c.attempts == 0, ROWS.c.confirmed_at < removed_before)
        with storage_failures(), self._engine.begin() as connection:
            pruned = int(connection.execute(gone).rowcount)
        if pruned and self._engine.dialect.name == "sqlite":
            self._make_smaller()
        return pruned

    def _make_smaller(self) -> None:
        with storage_failures(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            free, pages = (connection.exec_driver_sql(f"PRAGMA {what}").scalar_one() for what in _SIZES)
            if free > pages * _FREE_SHARE:
                connection.exec_driver_sql("VACUUM")

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _read(self, feed: str, *conditions: sa.ColumnElement[bool]) -> pd.DataFrame:
        asked = sa.select(*(ROWS.c[name] for name in COLUMNS)).where(*self._of(feed), *conditions)
        with storage_failures(), self._engine.connect() as connection:
            return to_frame(connection.execute(asked))

    def _read_some(self, feed: str, column: sa.Column[str], values: Iterable[str]) -> pd.DataFrame:
        asked = sa.select(*(ROWS.c[name] for name in COLUMNS)).where(*self._of(feed))
        with storage_failures(), self._engine.connect() as connection:
            questions = (asked.where(column.in_(some)) for some in batched(values, _ASKED))
            return to_frame(row for question in questions for row in connection.execute(question))

    def _keys(self, feed: str, *conditions: sa.ColumnElement[bool]) -> set[str]:
        asked = sa.select(ROWS.c.key).where(*self._of(feed), *conditions)
        with storage_failures(), self._engine.connect() as connection:
            return set(connection.execute(asked).scalars())

    def _digest(self, connection: sa.Connection, feed: str, devices: set[str]) -> None:
        """Bring the digests of some devices up to date with their rows."""
        names = (*self._values_of(feed), "device", "digest", "rows")
        own = tuple(self._values_of(feed).values())
        for some in batched(sorted(devices), _ASKED):
            found = connection.execute(self._rows_of(feed, some))
            held = {device: _held(list(rows)) for device, rows in groupby(found, key=lambda row: str(row.device))}
            told = ((*own, device, one.digest or None, one.rows) for device, one in held.items())
            write_rows(connection, DEVICES, names, told)

    def _rows_of(self, feed: str, devices: Sequence[str]) -> sa.Select[tuple[object, ...]]:
        names = ("device", "key", "row_hash", "active", "attempts", "tried_hash")
        asked = sa.select(*(ROWS.c[name] for name in names)).where(*self._of(feed), ROWS.c.device.in_(devices))
        return asked.order_by(ROWS.c.device)

    def _of(self, feed: str, table: sa.Table = ROWS) -> Sequence[sa.ColumnElement[bool]]:
        return [table.c[name] == value for name, value in self._values_of(feed).items()]

    def _values_of(self, feed: str) -> dict[str, str]:
        return {"source": self._pair.source, "target": self._pair.target, "feed": feed}


_HELD = (ROWS.c.active, ROWS.c.row_hash.is_not(None))
"""What makes a row one that ServiceNow holds as active."""


def _held(rows: Sequence[sa.Row[tuple[object, ...]]]) -> Held:
    """Return the digest of a device's rows; none while one of them was refused and may have to be sent again."""
    active = [(row.key, row.row_hash) for row in rows if row.active and row.row_hash]
    is_quiet = all(not row.attempts and (row.row_hash == row.tried_hash or not row.tried_hash) for row in rows)
    return Held(device_digest(active) if is_quiet else "", len(active))


def _count_run(before: tuple[int, str], run: str) -> int:
    runs, last_run = before
    return runs if run and run == last_run else runs + 1
