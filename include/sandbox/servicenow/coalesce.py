"""Finding the record that a row belongs to.

Source: ServiceNow, "Updating records using coalesce": no coalesce field inserts always, several must all match, the
first of several matches is updated, text is compared without case.
"""

from collections.abc import Mapping

from include.sandbox.servicenow.store import Record, Store, quote
from include.sandbox.servicenow.transform_maps import TransformMap

NOT_PRESENT = "Unable to resolve target record, coalesce values not present"


def values_present(each: TransformMap, values: Mapping[str, str]) -> bool:
    """Say whether every coalesce field that may not be empty has a value."""
    return all(values.get(field.target) or field.coalesce_empty for field in each.fields if field.coalesce)


def find_target(store: Store, each: TransformMap, values: Mapping[str, str]) -> Record | None:
    """Return the first record whose coalesce fields all match; None where the map has none or nothing matches."""
    fields = [field for field in each.fields if field.coalesce]
    if not fields:
        return None
    terms = [f"{quote(f.target)} = ?{' COLLATE BINARY' if f.case_sensitive else ''}" for f in fields]
    sql = f"SELECT * FROM {quote(each.target_table)} WHERE {' AND '.join(terms)} ORDER BY rowid LIMIT 1"  # noqa: S608 - names from the schema
    rows = store.database.rows(sql, [values.get(field.target, "") for field in fields])
    return dict(rows[0]) if rows else None
