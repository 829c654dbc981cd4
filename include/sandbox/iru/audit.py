"""What enters the audit log, and how.

Device life cycle and edits do; assigning a user to a device does not, as the documentation lists it:
https://api-docs.kandji.io (Audit log, List audit events).
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from include.sandbox.iru.spelling import read_time, stored_time

_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ADMIN_ID = "cf40d6e7-20cb-4da9-84a1-9ad0b7003ca5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry before it has an id; ``at`` is a stored time."""

    action: str
    at: str
    target_id: str
    target_type: str = "device"
    target_component: str = ""
    new_state: Mapping[str, Any] | None = None


def device_enrolled(row: Mapping[str, Any], *, at: str) -> Event:
    """Return the entry of a device that enrolled."""
    return Event(action="create", at=at, target_id=row["id"], new_state=device_state(row))


def device_deleted(row: Mapping[str, Any], *, at: str) -> Event:
    """Return the entry of a device whose record was deleted."""
    return Event(action="delete", at=at, target_id=row["id"], new_state=device_state(row))


def device_updated(row: Mapping[str, Any], component: str, *, at: str) -> Event:
    """Return the entry of a device whose blueprint, asset tag or tags changed."""
    return Event(action="update", at=at, target_id=row["id"], target_component=component, new_state=device_state(row))


def device_state(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the entry tells of the device (assumption: no payload is published)."""
    return {
        "name": row["name"],
        "serial_number": row["serial_number"],
        "platform": row["family"],
        "blueprint_id": row["blueprint_id"],
        "asset_tag": row["asset_tag"] or "",
        "tags": json.loads(row["tags"]),
    }


def record_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Append events; each gets a time of its own, so that no two share a page's edge."""
    last = connection.execute("SELECT max(occurred_at) FROM audit").fetchone()[0] or ""
    for event in events:
        at = event.at if event.at > last else _just_after(last)
        connection.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _ulid(at, event),
                event.action,
                at,
                _ADMIN_ID,
                "user",
                event.target_id,
                event.target_type,
                event.target_component,
                json.dumps(event.new_state, ensure_ascii=False),
                json.dumps({"source_id": None, "source": None}),
            ),
        )
        last = at


def _just_after(stored: str) -> str:
    return stored_time(read_time(stored) + timedelta(microseconds=1))


def _ulid(at: str, event: Event) -> str:
    """Return 48 bits of milliseconds and 80 bits of digest: https://github.com/ulid/spec."""
    milliseconds = int(read_time(at).timestamp() * 1000)
    digest = hashlib.sha256(f"{at}/{event.action}/{event.target_id}".encode()).digest()[:10]
    number = milliseconds << 80 | int.from_bytes(digest)
    return "".join(_BASE32[number >> 5 * place & 31] for place in reversed(range(26)))
