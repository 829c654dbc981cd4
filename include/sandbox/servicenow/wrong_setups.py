"""Set-ups that an administrator got wrong: maps that are inactive, columns that do not exist or are too short.

A property of the instance keeps what was last applied, so that only what the switches changed is changed back.
"""

from collections.abc import Iterable

from include.sandbox.servicenow.dictionary import entry_of, set_lengths
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.schema import Schema
from include.sandbox.servicenow.staging import by_name
from include.sandbox.servicenow.store import Store, quote

_MAPS, _COLUMNS = "sandbox.maps_inactive", "sandbox.missing_columns"
_LENGTHS = "sandbox.column_lengths"
_TRANSFORMERS = ("sys_transform_map", "sys_robust_import_set_transformer")


def follow_wrong_setups(instance: Instance, pristine: Schema) -> None:
    """Bring maps and columns to what the switches say; raises ValueError for a table or column that never existed."""
    settings, store = instance.settings, instance.store
    _check(settings.maps_inactive, settings.missing_columns, pristine)
    for table in _applied(store, _MAPS, settings.maps_inactive):
        _set_active(store, table, active=table not in settings.maps_inactive)
    for dotted in _applied(store, _COLUMNS, settings.missing_columns):
        table, _, column = dotted.partition(".")
        if dotted in settings.missing_columns:
            _drop_column(store, table, column)
        else:
            _add_column(store, pristine, table, column)
    applied = _applied(store, _LENGTHS, settings.column_lengths)
    set_lengths(store, [text if text in settings.column_lengths else _original(text, pristine) for text in applied])


def _original(text: str, pristine: Schema) -> str:
    """Return the length that a column had when the instance was new, in the switch's own words."""
    dotted = text.partition(":")[0]
    table, _, column = dotted.partition(".")
    return f"{dotted}:{pristine[table].columns[column].max_length}"


def _check(tables: Iterable[str], columns: Iterable[str], pristine: Schema) -> None:
    for name in tables:
        if not pristine.is_staging(name):
            raise ValueError(f"maps_inactive takes staging tables, got {name!r}")
    for dotted in columns:
        name, _, column = dotted.partition(".")
        if not pristine.is_staging(name) or column not in by_name(pristine[name]):
            raise ValueError(f"missing_columns takes a staging table's own columns as table.column, got {dotted!r}")


def _applied(store: Store, name: str, wanted: tuple[str, ...]) -> list[str]:
    """Return what is wanted or was before, and remember what is wanted now."""
    found = store.find("sys_properties", {"name": name})
    before = found[0]["value"].split(",") if found and found[0]["value"] else []
    value = ",".join(wanted)
    if found and found[0]["value"] != value:
        store.update("sys_properties", found[0]["sys_id"], {"value": value})
    elif not found and value:
        store.insert("sys_properties", {"name": name, "value": value})
    return list(dict.fromkeys([*before, *wanted]))


def _set_active(store: Store, staging_table: str, *, active: bool) -> None:
    for table in _TRANSFORMERS:
        for row in store.find(table, {"source_table": staging_table}):
            store.update(table, row["sys_id"], {"active": "true" if active else "false"})


def _drop_column(store: Store, table: str, column: str) -> None:
    """Take a column out of the dictionary and out of storage, with what it held."""
    for described in ("sys_dictionary", "sys_documentation"):
        for row in store.find(described, {"name": table, "element": column}):
            store.delete(described, row["sys_id"])
    if column in store.schema[table].columns:
        store.schema.drop_column(table, column)
    with store.database.transaction() as connection:
        if column not in _stored_columns(store, table):
            return
        for index in connection.execute(f"PRAGMA index_list({quote(table)})").fetchall():
            indexed = [row["name"] for row in connection.execute(f"PRAGMA index_info({quote(index['name'])})")]
            if column in indexed:
                connection.execute(f"DROP INDEX {quote(index['name'])}")
        connection.execute(f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}")


def _add_column(store: Store, pristine: Schema, table: str, column: str) -> None:
    """Put a column back as it was when the instance was new, empty."""
    original = pristine[table]
    store.schema.put_column(table, original.columns[column])
    store.create_table(store.schema[table])
    store.insert("sys_dictionary", entry_of(original, original.columns[column]))
    label = original.columns[column].label
    store.insert("sys_documentation", {"name": table, "element": column, "label": label, "language": "en"})


def _stored_columns(store: Store, table: str) -> set[str]:
    return {row["name"] for row in store.database.rows(f"PRAGMA table_info({quote(table)})")}
