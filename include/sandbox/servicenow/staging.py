"""Records as they arrive, into the text that a staging table stores.

Source: ServiceNow, "Import Set API" (strings only, nested objects, column labels), "Maximum row size", "Import set
properties" (truncation to the staging column's length).
"""

import json
from collections.abc import Mapping
from typing import Any

from include.sandbox.servicenow.schema import Table
from include.sandbox.servicenow.store import Record

MAX_ROW_BYTES = 8126


def by_name(table: Table) -> dict[str, str]:
    """Return the columns that a record may fill, keyed by name."""
    return {name: name for name in table.columns if _is_own(name)}


def by_label(table: Table) -> dict[str, str]:
    """Return the columns that a record may fill, keyed by label in lower case."""
    return {column.label.lower(): name for name, column in table.columns.items() if _is_own(name)}


def to_row(record: Mapping[str, Any], table: Table, keys: Mapping[str, str], *, labels: bool) -> Record:
    """Return the staging row of a record: unknown keys are dropped without a word, long values cut."""
    row: Record = {}
    for key, value in record.items():
        name = keys.get(key.strip().lower() if labels else key)
        if name is not None:
            row[name] = to_text(value)[: table.columns[name].max_length]
    return row


def is_too_large(row: Mapping[str, str]) -> bool:
    """Say whether a row exceeds what one row of the database holds."""
    if sum(map(len, row.values())) * 4 <= MAX_ROW_BYTES:
        return False
    return sum(len(value.encode()) for value in row.values()) > MAX_ROW_BYTES


def to_text(value: Any) -> str:
    """Return a JSON value as ServiceNow stores it; objects take the form of a Java map."""
    if isinstance(value, str):
        # A lone surrogate, which JSON allows, is no text that a database can hold.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None:
        return ""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={to_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_text, value)) + "]"
    return json.dumps(value)


def _is_own(name: str) -> bool:
    return not name.startswith("sys_") and name not in ("import_set_run", "template_import_log")
