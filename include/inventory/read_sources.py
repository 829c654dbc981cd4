"""Read the extracted pages as source frames, some thousand rows at a time: a column per field, a row per record.

A column whose cells are all null or text that a cell can hold is of the type "str", which is worked on as a whole;
any other is of objects: JSON's scalars, None where a field is absent, ``Unusable`` for what no cell can hold.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa

from include.inventory.bulk_write import batched
from include.inventory.cells import Unusable, scalar
from include.inventory.mapping import FeedMapping, SourceName
from include.inventory.page_files import iter_files, iter_pages
from include.inventory.run_folder import RunFolder
from include.inventory.source_fields import PRISM_PREFIX
from include.storage import StoragePath
from include.texts import to_arrow, to_series

Record = dict[str, Any]
Columns = list[list[Any]]

BATCH_ROWS = 30_000
"""Rows that are shaped at a time, a file of pages more or less."""

TAGS = "tag_names"
"""The device's tags in one cell, one a line."""

_DEVICE_BASE = (TAGS, "device_id", "serial_number", "platform", "blueprint_id", "blueprint_name", "last_enrollment")
_APP_BASE = ("device_id", "serial_number", "device__family", "blueprint_id", "blueprint_name", "updated_at")
_APP_IDENTITY, _APP_IDENTITY_OF = "app_identity", ("bundle_id", "name")


def source_fields(mapping: FeedMapping, source: SourceName) -> list[str]:
    """Return the fields that the feeds of a source read, and those that every row is judged by."""
    base = _DEVICE_BASE if source == "devices" else _APP_BASE
    wanted = dict.fromkeys(base)
    for feed in mapping.of_source(source):
        wanted |= dict.fromkeys(name for column in feed.columns for name in column.sources)
        if feed.removed_flag and source == "apps":
            wanted[feed.removed_flag] = None
    return list(wanted)


def iter_source(
    folder: RunFolder, mapping: FeedMapping, source: SourceName, *, batch_rows: int = BATCH_ROWS
) -> Iterator[pd.DataFrame]:
    """Yield the source's frames, indexed by the rows' positions in the whole source; one empty frame at least."""
    fields = source_fields(mapping, source)
    parts = _devices(folder, fields) if source == "devices" else _apps(folder, fields)
    start = 0
    for columns in _batches(parts, len(fields), batch_rows):
        rows = len(columns[0])
        index = pd.RangeIndex(start, start + rows)
        series = {name: _column(cells, index) for name, cells in zip(fields, columns, strict=True)}
        start += rows
        yield pd.DataFrame(series, index=index)


def listed_again(folder: RunFolder, source: SourceName) -> frozenset[int]:
    """Return the rows of devices that moved to a later page while the pages were read; the later row is newer."""
    if source != "devices":
        return frozenset()  # a device has many apps
    last: dict[str, int] = {}
    again: list[int] = []
    rows = (row for page in iter_pages(folder.pages("devices")) for row in page)
    for position, row in enumerate(rows):
        device_id = row.get("device_id")
        if isinstance(device_id, str):
            again += [last[device_id]] if device_id in last else []
            last[device_id] = position
    return frozenset(again)


def flat_device(row: Record) -> Record:
    """Return a row of ``GET /devices`` with the assigned user's fields as its own."""
    return row | _user(row.get("user"))


def _batches(parts: Iterable[Columns], width: int, batch_rows: int) -> Iterator[Columns]:
    batch: Columns = [[] for _ in range(width)]
    empty = True
    for columns in parts:
        for cells, more in zip(batch, columns, strict=True):
            cells += more
        if len(batch[0]) >= batch_rows:
            yield batch
            batch, empty = [[] for _ in range(width)], False
    if empty or batch[0]:
        yield batch


def _column(cells: list[Any], index: pd.Index) -> pd.Series:
    try:
        texts = to_series(pa.array(cells, type=pa.large_string()), index)
    except (pa.ArrowTypeError, pa.ArrowInvalid, UnicodeEncodeError):
        return pd.Series([scalar(cell) for cell in cells], index=index, dtype=object)
    usable = all(_is_usable(text) for text in to_arrow(texts).dictionary_encode().dictionary.to_pylist())
    return texts if usable else pd.Series([scalar(cell) for cell in cells], index=index, dtype=object)


