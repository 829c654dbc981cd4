"""Compare a feed's staging rows with the ledger and decide what to send. Nothing here writes to ServiceNow."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import pandas as pd

from include.inventory.cells import CLEARS, canonical
from include.inventory.mapping import Feed

ACTIONS = ("create", "update", "resend", "remove", "retire")

Payload = dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run would do with a feed.

    ``to_send``: the staging columns as they are sent, with ``_row`` (-1 for rows that the source no longer lists),
    ``_key``, ``_action``, ``_hash`` and ``_payload`` (what the ledger keeps once ServiceNow confirms). ``changes``:
    key, action, column, before, after. ``held``: row, reason.
    """

    to_send: pd.DataFrame
    changes: pd.DataFrame
    held: pd.DataFrame
    unchanged: int

    def count(self, *actions: str) -> int:
        """Return the number of rows to send for some actions."""
        return int(self.to_send["_action"].isin(actions).sum())


@dataclass(frozen=True, slots=True)
class _Planned:
    row: int
    key: str
    action: str
    payload: Payload
    before: Payload


def make_plan(
    feed: Feed,
    rows: pd.DataFrame,
    known: pd.DataFrame,
    *,
    removed_keys: Sequence[str] = (),
    waiting: Callable[[pd.DataFrame], Mapping[int, str]] | None = None,
    full_resend: bool = False,
) -> Plan:
    """Return the plan of a feed.

    ``rows`` are shaped rows, ``known`` the ledger's entries, ``removed_keys`` the keys to send once more with the
    feed's removed values, ``waiting`` tells which of the rows that differ may not go yet, by position, with the reason.
    """
    hashes = dict(zip(known["key"], known["row_hash"], strict=True))
    payloads = dict(zip(known["key"], known["payload"], strict=True))
    payloads_of = _payloads(feed, rows)
    differs = [full_resend or hashes.get(key) != row_hash(payload) for _, key, payload in payloads_of]
    holds = waiting(rows[differs]) if waiting and any(differs) else {}
    planned = [
        _planned(row, key, payload, _parse(payloads.get(key)))
        for (row, key, payload), differing in zip(payloads_of, differs, strict=True)
        if differing and row not in holds
    ]
    planned += _removals(feed, removed_keys, payloads, hashes)
    return Plan(
        to_send=_to_send(feed, planned),
        changes=_changes(planned),
        held=pd.DataFrame({"row": list(holds), "reason": pd.Series(list(holds.values()), dtype="str")}),
        unchanged=len(rows) - sum(differs),
    )


def row_hash(payload: Payload) -> str:
    """Return 32 hex digits (128 bit) that stand for a payload, the same on every version of every library."""
    return blake2b(canonical(payload), digest_size=16).hexdigest()


def no_longer_listed(feed: Feed, known: pd.DataFrame, seen: pd.DataFrame) -> list[str]:
    """Return the keys that ServiceNow holds as active rows and that the source does not list any more."""
    active = known[known["active"] & known["row_hash"].notna()]
    return sorted(set(active["key"]) - set(seen["_key"]))


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
            planned.append(_Planned(-1, key, "remove" if feed.source == "apps" else "retire", payload, before))
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
