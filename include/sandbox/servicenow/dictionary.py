"""``sys_db_object`` and ``sys_dictionary``: what describes the tables, and what changes them when it is written.

Source: ServiceNow, "System dictionary", "Tables and columns module".
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from include.sandbox.servicenow.schema import Column, Table, column, table
from include.sandbox.servicenow.store import Record, Store
from include.sandbox.servicenow.tables_import import staging_table

_ROW_PARENT = "sys_import_set_row"


def describe_tables(store: Store) -> None:
    """Write the entries of every table that has none yet."""
    described = {row["name"]: row["sys_id"] for row in store.find("sys_db_object", {})}
    for each in store.schema.tables():
        if each.name not in described:
            described[each.name] = _describe(store, each, described)


def read_dictionary(store: Store) -> None:
    """Bring the schema to what the dictionary says, and follow its changes from now on."""
    for row in store.find("sys_db_object", {}):
        _apply_table(store, row)
    for row in store.find("sys_dictionary", {}):
        _apply_column(store, row)
    store.create_tables()
    store.on_change("sys_db_object", lambda sys_id: _on_table(store, sys_id))
    store.on_change("sys_dictionary", lambda sys_id: _on_column(store, sys_id))


def set_lengths(store: Store, lengths: Iterable[str]) -> None:
    """Change column lengths given as ``table.column:length``; raises ValueError for anything else."""
    for text in lengths:
        where, _, length = text.partition(":")
        name, _, element = where.partition(".")
        found = store.find("sys_dictionary", {"name": name, "element": element})
        if not found or not length.isdigit():
            raise ValueError(f"column_lengths takes table.column:length, got {text!r}")
        store.update("sys_dictionary", found[0]["sys_id"], {"max_length": length})


def _describe(store: Store, each: Table, described: Mapping[str, str]) -> str:
    parent = described.get(each.parent, "")
    created = store.insert("sys_db_object", {"name": each.name, "label": each.label, "super_class": parent})
    store.insert_many("sys_dictionary", [entry_of(each, one) for one in each.columns.values()])
    labels = [{"name": each.name, "element": c.name, "label": c.label, "language": "en"} for c in each.columns.values()]
    store.insert_many("sys_documentation", labels)
    return created["sys_id"]


def entry_of(each: Table, one: Column) -> Record:
    """Return the dictionary entry of a table's column."""
    return {
        "name": each.name,
        "element": one.name,
        "column_label": one.label,
        "internal_type": one.type,
        "max_length": str(one.max_length),
        "reference": one.reference,
        "dependent": one.table_column,
        "mandatory": "true" if one.mandatory else "false",
        "active": "true",
        "display": "true" if one.name == each.display else "false",
        "default_value": one.default,
    }


def _on_table(store: Store, sys_id: str) -> None:
    row = store.get("sys_db_object", sys_id)
    if row and _apply_table(store, row):
        added = store.schema[row["name"]]
        store.create_table(added)
        store.create_views()
        store.insert_many("sys_dictionary", [entry_of(added, one) for one in added.columns.values()])


def _apply_table(store: Store, row: Record) -> bool:
    """Add the table that ``row`` describes; False where it is known."""
    if not row["name"] or store.schema.find(row["name"]):
        return False
    parent = store.get("sys_db_object", row["super_class"]) if row["super_class"] else None
    if parent and parent["name"] == _ROW_PARENT:
        store.schema.put_table(staging_table(row["name"], [], label=row["label"]))
    else:
        store.schema.put_table(table(row["name"], "target", [], label=row["label"]))
    return True


def _on_column(store: Store, sys_id: str) -> None:
    row = store.get("sys_dictionary", sys_id)
    if row is None:
        _drop_undescribed(store)
    elif _apply_column(store, row):
        store.create_table(store.schema[row["name"]])


def _apply_column(store: Store, row: Record) -> bool:
    """Add or change the column that ``row`` describes; False where its table is not known."""
    known = store.schema.find(row["name"])
    if known is None or not row["element"]:
        return False
    length = int(row["max_length"]) if row["max_length"].isdigit() else 40
    made = column(
        row["element"],
        row["internal_type"] or "string",
        length=length,
        to=row["reference"],
        table_column=row["dependent"],
        label=row["column_label"],
        mandatory=row["mandatory"] == "true",
        default=row["default_value"],
    )
    if row["display"] == "true" and known.display != made.name:
        store.schema.put_table(replace(known, display=made.name))
    if made == known.columns.get(made.name):
        return False
    store.schema.put_column(known.name, made)
    return True


def _drop_undescribed(store: Store) -> None:
    """Forget the columns whose entry is gone; the database keeps what it holds."""
    described = {(row["name"], row["element"]) for row in store.find("sys_dictionary", {})}
    for each in store.schema.tables():
        for name in each.columns:
            if (each.name, name) not in described:
                store.schema.drop_column(each.name, name)
