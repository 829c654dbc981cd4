"""Lay what the source lists beside what the ledger holds, bucket by bucket."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import pandas as pd

from include.inventory.bulk_write import batched
from include.inventory.ledger import Ledger
from include.inventory.ledger_tables import device_digest, is_held
from include.inventory.mapping import Feed
from include.inventory.parts import Buckets
from include.inventory.plan import active_keys, with_payloads
from include.inventory.run_folder import RunFolder
from include.texts import is_among, values_of

_DEVICES_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of a feed's rows with their payloads, and the ledger's entries of these and of their devices.

    ``unchanged`` rows beside them belong to devices that have not changed. ``active`` counts the listed rows that
    ServiceNow holds as active, ``gone`` are the keys of rows that it holds and the source does not list.
    """

    rows: pd.DataFrame
    known: pd.DataFrame
    unchanged: int
    active: int
    gone: list[str]


def iter_listed(
    folder: RunFolder, feed: Feed, ledger: Ledger, *, shortcut: bool, look_into: Collection[str] = ()
) -> Iterator[Listed]:
    """Yield all rows that the source lists, and after them what it does not list of devices that it lacks.

    ``shortcut`` passes over devices whose digest is the ledger's, but for those to ``look_into``. For a feed whose rows
    belong to no device ``gone`` stays empty: its keys are read by those that are listed.
    """
    compare = _ByDevice(feed, ledger, shortcut, look_into) if feed.grouped else _ByKey(feed, ledger)
    with Buckets(folder.rows(feed.name)) as rows, Buckets(folder.also_seen(feed.name)) as others:
        for bucket in range(int(folder.told_by(f"shape-{feed.name}")["buckets"])):
            yield compare.listed(with_payloads(feed, rows.read(bucket)), others.read(bucket))
    yield from compare.not_listed()


class _ByKey:
    """Compares row by row."""

    def __init__(self, feed: Feed, ledger: Ledger) -> None:
        self._feed, self._ledger = feed, ledger

    def listed(self, rows: pd.DataFrame, others: pd.DataFrame) -> Listed:
        known = self._ledger.read_keys(self._feed.name, {*values_of(rows["_key"]), *values_of(others["_key"])})
        return Listed(rows, known, unchanged=0, active=int(is_held(known).sum()), gone=[])

    def not_listed(self) -> Iterator[Listed]:
        return iter(())


class _ByDevice:
    """Compares device by device first."""

    def __init__(self, feed: Feed, ledger: Ledger, shortcut: bool, look_into: Collection[str]) -> None:
        self._feed, self._ledger, self._shortcut = feed, ledger, shortcut
        self._look_into = frozenset(look_into)
        self._devices = ledger.devices(feed.name)
        self._deviceless = ledger.read_deviceless(feed.name)
        self._left = dict.fromkeys(self._devices)
        self._nothing: pd.DataFrame | None = None

    def listed(self, rows: pd.DataFrame, others: pd.DataFrame) -> Listed:
        self._nothing = rows.iloc[:0]
        same = self._unchanged(rows, others) if self._shortcut else set()
        differing = rows[~is_among(rows["_device"], same)] if same else rows
        devices = {*values_of(differing["_device"]), *values_of(others["_device"])} - {None}
        for device in (*same, *devices):
            self._left.pop(device, None)
        seen = {*values_of(differing["_key"]), *values_of(others["_key"])}
        known = self._known(devices, seen, differing)
        held, is_seen = is_held(known), is_among(known["key"], seen)
        unchanged = len(rows) - len(differing)
        gone = known.loc[held & ~is_seen, "key"].tolist()
        return Listed(differing, known, unchanged, unchanged + int((held & is_seen).sum()), gone)

    def not_listed(self) -> Iterator[Listed]:
        """Yield what the ledger holds of devices, and of rows of unknown devices, that the source does not list."""
        nothing = self._nothing if self._nothing is not None else pd.DataFrame()
        for some in batched(self._left, _DEVICES_AT_A_TIME):
            known = self._ledger.read_devices(self._feed.name, some)
            yield Listed(nothing, known, 0, 0, active_keys(known))
        if len(self._deviceless):
            yield Listed(nothing, self._deviceless, 0, 0, active_keys(self._deviceless))

    def _unchanged(self, rows: pd.DataFrame, others: pd.DataFrame) -> set[str]:
        """Return the devices all of whose listed rows are as ServiceNow holds them, and that have no others."""
        cells = rows[["_device", "_key", "_hash"]].dropna().sort_values("_device")
        found = zip(*(values_of(cells[name]) for name in cells), strict=True)
        elsewhere = {*values_of(others["_device"]), *self._look_into}
        return {
            device
            for device, group in groupby(found, key=itemgetter(0))
            if device not in elsewhere and self._is_unchanged(device, [(key, row_hash) for _, key, row_hash in group])
        }

    def _is_unchanged(self, device: str, rows: list[tuple[str, str]]) -> bool:
        held = self._devices.get(device)
        return held is not None and bool(held.digest) and held.rows == len(rows) and device_digest(rows) == held.digest

    def _known(self, devices: set[str], seen: set[str], rows: pd.DataFrame) -> pd.DataFrame:
        known = self._ledger.read_devices(self._feed.name, sorted(devices))
        if self._deviceless.empty:
            return known
        ours = is_among(self._deviceless["key"], seen)
        adopted, self._deviceless = self._deviceless[ours], self._deviceless[~ours]
        of_key = dict(zip(values_of(rows["_key"]), values_of(rows["_device"]), strict=True))
        told = {key: of_key[key] for key in adopted["key"] if isinstance(of_key.get(key), str)}
        self._ledger.assign(self._feed.name, told)
        return pd.concat([known, adopted], ignore_index=True) if len(adopted) else known
