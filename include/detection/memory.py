"""What a watcher knows of the fleet: how each device looked last, where it is in the audit log, and whose turn it is.

Only the watcher that holds the lease writes; one that lost it meanwhile changes nothing, so that two triggerers do not
report the same change twice.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from include.detection.tables import DEVICES, PENDING, STATE, WatchTables, batches
from include.inventory.bulk_write import write_rows
from include.inventory.database import storage_failures

FORGOTTEN_AFTER_MISSES = 2
"""A device that so many sweeps in a row did not list is new when it is listed again."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the audit log was read: its newest moment, and the events of the last minutes that are known."""

    since: str = ""
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The changed devices that no run carries yet (``oldest_s``: unix seconds), and whether a run was asked for."""

    devices: int
    oldest_s: float
    fired_at_s: float | None
    hold_until_s: float


class LeaseLost(Exception):
    """Another watcher has taken over; what was to be written is not."""


class Memory:
    """A watcher's view of the tables; ``holder`` is its own name."""

    def __init__(self, tables: WatchTables, holder: str, *, now_s: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._holder = holder
        self._now_s = now_s

    def take_turn(self, seconds: float) -> bool:
        """Take or keep the lease for so long; False while another watcher holds it."""
        until = {"holder": self._holder, "held_until_s": self._now_s() + seconds}
        free = sa.or_(STATE.c.holder == self._holder, STATE.c.held_until_s < self._now_s())
        try:
            with storage_failures(), self._tables.engine.begin() as connection:
                if self._tables.state(connection) is None:
                    self._tables.set_state(connection, **until)
                    return True
                taken = sa.update(STATE).where(*self._tables.of(STATE), free).values(**until)
                return bool(connection.execute(taken).rowcount)
        except sa.exc.IntegrityError:  # another watcher made the row at the same moment
            return False

    def position(self) -> Position:
        """Return how far the audit log was read."""
        with storage_failures(), self._tables.engine.connect() as connection:
            state = self._tables.state(connection)
        told = json.loads(state["audit"]) if state else {}
        return Position(told.get("since", ""), tuple(told.get("known", ())))

    def swept_at_s(self) -> float | None:
        """Return when the last whole sweep began, by Iru's clock in unix seconds; None before the first."""
        with storage_failures(), self._tables.engine.connect() as connection:
            state = self._tables.state(connection)
        return state["swept_at_s"] if state else None

    def waiting(self) -> Waiting:
        """Return what no run carries yet."""
        unclaimed = (*self._tables.of(PENDING), PENDING.c.claimed_by == "")
        counted = sa.select(sa.func.count(), sa.func.min(PENDING.c.seen_at_s)).where(*unclaimed)
        with storage_failures(), self._tables.engine.connect() as connection:
            devices, oldest_s = connection.execute(counted).one()
            state = self._tables.state(connection)
        fired, hold = (state["fired_at_s"], state["hold_until_s"]) if state else (None, 0.0)
        return Waiting(devices, oldest_s or 0.0, fired, hold)

    def keep_sweep(self, seen: Mapping[str, str], *, began_s: float) -> frozenset[str]:
        """Compare a whole sweep with the one before, remember what changed, and return the devices that did.

        ``seen`` are fingerprints by device id. The first sweep reports nothing: later ones are compared with it.
        """
        with self._turn() as connection:
            state = self._tables.state(connection)
            known = self._known(connection)
            changed = sorted(each for each, print_ in seen.items() if known.get(each, ("", 0))[0] != print_)
            first = state is None or state["swept_at_s"] is None
            write_devices(self._tables, connection, {each: seen[each] for each in changed})
            self._count_misses(connection, known, seen)
            if not first:
                self._write_pending(connection, changed)
            self._tables.set_state(connection, swept_at_s=began_s)
        return frozenset() if first else frozenset(changed)

    def keep_audit(self, changed: Collection[str], position: Position) -> None:
        """Remember devices that the audit log names, and how far it was read."""
        with self._turn() as connection:
            self._write_pending(connection, sorted(changed))
            self._tables.set_state(connection, audit=json.dumps(asdict(position)))

    def fired(self) -> None:
        """Remember that a run has been asked for."""
        with self._turn() as connection:
            self._tables.set_state(connection, fired_at_s=self._now_s())

    @contextmanager
    def _turn(self) -> Iterator[sa.Connection]:
        """Write in one transaction, and only while the lease is ours."""
        with storage_failures(), self._tables.engine.begin() as connection:
            mine = sa.update(STATE).where(*self._tables.of(STATE), STATE.c.holder == self._holder)
            if not connection.execute(mine.values(holder=self._holder)).rowcount:
                raise LeaseLost
            yield connection

    def _known(self, connection: sa.Connection) -> dict[str, tuple[str, int]]:
        columns = (DEVICES.c.device_id, DEVICES.c.fingerprint, DEVICES.c.misses)
        rows = connection.execute(sa.select(*columns).where(*self._tables.of(DEVICES)))
        return {device_id: (fingerprint, misses) for device_id, fingerprint, misses in rows}

    def _count_misses(
        self, connection: sa.Connection, known: Mapping[str, tuple[str, int]], seen: Mapping[str, str]
    ) -> None:
        of = self._tables.of(DEVICES)
        missed = [each for each in known if each not in seen]
        again = [each for each, (_, misses) in known.items() if misses and each in seen]
        for some in batches(missed):
            here = sa.update(DEVICES).where(*of, DEVICES.c.device_id.in_(some))
            connection.execute(here.values(misses=DEVICES.c.misses + 1))
        for some in batches(again):
            connection.execute(sa.update(DEVICES).where(*of, DEVICES.c.device_id.in_(some)).values(misses=0))
        connection.execute(sa.delete(DEVICES).where(*of, DEVICES.c.misses >= FORGOTTEN_AFTER_MISSES))

    def _write_pending(self, connection: sa.Connection, changed: Collection[str]) -> None:
        rows = [(*self._tables.pair.values(), each, self._now_s(), "") for each in changed]
        write_rows(connection, PENDING, (*self._tables.pair, "device_id", "seen_at_s", "claimed_by"), rows)


def write_devices(tables: WatchTables, connection: sa.Connection, seen: Mapping[str, str]) -> None:
    """Remember how some devices look, by id."""
    rows = [(*tables.pair.values(), each, fingerprint, 0) for each, fingerprint in seen.items()]
    write_rows(connection, DEVICES, (*tables.pair, "device_id", "fingerprint", "misses"), rows)
