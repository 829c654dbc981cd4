"""The changed devices between the watcher that noticed them and the run that carries them.

A run claims what waits, and confirms it once ServiceNow has it; a run that fails gives it back. A device that changes
again while a run carries it waits anew.
"""

import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from include.detection.memory import write_devices
from include.detection.tables import DEVICES, PENDING, WatchTables
from include.inventory.database import storage_failures

FIRST_HOLD_S = 30.0
LONGEST_HOLD_S = 3600.0
"""How long no run is asked for after one that failed; after each further one twice as long, up to the longest."""


class Queue:
    """The queue of one pair, as runs use it."""

    def __init__(self, tables: WatchTables, *, now_s: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now_s = now_s

    def claim(self, run_id: str) -> tuple[str, ...]:
        """Take everything that waits, and what earlier runs had taken and never settled; return the device ids.

        Only one run of a flow is under way at a time, so what another one claims is nobody's any more. A run that
        claims again gets what it had, and more.
        """
        with storage_failures(), self._tables.engine.begin() as connection:
            ours = self._tables.of(PENDING)
            connection.execute(sa.update(PENDING).where(*ours).values(claimed_by=run_id))
            mine = sa.select(PENDING.c.device_id).where(*ours, PENDING.c.claimed_by == run_id)
            claimed = tuple(connection.execute(mine.order_by(PENDING.c.device_id)).scalars())
            self._tables.set_state(connection, fired_at_s=None)
        return claimed

    def fleet(self) -> int:
        """Return how many devices the watcher knows."""
        counted = sa.select(sa.func.count()).select_from(DEVICES).where(*self._tables.of(DEVICES))
        with storage_failures(), self._tables.engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def saw(self, seen: Mapping[str, str]) -> None:
        """Remember how devices look that a run has fetched, so that a sweep does not report the same change again."""
        with storage_failures(), self._tables.engine.begin() as connection:
            write_devices(self._tables, connection, seen)

    def confirm(self, run_id: str) -> tuple[float, ...]:
        """Forget what a run has carried, and return when each change was noticed; what changed again stays."""
        carried = (*self._tables.of(PENDING), PENDING.c.claimed_by == run_id)
        with storage_failures(), self._tables.engine.begin() as connection:
            seen_s = tuple(connection.execute(sa.select(PENDING.c.seen_at_s).where(*carried)).scalars())
            if connection.execute(sa.delete(PENDING).where(*carried)).rowcount:
                self._tables.set_state(connection, hold_until_s=0.0, given_back=0)
        return seen_s

    def give_back(self, run_id: str) -> None:
        """Let the next run carry what this one did not, but not at once."""
        claimed = (*self._tables.of(PENDING), PENDING.c.claimed_by == run_id)
        with storage_failures(), self._tables.engine.begin() as connection:
            if not connection.execute(sa.update(PENDING).where(*claimed).values(claimed_by="")).rowcount:
                return
            state = self._tables.state(connection)
            times = (state["given_back"] if state else 0) + 1
            hold_s = min(LONGEST_HOLD_S, FIRST_HOLD_S * 2 ** min(times - 1, 10))
            self._tables.set_state(connection, given_back=times, hold_until_s=self._now_s() + hold_s)
