"""Compare a feed's staging rows with the ledger and decide what to send. Nothing here writes to ServiceNow."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import pandas as pd

from include.inventory.cells import CLEARS, canonical
from include.inventory.ledger_tables import is_held
from include.inventory.mapping import Feed
from include.inventory.parking import ParkingRule, Refusal, refusals, to_frame
from include.texts import constant_series, digests, is_among, json_rows, text_series, to_series, values_of

ACTIONS = ("create", "update", "resend", "remove", "retire")

_NOT_LISTED = -1
_NOTES = ("_row", "_key", "_device", "_action", "_hash", "_payload", "_released")

Payload = dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run would do with some rows of a feed.

    ``to_send``: the staging columns as they are sent, with ``_row`` (-1 for rows that the source no longer lists),
    ``_key``, ``_device``, ``_action``, ``_hash``, ``_payload`` (what the ledger keeps once ServiceNow confirms) and
    ``_released`` (it was parked, and its attempts begin anew). ``changes``: key, action, column, before, after, for
    rows that ServiceNow holds already. ``held``: row, reason, parked rows included. ``parked``: row, key, attempts,
    verdict, message, parked removals included. ``as_held`` are the keys of unchanged rows whose last attempt was not
    confirmed: the source says again what ServiceNow holds.
    """

    to_send: pd.DataFrame
    changes: pd.DataFrame
    held: pd.DataFrame
    unchanged: int
    parked: pd.DataFrame
    as_held: tuple[str, ...] = ()

    def count(self, *actions: str) -> int:
        """Return the number of rows to send for some actions."""
        return int(self.to_send["_action"].isin(actions).sum())


@dataclass(frozen=True, slots=True)
class Waits:
    """What keeps rows from being sent now.

    ``in_flight``: why, by key, for rows that an earlier run sent and whose verdict is still to come. ``parking``: when
    a row was refused too often, or parked by hand. ``resend``, which keeps nothing, are the keys of rows that go
    although they have not changed. ``partner`` tells which rows must wait for another, by position, with the reason.
    """

    in_flight: Mapping[str, str] = field(default_factory=dict)
    parking: ParkingRule = field(default_factory=ParkingRule)
    resend: frozenset[str] = frozenset()
    partner: Callable[[pd.DataFrame], Mapping[int, str]] | None = None


@dataclass(frozen=True, slots=True)
class _Planned:
    row: int
    key: str
    device: str | None
    action: str
    payload: Payload
    before: Payload
    released: bool = False


def with_payloads(feed: Feed, rows: pd.DataFrame) -> pd.DataFrame:
    """Return shaped rows with ``_payload``, their staging columns as canonical JSON, and its 128 bit ``_hash``."""
    payloads = json_rows(rows, {name: name for name in sorted(feed.column_names)})
    return rows.assign(_payload=to_series(payloads, rows.index), _hash=text_series(digests(payloads), rows.index))


def make_plan(
    feed: Feed,
    rows: pd.DataFrame,
    known: pd.DataFrame,
    *,
    removed_keys: Sequence[str] = (),
    waits: Waits | None = None,
    full_resend: bool = False,
) -> Plan:
    """Return the plan of some rows of a feed.

    ``rows`` are shaped rows with their payloads, ``known`` the ledger's entries of these and of ``removed_keys``, the
    keys to send once more with the feed's removed values.
    """
    waits = waits or Waits()
    hashes = pd.Series(known["row_hash"].array, index=pd.Index(known["key"]))
    told = waits.in_flight.keys() | waits.resend if waits.resend else waits.in_flight
    same = (rows["_key"].map(hashes) == rows["_hash"]) & ~is_among(rows["_key"], told)
    differing = rows if full_resend else rows[~same]
    is_new = ~is_among(differing["_key"], {*values_of(known["key"]), *waits.in_flight, *waits.parking.by_hand})
    fresh = differing[is_new]
    entries = known.set_index("key")
    planned = [*_planned(differing[~is_new], entries), *_removals(feed, removed_keys, entries, waits.resend)]
    sendable, reasons, parked = _sort_out(planned, known, waits)
    reasons |= _partnerless(rows, [*fresh["_row"].tolist(), *(row.row for row in sendable)], waits)
    kept = [row for row in sendable if row.row not in reasons]
    return Plan(
        to_send=_in_order(_created(feed, fresh[~fresh["_row"].isin(reasons)]), _to_send(feed, kept)),
        changes=_changes(kept),
        held=pd.DataFrame({"row": list(reasons), "reason": text_series(list(reasons.values()))}).astype(
            {"row": "int64"}
        ),
        unchanged=len(rows) - len(differing),
        parked=to_frame(parked),
        as_held=() if full_resend else _as_held(rows[same], known),
    )


