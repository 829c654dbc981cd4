"""Compare a feed's staging rows with the ledger and decide what to send. Nothing here writes to ServiceNow."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import pandas as pd

from include.inventory.cells import CLEARS, canonical
from include.inventory.mapping import Feed
from include.inventory.parking import ParkingRule, Refusal, refusals, to_frame

ACTIONS = ("create", "update", "resend", "remove", "retire")

_NOT_LISTED = -1

Payload = dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run would do with a feed.

    ``to_send``: the staging columns as they are sent, with ``_row`` (-1 for rows that the source no longer lists),
    ``_key``, ``_action``, ``_hash``, ``_payload`` (what the ledger keeps once ServiceNow confirms) and ``_released``
    (it was parked, and its attempts begin anew). ``changes``: key, action, column, before, after. ``held``: row,
    reason, parked rows included. ``parked``: row, key, attempts, verdict, message, parked removals included.
    """

    to_send: pd.DataFrame
    changes: pd.DataFrame
    held: pd.DataFrame
    unchanged: int
    parked: pd.DataFrame

    def count(self, *actions: str) -> int:
        """Return the number of rows to send for some actions."""
        return int(self.to_send["_action"].isin(actions).sum())


@dataclass(frozen=True, slots=True)
class Waits:
    """What keeps rows from being sent now.

    ``in_flight``: why, by key, for rows that an earlier run sent and whose verdict is still to come. ``parking``: when
    a row was refused too often. ``partner`` tells which rows must wait for another, by position, with the reason.
    """

    in_flight: Mapping[str, str] = field(default_factory=dict)
    parking: ParkingRule = field(default_factory=ParkingRule)
    partner: Callable[[pd.DataFrame], Mapping[int, str]] | None = None


@dataclass(frozen=True, slots=True)
class _Planned:
    row: int
    key: str
    action: str
    payload: Payload
    before: Payload
    released: bool = False


def make_plan(
    feed: Feed,
    rows: pd.DataFrame,
    known: pd.DataFrame,
    *,
    removed_keys: Sequence[str] = (),
    waits: Waits | None = None,
    full_resend: bool = False,
) -> Plan:
    """Return the plan of a feed.

    ``rows`` are shaped rows, ``known`` the ledger's entries, ``removed_keys`` the keys to send once more with the
    feed's removed values.
    """
    waits = waits or Waits()
    hashes = dict(zip(known["key"], known["row_hash"], strict=True))
    payloads = dict(zip(known["key"], known["payload"], strict=True))
    listed = _payloads(feed, rows)
    differing = [
        _planned(row, key, payload, _parse(payloads.get(key)))
        for row, key, payload in listed
        if full_resend or key in waits.in_flight or hashes.get(key) != row_hash(payload)
    ]
    removals = _removals(feed, removed_keys, payloads, hashes)
    sendable, reasons, parked = _sort_out([*differing, *removals], known, waits)
    reasons |= _partnerless(rows, sendable, waits)
    planned = [row for row in sendable if row.row not in reasons]
    return Plan(
        to_send=_to_send(feed, planned),
        changes=_changes(planned),
        held=pd.DataFrame({"row": list(reasons), "reason": pd.Series(list(reasons.values()), dtype="str")}),
        unchanged=len(rows) - len(differing),
        parked=to_frame(parked),
    )


def _sort_out(
    differing: Sequence[_Planned], known: pd.DataFrame, waits: Waits
) -> tuple[list[_Planned], dict[int, str], dict[str, tuple[int, Refusal]]]:
    """Return what may be sent, why listed rows may not, by position, and what is parked, by key."""
    often = refusals(known, waits.parking)
    sendable: list[_Planned] = []
    reasons: dict[int, str] = {}
    parked: dict[str, tuple[int, Refusal]] = {}
    for row in differing:
        refusal = often.get(row.key)
        is_parked = refusal is not None and refusal.tried_hash == row_hash(row.payload)
        if row.key in waits.in_flight:
            reasons[row.row] = waits.in_flight[row.key]
        elif refusal is None or not is_parked:
            sendable.append(row)
        elif waits.parking.releases(row.key, row.payload):
            sendable.append(replace(row, released=True))
        else:
            reasons[row.row], parked[row.key] = refusal.reason, (row.row, refusal)
    reasons.pop(_NOT_LISTED, None)  # removals are no rows of the source
    return sendable, reasons, parked


