"""What ServiceNow is known to hold: one entry per feed and key, written only after ServiceNow confirmed it.

Losing the ledger costs one full resend, never correctness. SQLite by default, PostgreSQL at scale; both know
INSERT … ON CONFLICT.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.inventory.database import WAIT_S, open_database, pair_columns, storage_failures, upsert

_BATCH_ROWS = 5000
_metadata = sa.MetaData()

_misses = sa.Table(
    "ledger_misses",
    _metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("runs", sa.Integer, nullable=False, comment="whole runs in a row that did not list it"),
    sa.Column("last_run", sa.Text, nullable=False, comment="the folder of the last of them"),
)

_rows = sa.Table(
    "ledger_rows",
    _metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True, comment="key columns, case folded"),
    sa.Column("row_hash", sa.String(32), comment="of the payload that ServiceNow confirmed; null when it never did"),
    sa.Column("payload", sa.Text, comment="JSON of the staging columns that ServiceNow confirmed"),
    sa.Column("active", sa.Boolean, nullable=False, comment="false once the removal was confirmed"),
    sa.Column("verdict", sa.String(20), nullable=False, comment="of the last attempt"),
    sa.Column("message", sa.Text, nullable=False, comment="ServiceNow's own words about the last attempt"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="in a row without a confirmation"),
    sa.Column("import_set", sa.String(40), nullable=False),
    sa.Column("run_id", sa.String(250), nullable=False, comment="of the last attempt"),
    sa.Column("tried_at", sa.String(19), nullable=False, comment="UTC"),
    sa.Column("confirmed_at", sa.String(19), comment="UTC; null when never"),
    sa.Column("tried_hash", sa.String(32), comment="of the payload of the last attempt; null in older entries"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The tenant and the instance that an entry belongs to, by base URL."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one row; ``row_hash`` and ``payload`` are those that ServiceNow confirmed last."""

    key: str
    row_hash: str | None
    payload: str | None
    active: bool
    verdict: str
    message: str
    attempts: int
    import_set: str
    run_id: str
    tried_at: str
    confirmed_at: str | None
    tried_hash: str | None = None


class Ledger:
    """The table of entries of one pair; SetupWrong when the database cannot be opened, StorageFailed when it fails."""

    def __init__(self, url: str, pair: Pair, *, wait_s: float = WAIT_S) -> None:
        self._pair = pair
        self._engine = open_database(url, _rows, _misses, wait_s=wait_s)

    def read(self, feed: str) -> pd.DataFrame:
        """Return a feed's entries, one row each, with the columns of ``Entry``."""
        columns = [_rows.c[name] for name in Entry.__dataclass_fields__]
        with storage_failures(), self._engine.connect() as connection:
            found = connection.execute(sa.select(*columns).where(*self._of(feed)))
            frame = pd.DataFrame(found.all(), columns=list(Entry.__dataclass_fields__))
        texts = dict.fromkeys(("key", "row_hash", "payload", "run_id", "tried_hash"), "str")
        return frame.astype(texts | {"active": "bool"})

    def has_confirmed(self, feed: str) -> bool:
        """Say whether ServiceNow has ever confirmed a row of a feed."""
        any_row = sa.select(_rows.c.key).where(*self._of(feed), _rows.c.row_hash.is_not(None)).limit(1)
        with storage_failures(), self._engine.connect() as connection:
            return connection.execute(any_row).first() is not None

    def write(self, feed: str, entries: Iterable[Entry]) -> None:
        """Insert or replace entries, all or none of them."""
        with storage_failures(), self._engine.begin() as connection:
            for batch in _batches(entries):
                connection.execute(upsert(self._engine, _rows), [self._values(feed, entry) for entry in batch])

    def miss(self, feed: str, keys: Sequence[str], *, run: str) -> dict[str, int]:
        """Count the run among those that missed some keys, and return how many have, by key; each run counts once.

        Keys that are not named are no longer missed. A run without a name is not kept, only added to the answer.
        """
        mine = self._of(feed, _misses)
        with storage_failures(), self._engine.begin() as connection:
            found = connection.execute(sa.select(_misses.c.key, _misses.c.runs, _misses.c.last_run).where(*mine))
            before = {key: (runs, last_run) for key, runs, last_run in found}
            counted = {key: _count_run(before.get(key, (0, "")), run) for key in keys}
            if run:
                connection.execute(sa.delete(_misses).where(*mine))
                rows = [{**self._values_of(feed), "key": k, "runs": n, "last_run": run} for k, n in counted.items()]
                if rows:
                    connection.execute(sa.insert(_misses), rows)
        return counted

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _of(self, feed: str, table: sa.Table = _rows) -> Sequence[sa.ColumnElement[bool]]:
        return [table.c[name] == value for name, value in self._values_of(feed).items()]

    def _values(self, feed: str, entry: Entry) -> dict[str, Any]:
        return self._values_of(feed) | asdict(entry)

    def _values_of(self, feed: str) -> dict[str, Any]:
        return {"source": self._pair.source, "target": self._pair.target, "feed": feed}


def _count_run(before: tuple[int, str], run: str) -> int:
    runs, last_run = before
    return runs if run and run == last_run else runs + 1


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    remaining = iter(entries)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        yield batch
