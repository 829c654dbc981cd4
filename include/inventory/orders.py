"""What people order for single rows: release, park or resend. The next plans go by it, and it is the audit trail.

A plan looks into the devices of rows that are to be sent again, although their digests say that nothing has changed;
placing an order leaves the digests alone, because a run under way would write them anew.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa

from include.errors import SetupWrong
from include.inventory.bulk_write import batched
from include.inventory.database import WAIT_S, open_database, storage_failures
from include.inventory.ledger_tables import ROWS, Pair
from include.inventory.sync_tables import ORDERS

RELEASE, PARK, RESEND = "release", "park", "resend"
ACTIONS = (RELEASE, PARK, RESEND)
OPEN, DONE, REPLACED = "open", "done", "replaced"

_ASKED = 1000
_LOCK = 7_114_270_302
"""Any number: what those wait for who place orders in one PostgreSQL database."""


@dataclass(frozen=True, slots=True)
class Order:
    """An open order for one row."""

    order_id: str
    action: str


class Orders:
    """The orders of one pair; SetupWrong when the database cannot be opened, StorageFailed when it fails."""

    def __init__(self, url: str, pair: Pair, *, wait_s: float = WAIT_S) -> None:
        self._engine, self._pair = open_database(url, wait_s=wait_s), pair

    @classmethod
    def on(cls, engine: sa.Engine, pair: Pair) -> "Orders":
        """Return the orders in a database that is open already."""
        orders = cls.__new__(cls)
        orders._engine, orders._pair = engine, pair
        return orders

    def place(self, feed: str, keys: Iterable[str], *, action: str, by: str, reason: str) -> int:
        """Order something for rows by their keys, and return for how many; an earlier open order is replaced.

        The release of a row that was not refused has done its work by ending a park. Raises SetupWrong for an action
        that there is not, or where a key is none of the feed's: then nothing is kept.
        """
        if action not in ACTIONS:
            raise SetupWrong(f"There is no order {action!r}; it must be one of: {', '.join(ACTIONS)}.")
        wanted = list(dict.fromkeys(keys))
        with storage_failures(), self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            refused: dict[str, bool] = {}
            for some in batched(wanted, _ASKED):
                of = (*self._of(ORDERS, feed), ORDERS.c.state == OPEN, ORDERS.c.key.in_(some))
                connection.execute(sa.update(ORDERS).where(*of).values(state=REPLACED))
                asked = sa.select(ROWS.c.key, ROWS.c.since).where(*self._of(ROWS, feed), ROWS.c.key.in_(some))
                refused |= {key: since is not None for key, since in connection.execute(asked)}
            if unknown := len(wanted) - len(refused):
                raise SetupWrong(f"{unknown} of {len(wanted)} rows are not in the ledger of feed {feed}; look again.")
            own = {"source": self._pair.source, "target": self._pair.target, "feed": feed}
            own |= {"action": action, "ordered_by": by, "ordered_at": _now(), "reason": reason}
            open_, done = {"state": OPEN, "done_at": None}, {"state": DONE, "done_at": _now()}
            stays = {key: action != RELEASE or refused[key] for key in wanted}
            rows = [{**own, **(open_ if stays[key] else done), "order_id": uuid4().hex, "key": key} for key in wanted]
            if rows:
                connection.execute(sa.insert(ORDERS), rows)
        return len(wanted)

    def open_orders(self, feed: str) -> dict[str, Order]:
        """Return what is ordered and not done yet, by key."""
        asked = sa.select(ORDERS.c.key, ORDERS.c.order_id, ORDERS.c.action).where(
            *self._of(ORDERS, feed), ORDERS.c.state == OPEN
        )
        with storage_failures(), self._engine.connect() as connection:
            found = connection.execute(asked.order_by(ORDERS.c.ordered_at, ORDERS.c.order_id))
            return {key: Order(order_id, action) for key, order_id, action in found}

    def carry_out(self, order_ids: Collection[str], run_id: str) -> int:
        """Note that a run has done what was ordered, and return how many orders were open until now."""
        done = 0
        with storage_failures(), self._engine.begin() as connection:
            for some in batched(order_ids, _ASKED):
                of = (*self._of(ORDERS), ORDERS.c.state == OPEN, ORDERS.c.order_id.in_(some))
                carried = sa.update(ORDERS).where(*of).values(state=DONE, run_id=run_id, done_at=_now())
                done += int(connection.execute(carried).rowcount)
        return done

    def prune(self, *, before: str) -> int:
        """Forget orders from before a time (UTC) that are done or replaced, and return how many."""
        old = (*self._of(ORDERS), ORDERS.c.state != OPEN, ORDERS.c.ordered_at < before)
        with storage_failures(), self._engine.begin() as connection:
            return int(connection.execute(sa.delete(ORDERS).where(*old)).rowcount)

    def _of(self, table: sa.Table, feed: str | None = None) -> list[sa.ColumnElement[bool]]:
        own = {"source": self._pair.source, "target": self._pair.target} | ({"feed": feed} if feed else {})
        return [table.c[name] == value for name, value in own.items()]


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a plan goes by: open orders by key."""

    orders: Mapping[str, Order]

    def keys(self, *actions: str) -> frozenset[str]:
        """Return the keys for which something is ordered."""
        return frozenset(key for key, order in self.orders.items() if order.action in actions)

    @property
    def to_send(self) -> dict[str, str]:
        """The orders that are done once their row has an answer: their ids by key."""
        return {key: order.order_id for key, order in self.orders.items() if order.action != PARK}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
