"""One device: its rows field by field, as Iru said, as sent, as confirmed, and where asked as ServiceNow holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from include.insight.devices import shown
from include.insight.errors import NotThere
from include.insight.paging import Row
from include.insight.scope import Scope, labels_of, shown_key
from include.insight.search import payload_of
from include.insight.shaped import OpenFolder, Shaped, newest_shaped
from include.insight.stuck_rows import NOT_SENT, name_in, of_waiting, open_orders
from include.insight.times import iso
from include.inventory.ledger_tables import ROWS
from include.inventory.mapping import Feed
from include.inventory.sync_tables import WAITING
from include.reconcile.compare import same

State = Literal["same", "differs", "unknown"]

MOST_WAITING = 200

_PER_FEED = 20  # a device has one row a feed; more where it left others behind
_NO_DEVICE = (
    "No such device is known here. It may be new: it is known once a run has sent it; or search by its serial number."
)


@dataclass(frozen=True, slots=True)
class Known:
    """A device's rows in the ledger by feed, and its rows that wait."""

    device_id: str
    rows: dict[str, Any]
    waiting: list[Any]

    @property
    def keys(self) -> dict[str, str]:
        """The keys of its rows, by feed."""
        waiting = {row.feed: row.row_id for row in self.waiting if not row.row_id.startswith("row:")}
        return waiting | {feed: row.key for feed, row in self.rows.items()}

    @property
    def original_id(self) -> str:
        """Its id as Iru spells it; the ledger keeps ids without case."""
        payloads = [payload_of(row.tried_payload or row.payload) for row in self.rows.values()]
        spelled = (payload.get("device_id", "") for payload in payloads)
        return next((each for each in spelled if each.casefold() == self.device_id), self.device_id)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a device outside the ledger, by feed; ``servicenow`` has {} for a record that is not there."""

    iru: Mapping[str, Shaped] = field(default_factory=dict)
    servicenow: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    servicenow_at: str | None = None


def device(scope: Scope, device_id: str, open_folder: OpenFolder) -> Row:
    """Return what is known of a device without asking anybody; NotThere where it is not known."""
    known = find(scope, device_id)
    orders = open_orders(scope, ((row.feed, row.row_id) for row in known.waiting))
    about = _about(scope, known)
    keys = {feed.name: known.keys[feed.name] for feed in scope.device_feeds if feed.name in known.keys}
    seen = Seen(newest_shaped(scope, open_folder, known.device_id, keys))
    waiting = [of_waiting(scope, row, orders) for row in known.waiting]
    return {"device": about, "feeds": feeds_of(scope, known, seen), "waiting": waiting}


def find(scope: Scope, device_id: str) -> Known:
    """Return a device's rows; NotThere where there are none."""
    folded, rows = device_id.casefold(), {}
    for feed in scope.device_feeds:
        mine = sa.select(ROWS).where(*scope.rows_of(feed.name), ROWS.c.device == folded).limit(_PER_FEED)
        found = scope.reader.rows(scope.reader.by(mine, ROWS, "ledger_rows_of_device"))
        if found:
            rows[feed.name] = max(found, key=lambda row: (bool(row.active), row.tried_at))
    ours = (*scope.reader.of(WAITING), WAITING.c.device == folded, WAITING.c.feed.in_(list(scope.feeds)))
    waiting = sa.select(*NOT_SENT).where(*ours).order_by(WAITING.c.feed, WAITING.c.row_id).limit(MOST_WAITING)
    known = Known(folded, rows, list(scope.reader.rows(waiting)))
    if not known.rows and not known.waiting:
        raise NotThere(_NO_DEVICE)
    return known


def feeds_of(scope: Scope, known: Known, seen: Seen) -> list[Row]:
    """Return a device's rows of the feeds of devices, field by field."""
    return [_feed(scope, feed, known.rows[feed.name], seen) for feed in scope.device_feeds if feed.name in known.rows]


def _about(scope: Scope, known: Known) -> Row:
    first = next(iter(scope.device_feeds)).name
    if first in known.rows:
        return shown(scope, [known.rows[first]])[0]
    rows = [*known.waiting, *known.rows.values()]
    payload = next((found for row in rows if (found := payload_of(row.payload))), {})
    serial = known.waiting[0].serial_number if known.waiting else payload.get("serial_number", "")
    return {
        "device_id": known.device_id, "serial_number": serial, "name": name_in(payload),
        "model": payload.get("model_name", ""), "os_type": payload.get("os_type", ""),
        "os_version": payload.get("os_version", ""), "is_active": False, "verdict": rows[0].verdict,
        "confirmed_at": None, "apps": 0,
    }  # fmt: skip


def _feed(scope: Scope, feed: Feed, row: Any, seen: Seen) -> Row:
    shaped = seen.iru.get(feed.name)
    sides = Sides(
        iru=shaped.payload if shaped else None,
        sent=payload_of(row.tried_payload or row.payload),
        ledger=payload_of(row.payload) if row.payload else None,
        servicenow=seen.servicenow.get(feed.name),
    )
    return {
        "feed": feed.name, "key": row.key, "key_shown": shown_key(row.key), "verdict": row.verdict,
        "message": row.message, "attempts": row.attempts, "confirmed_at": iso(row.confirmed_at),
        "tried_at": iso(row.tried_at), "run_id": row.run_id, "dag_id": scope.dag_id(feed.name),
        "import_set": scope.import_set(row.import_set),
        "fields": [sides.field(feed, label) for label in labels_of(feed)],
        "iru_at": shaped.at if shaped else None,
        "servicenow_at": seen.servicenow_at if sides.servicenow is not None else None,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sides:
    """The four sides of a row, each by column; None where a side is not known."""

    iru: Mapping[str, str] | None
    sent: Mapping[str, str] | None
    ledger: Mapping[str, str] | None
    servicenow: Mapping[str, str] | None

    def field(self, feed: Feed, label: Row) -> Row:
        """Return one column on all sides, and whether ServiceNow has what it should, as far as that is known."""
        name = label["column"]
        values = {side: (getattr(self, side) or {}).get(name) for side in ("iru", "sent", "ledger", "servicenow")}
        return label | values | {"state": self.state(feed, name)}

    def state(self, feed: Feed, name: str) -> State:
        """Say whether what Iru has, or else what was sent, is in ServiceNow: as asked, or else as it confirmed."""
        wanted = self.iru if self.iru is not None else self.sent
        if wanted is None:
            return "unknown"
        value = wanted.get(name, "")
        if self.servicenow is not None:
            if name not in feed.target_fields:
                return "unknown"
            actual = self.servicenow.get(name, "")
            kept = not value and feed.column(name).on_empty == "keep"
            return "same" if kept or same(name, feed, value, actual) else "differs"
        if self.ledger is None:
            return "differs" if value else "same"
        kept = not value and feed.column(name).on_empty == "keep"
        return "same" if kept or value == self.ledger.get(name, "") else "differs"
