"""Read the extracted pages into one source frame per source: a column per field, a row per record, JSON values."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from include.inventory.cells import scalar
from include.inventory.mapping import FeedMapping, SourceName
from include.inventory.page_files import iter_pages
from include.inventory.run_folder import RunFolder
from include.inventory.source_fields import PRISM_PREFIX

Record = dict[str, Any]

TAGS = "tag_names"
"""The device's tags in one cell, one a line."""

_DEVICE_BASE = (TAGS, "device_id", "serial_number", "platform", "blueprint_id", "blueprint_name", "last_enrollment")
_APP_BASE = ("device_id", "serial_number", "device__family", "blueprint_id", "blueprint_name", "updated_at")


def source_fields(mapping: FeedMapping, source: SourceName) -> list[str]:
    """Return the fields that the feeds of a source read, and those that every row is judged by."""
    base = _DEVICE_BASE if source == "devices" else _APP_BASE
    wanted = dict.fromkeys(base)
    for feed in mapping.of_source(source):
        wanted |= dict.fromkeys(name for column in feed.columns for name in column.sources)
        if feed.removed_flag and source == "apps":
            wanted[feed.removed_flag] = None
    return list(wanted)


def read_source(folder: RunFolder, mapping: FeedMapping, source: SourceName) -> pd.DataFrame:
    """Return the source frame: object columns with JSON's scalars, None where a field is absent, Unusable else."""
    fields = source_fields(mapping, source)
    records = _devices(folder, fields) if source == "devices" else _apps(folder)
    return _to_frame(records, fields)


def _to_frame(records: Iterable[Record], fields: list[str]) -> pd.DataFrame:
    rows = [[scalar(record.get(name)) for name in fields] for record in records]
    return pd.DataFrame(rows, columns=fields, dtype=object)


def _devices(folder: RunFolder, fields: list[str]) -> Iterable[Record]:
    """Yield the rows of /devices with the assigned user flattened and Prism's row of the same device beside them."""
    prism = {
        row.get("device_id"): row
        for page in iter_pages(folder.pages("device_information"))
        for row in page
        if isinstance(row.get("device_id"), str)
    }
    beside = [name for name in fields if name.startswith(PRISM_PREFIX)]
    for page in iter_pages(folder.pages("devices")):
        for row in page:
            device_id = row.get("device_id")
            match = prism.get(device_id, {}) if isinstance(device_id, str) else {}
            tags = row.get("tags") if isinstance(row.get("tags"), list) else []
            beside_tags = {TAGS: "\n".join(tag for tag in tags or [] if isinstance(tag, str))}
            yield flat_device(row) | beside_tags | {name: match.get(name.removeprefix(PRISM_PREFIX)) for name in beside}


def flat_device(row: Record) -> Record:
    """Return a row of ``GET /devices`` with the assigned user's fields as its own."""
    return row | _user(row.get("user"))


def _user(user: Any) -> Record:
    """Flatten the assigned user: an object, or "" (null on some endpoints) where nobody is assigned."""
    if user in ("", None):
        return {}
    if not isinstance(user, dict):
        return {"user_email": [user]}  # not a scalar: the row's model rejects it
    return {f"user_{part}": user.get(part) for part in ("id", "name", "email")}


def _apps(folder: RunFolder) -> Iterable[Record]:
    for page in iter_pages(folder.pages("apps")):
        for row in page:
            bundle_id = row.get("bundle_id")
            has_none = bundle_id is None or (isinstance(bundle_id, str) and not bundle_id.strip())
            yield row | {"app_identity": row.get("name") if has_none else bundle_id}
