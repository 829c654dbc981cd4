"""The verdicts that later ones replace in the ledger: kept for a while, so that a row's past can be looked up.

Whoever writes entries moves what they replace in the same transaction, many at a time. A first load replaces nothing.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from include.inventory.ledger_tables import ROWS, Pair
from include.inventory.sync_tables import HISTORY

_NAMES = [column.name for column in HISTORY.columns]
_KEPT = ", ".join(f'"{name}"' for name in _NAMES)
_OLD = ", ".join(f'old."{name}"' for name in _NAMES)
_MOVE = f"INSERT INTO {HISTORY.name} ({_KEPT}) SELECT {_OLD} FROM "  # noqa: S608 - our own names
_REPLACED = "old.run_id <> new.run_id AND old.verdict <> ''"

# SQLite keeps the order of a cross join: the few new rows look for the old ones.
_FROM_BATCH = f"(SELECT key, value AS run_id FROM json_each(?)) AS new CROSS JOIN {ROWS.name} AS old"  # noqa: S608
_SAME_ROW = 'old.source = ? AND old.target = ? AND old.feed = ? AND old."key" = new.key'
_ORDER = ", ".join(f'old."{column.name}"' for column in ROWS.primary_key)
# In one order, as write_rows does: two writers never wait for each other's rows in turn.
_IF_REPLACED = f" WHERE {_REPLACED} ORDER BY {_ORDER} ON CONFLICT DO NOTHING"


class KeepReplaced:
    """Moves the verdicts that are about to be replaced into the history; for ``write_rows``."""

    def __init__(self, own: Sequence[str], names: Sequence[str]) -> None:
        """``own``: source, target and feed; ``names``: the columns of the rows that are written."""
        self._own = tuple(own)
        self._key, self._run = names.index("key"), names.index("run_id")

    def of_batch(self, connection: sa.Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Move what some rows replace, on SQLite."""
        runs = json.dumps({str(row[self._key]): row[self._run] for row in rows})
        connection.exec_driver_sql(f"{_MOVE}{_FROM_BATCH} ON {_SAME_ROW}{_IF_REPLACED}", (runs, *self._own))

    def of_table(self, connection: sa.Connection, passing: str) -> None:
        """Move what the rows of a table replace, on PostgreSQL."""
        same = " AND ".join(f'old."{column.name}" = new."{column.name}"' for column in ROWS.primary_key)
        joined = f"{passing} AS new JOIN {ROWS.name} AS old ON {same}"
        connection.exec_driver_sql(f"{_MOVE}{joined}{_IF_REPLACED}")


def prune_history(engine: sa.Engine, pair: Pair, *, before: str) -> int:
    """Forget verdicts that are older than a time (UTC), and return how many."""
    of_pair = (HISTORY.c.source == pair.source, HISTORY.c.target == pair.target)
    with engine.begin() as connection:
        return int(connection.execute(sa.delete(HISTORY).where(*of_pair, HISTORY.c.tried_at < before)).rowcount)