def _partnerless(rows: pd.DataFrame, sendable: Sequence[_Planned], waits: Waits) -> dict[int, str]:
    """Return the rows that must wait for another one, asking only where something is to be sent."""
    positions = [row.row for row in sendable if row.row != _NOT_LISTED]
    return dict(waits.partner(rows[rows["_row"].isin(positions)])) if waits.partner and positions else {}


def row_hash(payload: Payload) -> str:
    """Return 32 hex digits (128 bit) that stand for a payload, the same on every version of every library."""
    return blake2b(canonical(payload), digest_size=16).hexdigest()


def no_longer_listed(feed: Feed, known: pd.DataFrame, seen: pd.DataFrame) -> list[str]:
    """Return the keys that ServiceNow holds as active rows and that the source does not list any more."""
    return sorted(set(active_keys(known)) - set(seen["_key"]))


def active_keys(known: pd.DataFrame) -> list[str]:
    """Return the keys that ServiceNow holds as active rows."""
    return [str(key) for key in known.loc[known["active"] & known["row_hash"].notna(), "key"]]


def _payloads(feed: Feed, rows: pd.DataFrame) -> list[tuple[int, str, Payload]]:
    cells = [rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in feed.column_names]
    columns = zip(rows["_row"].tolist(), rows["_key"].tolist(), zip(*cells, strict=True), strict=True)
    return [
        (row, key, {name: cell for name, cell in zip(feed.column_names, values, strict=True) if cell is not None})
        for row, key, values in columns
    ]


def _removals(
    feed: Feed, keys: Sequence[str], payloads: Mapping[str, object], hashes: Mapping[str, object]
) -> list[_Planned]:
    """Return the whole last row of every key with the removed values, but for those that ServiceNow has already."""
    planned = []
    for key in keys:
        before = _parse(payloads.get(key))
        payload = before | dict(feed.removed_values)
        if row_hash(payload) != hashes.get(key):
            planned.append(_Planned(_NOT_LISTED, key, "remove" if feed.source == "apps" else "retire", payload, before))
    return planned


def _planned(row: int, key: str, payload: Payload, before: Payload) -> _Planned:
    action = "create" if not before else "resend" if before == payload else "update"
    return _Planned(row, key, action, payload, before)


def _to_send(feed: Feed, planned: Sequence[_Planned]) -> pd.DataFrame:
    sent = [_as_sent(feed, row) for row in planned]
    frame = {
        "_row": pd.Series([row.row for row in planned], dtype="int64"),
        "_key": pd.Series([row.key for row in planned], dtype="str"),
        "_action": pd.Series([row.action for row in planned], dtype="str"),
        "_hash": pd.Series([row_hash(row.payload) for row in planned], dtype="str"),
        "_payload": pd.Series([canonical(row.payload).decode() for row in planned], dtype="str"),
        "_released": pd.Series([row.released for row in planned], dtype="bool"),
    }
    columns = {name: pd.Series([row.get(name) for row in sent], dtype="str") for name in feed.column_names}
    return pd.DataFrame(frame | columns)


def _as_sent(feed: Feed, row: _Planned) -> Payload:
    """Leave empty cells out, but order ServiceNow to clear a value that it holds and that Iru no longer has."""
    cleared = {
        column.name: CLEARS
        for column in feed.columns
        if column.name in row.before and column.name not in row.payload and column.on_empty == "clear"
    }
    return row.payload | cleared


def _changes(planned: Sequence[_Planned]) -> pd.DataFrame:
    found = [
        (row.key, row.action, name, row.before.get(name), row.payload.get(name))
        for row in planned
        for name in sorted(row.before.keys() | row.payload.keys())
        if row.before.get(name) != row.payload.get(name)
    ]
    return pd.DataFrame(found, columns=["key", "action", "column", "before", "after"], dtype="str")


def _parse(payload: object) -> Payload:
    return dict(json.loads(payload)) if isinstance(payload, str) and payload else {}
