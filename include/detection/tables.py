"""What change detection remembers, in the ledger's database: by pair of tenant and instance."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from include.inventory.database import WAIT_S, open_database, pair_columns
from include.inventory.ledger_tables import Pair

_metadata = sa.MetaData()


STATE = sa.Table(
    "watch_state",
    _metadata,
    *pair_columns(),
    sa.Column("holder", sa.String(100), nullable=False, comment="the watcher that is at work"),
    sa.Column("held_until_s", sa.Float, nullable=False, comment="unix seconds; then another watcher may go on"),
    sa.Column("audit", sa.Text, nullable=False, comment="JSON: position in Iru's audit log"),
    sa.Column("swept_at_s", sa.Float, comment="start of the last whole sweep, by Iru's clock; null before the first"),
    sa.Column("fired_at_s", sa.Float, comment="a run was asked for then and has not begun; null when none was"),
    sa.Column("hold_until_s", sa.Float, nullable=False, comment="no run is asked for before, after runs that failed"),
    sa.Column("given_back", sa.Integer, nullable=False, comment="runs in a row that failed"),
)

DEVICES = sa.Table(
    "watch_devices",
    _metadata,
    *pair_columns(),
    sa.Column("device_id", sa.String(64), primary_key=True),
    sa.Column("fingerprint", sa.String(32), nullable=False, comment="of the fields that the mapping reads"),
    sa.Column("misses", sa.Integer, nullable=False, comment="sweeps in a row that did not list it"),
)

PENDING = sa.Table(
    "watch_pending",
    _metadata,
    *pair_columns(),
    sa.Column("device_id", sa.String(64), primary_key=True),
    sa.Column("seen_at_s", sa.Float, nullable=False, comment="when the change was noticed, unix seconds"),
    sa.Column("claimed_by", sa.String(250), nullable=False, comment="the run that carries it; empty: none yet"),
)

BATCH = 500
"""Device ids in one statement; SQLite takes 999 parameters in its older versions."""


class WatchTables:
    """The three tables of one pair; SetupWrong when the database cannot be opened, StorageFailed when it fails."""

    def __init__(self, url: str, pair: Pair, *, wait_s: float = WAIT_S) -> None:
        self.pair = {"source": pair.source, "target": pair.target}
        self.engine = open_database(url, wait_s=wait_s)

    def of(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that choose the pair's rows of a table."""
        return [table.c[name] == value for name, value in self.pair.items()]

    def state(self, connection: sa.Connection) -> sa.RowMapping | None:
        """Return the pair's state; None before anything was remembered."""
        return connection.execute(sa.select(STATE).where(*self.of(STATE))).mappings().first()

    def set_state(self, connection: sa.Connection, **values: Any) -> None:
        """Change the pair's state, made where it is not there yet."""
        changed = connection.execute(sa.update(STATE).where(*self.of(STATE)).values(**values)).rowcount
        if not changed:
            fresh = {"holder": "", "held_until_s": 0.0, "audit": "{}", "hold_until_s": 0.0, "given_back": 0}
            connection.execute(sa.insert(STATE).values(**self.pair, **(fresh | values)))


def batches(ids: Sequence[str]) -> list[Sequence[str]]:
    """Return device ids in the portions that one statement takes."""
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