def _is_usable(text: str) -> bool:
    return not isinstance(scalar(text), Unusable)


def _devices(folder: RunFolder, fields: list[str]) -> Iterator[Columns]:
    for some in batched(_device_records(folder, fields), BATCH_ROWS):
        yield [[record.get(name) for record in some] for name in fields]


def _device_records(folder: RunFolder, fields: list[str]) -> Iterator[Record]:
    """Yield the rows of /devices with the assigned user flattened and Prism's row of the same device beside them."""
    beside = {name: name.removeprefix(PRISM_PREFIX) for name in fields if name.startswith(PRISM_PREFIX)}
    prism = {
        row["device_id"]: {name: row.get(own) for name, own in beside.items()}
        for page in iter_pages(folder.pages("device_information"))
        for row in page
        if isinstance(row.get("device_id"), str)
    }
    for page in iter_pages(folder.pages("devices")):
        for row in page:
            device_id = row.get("device_id")
            match = prism.get(device_id, {}) if isinstance(device_id, str) else {}
            tags = row.get("tags") if isinstance(row.get("tags"), list) else []
            beside_tags = {TAGS: "\n".join(tag for tag in tags or [] if isinstance(tag, str))}
            yield flat_device(row) | beside_tags | match


def _user(user: Any) -> Record:
    """Flatten the assigned user: an object, or "" (null on some endpoints) where nobody is assigned."""
    if user in ("", None):
        return {}
    if not isinstance(user, dict):
        return {"user_email": [user]}  # not a scalar: the row's model rejects it
    return {f"user_{part}": user.get(part) for part in ("id", "name", "email")}


def _apps(folder: RunFolder, fields: list[str]) -> Iterator[Columns]:
    wanted = tuple(name for name in dict.fromkeys([*fields, *_APP_IDENTITY_OF]) if name != _APP_IDENTITY)
    for body in (body for pages in app_folders(folder) for body in iter_files(pages)):
        columns = dict(zip(wanted, _decode(body, wanted), strict=True))
        columns[_APP_IDENTITY] = list(map(_identity, *(columns[name] for name in _APP_IDENTITY_OF)))
        yield [columns[name] for name in fields]


def app_folders(folder: RunFolder) -> list[StoragePath]:
    """Return where the pages of apps are: in one folder, or in one for each share of the extract."""
    shares = int(folder.told_by("extract").get("shares", 0))
    return [folder.pages(f"apps-{number}") for number in range(shares)] or [folder.pages("apps")]


def _identity(bundle_id: Any, name: Any) -> Any:
    """Return an app's bundle id, or the name of one that has none."""
    return name if bundle_id is None or (isinstance(bundle_id, str) and not bundle_id.strip()) else bundle_id


def _decode(body: bytes, names: tuple[str, ...]) -> Columns:
    """Return some fields of a file's rows, column by column; the others are passed over undecoded."""
    try:
        pages = _decoder(names).decode(body)
    except (ValueError, RecursionError):  # JSON that only Python's reader takes
        return _decode_slowly(body, names)
    columns = zip(*(msgspec.structs.astuple(row) for page in pages for row in page), strict=True)
    return list(map(list, columns)) or [[] for _ in names]


def _decode_slowly(body: bytes, names: Sequence[str]) -> Columns:
    rows: list[Mapping[str, Any]] = [row for page in json.loads(body) for row in page]
    return [[row.get(name) for row in rows] for name in names]


@cache
def _decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Return a decoder of pages of rows with some fields, in their order."""
    fields = {f"field_{position}": name for position, name in enumerate(names)}
    row = msgspec.defstruct("Row", [(field, Any, None) for field in fields], rename=fields, gc=False)
    return msgspec.json.Decoder(list[list[row]])  # type: ignore[valid-type]  # made at run time