def _as_held(unchanged: pd.DataFrame, known: pd.DataFrame) -> tuple[str, ...]:
    unconfirmed = set(values_of(known.loc[known["since"].notna(), "key"]))
    return tuple(key for key in values_of(unchanged["_key"]) if key in unconfirmed) if unconfirmed else ()


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
        if row.key in waits.in_flight:
            reasons[row.row] = waits.in_flight[row.key]
        elif refusal is None or not refusal.holds(row_hash(row.payload)):
            sendable.append(row)
        elif not refusal.by_hand and waits.parking.releases(row.key, row.payload):
            sendable.append(replace(row, released=True))
        else:
            reasons[row.row], parked[row.key] = refusal.reason, (row.row, refusal)
    reasons.pop(_NOT_LISTED, None)  # removals are no rows of the source
    return sendable, reasons, parked


def _partnerless(rows: pd.DataFrame, sendable: Sequence[int], waits: Waits) -> dict[int, str]:
    """Return the rows that must wait for another one, asking only where something is to be sent."""
    listed = [row for row in sendable if row != _NOT_LISTED]
    return dict(waits.partner(rows[rows["_row"].isin(listed)])) if waits.partner and listed else {}


def row_hash(payload: Payload) -> str:
    """Return 32 hex digits (128 bit) that stand for a payload, the same on every version of every library."""
    return blake2b(canonical(payload), digest_size=16).hexdigest()


def active_keys(known: pd.DataFrame) -> list[str]:
    """Return the keys that ServiceNow holds as active rows."""
    return values_of(known.loc[is_held(known), "key"])


def _planned(rows: pd.DataFrame, entries: pd.DataFrame) -> Iterator[_Planned]:
    """Yield rows of which the ledger has an entry, be it of a refusal only."""
    found = rows[["_row", "_key", "_device", "_payload"]].itertuples(index=False, name=None)
    payloads = entries["payload"].reindex(rows["_key"])
    for (row, key, device, text), last in zip(found, payloads, strict=True):
        payload, before = _parse(text), _parse(last)
        action = "create" if not before else "resend" if before == payload else "update"
        yield _Planned(row, key, _text(device), action, payload, before)


def _removals(feed: Feed, keys: Sequence[str], entries: pd.DataFrame, resend: Collection[str]) -> Iterator[_Planned]:
    """Yield the whole last row of every key with the removed values, but for those that ServiceNow has already."""
    action = "remove" if feed.source == "apps" else "retire"
    last = entries[["payload", "row_hash", "device"]].reindex(list(keys))
    for key, payload, before_hash, device in zip(keys, last["payload"], last["row_hash"], last["device"], strict=True):
        before = _parse(payload)
        after = before | dict(feed.removed_values)
        if key in resend or row_hash(after) != before_hash:
            yield _Planned(_NOT_LISTED, key, _text(device), action, after, before)


def _created(feed: Feed, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows that ServiceNow has never seen as they are sent."""
    released = pd.Series(False, index=rows.index, dtype="bool")
    marked = rows.assign(_action=constant_series("create", rows.index), _released=released)
    return marked[[*_NOTES, *feed.column_names]]


def _to_send(feed: Feed, planned: Sequence[_Planned]) -> pd.DataFrame:
    sent = [_as_sent(feed, row) for row in planned]
    frame = {
        "_row": pd.Series([row.row for row in planned], dtype="int64"),
        "_key": text_series([row.key for row in planned]),
        "_device": text_series([row.device for row in planned]),
        "_action": text_series([row.action for row in planned]),
        "_hash": text_series([row_hash(row.payload) for row in planned]),
        "_payload": text_series([canonical(row.payload).decode() for row in planned]),
        "_released": pd.Series([row.released for row in planned], dtype="bool"),
    }
    columns = {name: text_series([row.get(name) for row in sent]) for name in feed.column_names}
    return pd.DataFrame(frame | columns)


def _in_order(*frames: pd.DataFrame) -> pd.DataFrame:
    """Return rows in the order of the source, and after them those that it no longer lists."""
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    together = pd.concat(filled, ignore_index=True)
    listed = together["_row"] != _NOT_LISTED
    return pd.concat([together[listed].sort_values("_row"), together[~listed]], ignore_index=True)


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
        if row.before
        for name in sorted(row.before.keys() | row.payload.keys())
        if row.before.get(name) != row.payload.get(name)
    ]
    return pd.DataFrame(found, columns=["key", "action", "column", "before", "after"], dtype="str")


def _parse(payload: object) -> Payload:
    return dict(json.loads(payload)) if isinstance(payload, str) and payload else {}


def _text(cell: object) -> str | None:
    return cell if isinstance(cell, str) else None
