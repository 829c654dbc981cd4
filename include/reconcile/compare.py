"""Name every difference between what Iru lists and what ServiceNow holds, and who mends it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from include.inventory.cells import escape
from include.inventory.mapping import Feed
from include.inventory.plan import active_keys, row_hash

MISSING, DIFFERENT, ORPHANED, DUPLICATED = "missing", "different", "orphaned", "duplicated"
UNKNOWN_USER, LEFT_BY_MOVE = "unknown_user", "left_by_move"
KINDS = (MISSING, DIFFERENT, UNKNOWN_USER, ORPHANED, LEFT_BY_MOVE, DUPLICATED)
REPAIRABLE = (MISSING, DIFFERENT, UNKNOWN_USER, ORPHANED)
"""Kinds that sending the row again may mend, of orphaned ones apps only; nothing is ever deleted in ServiceNow."""

SHORTEST_COLUMN = 40
"""ServiceNow's default length of a text column; nothing shorter was cut to fit."""

Payload = dict[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: a row's, or, with a ``column``, a field's.

    ``mended_by``: ``next run`` where the ledger knows that the row has to be sent, ``repair`` where it believes that
    ServiceNow holds it already, ``a person`` where sending does not help.
    """

    kind: str
    key: str
    column: str
    wanted: str
    actual: str
    mended_by: str


@dataclass(frozen=True, slots=True)
class Sides:
    """A feed's three sides: rows as they are to be sent, all keys that Iru lists, ServiceNow's records, the ledger."""

    wanted: pd.DataFrame
    listed: Collection[str]
    actual: pd.DataFrame
    known: pd.DataFrame

    @property
    def believed(self) -> dict[str, str]:
        """The hash of the payload that ServiceNow is believed to hold, by key."""
        held = self.known[self.known["row_hash"].notna()]
        return dict(zip(held["key"], held["row_hash"], strict=True))


def compare(feed: Feed, sides: Sides, *, devices: Collection[str] = ()) -> list[Drift]:
    """Return a feed's differences; ``devices`` are the ids of all devices that Iru lists, in small letters."""
    actual = records_by_key(sides.actual)
    found: list[Drift] = []
    believed = sides.believed
    for key, payload in payloads(feed, sides.wanted):
        mended_by = "repair" if believed.get(key) == row_hash(payload) else "next run"
        rows = actual.get(key, [])
        if not rows:
            found.append(Drift(MISSING, key, "", "", "", mended_by))
        for row in rows[:1]:
            found += field_drifts(feed, payload, row, key=key, mended_by=mended_by)
    found += _not_listed(feed, actual, sides, devices)
    found += [Drift(DUPLICATED, key, "", "1", str(len(rows)), "a person") for key, rows in actual.items() if rows[1:]]
    return found


def payloads(feed: Feed, wanted: pd.DataFrame) -> Iterator[tuple[str, Payload]]:
    """Yield the key and the payload of each shaped row, as the plan hashes it."""
    cells = [wanted[name].astype(object).where(wanted[name].notna(), None).tolist() for name in feed.column_names]
    for key, values in zip(wanted["_key"].tolist(), zip(*cells, strict=True), strict=True):
        yield key, {name: cell for name, cell in zip(feed.column_names, values, strict=True) if cell is not None}


def records_by_key(actual: pd.DataFrame) -> dict[str, list[Payload]]:
    """Return ServiceNow's records by key, in a fixed order; records without a whole key are none of ours."""
    found: dict[str, list[Payload]] = {}
    for row in actual.sort_values("sys_id").to_dict("records"):
        key = row.pop("_key")
        if isinstance(key, str):
            found.setdefault(key, []).append({str(n): str(v) for n, v in row.items() if isinstance(v, str)})
    return found


def same(column: str, feed: Feed, wanted: str, actual: str) -> bool:
    """Say whether a field holds what was sent: numbers by value, texts without case, cut texts as far as they go."""
    if wanted.casefold().strip() == actual.casefold().strip() or escape(actual) == wanted:
        return True
    if feed.column(column).type == "number":
        return _number(wanted) is not None and _number(wanted) == _number(actual)
    cut = feed.column(column).too_long == "cut"
    return cut and len(actual) >= SHORTEST_COLUMN and wanted.casefold().startswith(actual.casefold())


def field_drifts(
    feed: Feed, payload: Mapping[str, str], row: Payload, *, key: str = "", mended_by: str = ""
) -> Iterator[Drift]:
    """Yield the fields in which a record differs from the payload that should be in it."""
    for column in feed.target_fields:
        wanted, actual = payload.get(column, ""), row.get(column, "")
        if same(column, feed, wanted, actual) or (not wanted and feed.column(column).on_empty == "keep"):
            continue
        unknown = bool(feed.column(column).known_in) and bool(wanted) and not actual
        yield Drift(UNKNOWN_USER if unknown else DIFFERENT, key, column, wanted, actual, mended_by)


def _not_listed(
    feed: Feed, actual: Mapping[str, Sequence[Payload]], sides: Sides, devices: Collection[str]
) -> Iterator[Drift]:
    """Yield records that Iru does not list: apps that the ledger knows are sent as removed, the rest is a person's."""
    active = set(active_keys(sides.known))
    for key, rows in actual.items():
        if key in sides.listed:
            continue
        if feed.source == "apps":
            if rows[0].get("active") == "true":
                yield Drift(ORPHANED, key, "", "", "", "next run" if key in active else "repair")
            continue
        moved = "blueprint_id" in feed.key and rows[0].get("device_id", "").casefold() in devices
        yield Drift(LEFT_BY_MOVE if moved else ORPHANED, key, "", "", "", "a person")


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
