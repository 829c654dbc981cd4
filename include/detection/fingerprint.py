"""What of a device's row tells that it has changed: the fields that the mapping reads, and no others."""

from collections.abc import Iterable, Mapping
from typing import Any

from include.inventory.mapping import FeedMapping
from include.inventory.plan import row_hash
from include.inventory.read_sources import flat_device, source_fields
from include.inventory.source_fields import PRISM_PREFIX
from include.iru.client import is_device_id

VOLATILE = frozenset({"last_check_in"})
"""Fields that change without a change of the device; a mapping that reads them is served by the full sweep."""


def watched_fields(mapping: FeedMapping) -> tuple[str, ...]:
    """Return the fields of ``GET /devices`` that are compared; Prism's own come with the full sweep only."""
    names = source_fields(mapping, "devices")
    return tuple(sorted(name for name in names if not name.startswith(PRISM_PREFIX) and name not in VOLATILE))


def fingerprints(rows: Iterable[Mapping[str, Any]], fields: tuple[str, ...]) -> dict[str, str]:
    """Return 32 hex digits by device id, for the rows of ``GET /devices`` that have a usable one."""
    found: dict[str, str] = {}
    for row in rows:
        device_id = row.get("device_id")
        if isinstance(device_id, str) and is_device_id(device_id):
            flat = flat_device(dict(row))
            shown = {name: str(flat[name]) for name in fields if flat.get(name) not in (None, "")}
            found[device_id] = row_hash(shown)
    return found
