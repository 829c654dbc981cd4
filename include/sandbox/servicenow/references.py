"""Reference and choice fields of a transform: find the value, else create, ignore or reject.

Source: ServiceNow, "Create a field map" (choice action, referenced value field name), "Import run history" (row error
codes 100 and 200).
"""

from include.sandbox.servicenow.field_values import FieldValue
from include.sandbox.servicenow.schema import Column
from include.sandbox.servicenow.store import Store, quote
from include.sandbox.servicenow.transform_maps import FieldMap

REFERENCE_REJECTED = 100
CHOICE_REJECTED = 200


class References:
    """Resolves values for one block of rows, and remembers what it found."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[str, str, str], str] = {}

    def resolve(self, text: str, column: Column, field: FieldMap) -> FieldValue:
        """Return the sys_id of the record that ``text`` names."""
        table = self._store.schema.find(column.reference)
        if table is None:
            return FieldValue(text)
        lookup = field.lookup or table.display
        key = (table.name, lookup, text.lower())
        if key not in self._found:
            found = self._find(table.name, lookup, text)
            if found is None:
                return self._missing(text, column, field, key)
            self._found[key] = found
        return FieldValue(self._found[key])

    def _find(self, table: str, lookup: str, text: str) -> str | None:
        sql = f"SELECT sys_id FROM {quote(table)} WHERE {quote(lookup)} = ? LIMIT 1"  # noqa: S608 - names from the schema
        rows = self._store.database.rows(sql, (text,))
        return rows[0][0] if rows else None

    def _missing(self, text: str, column: Column, field: FieldMap, key: tuple[str, str, str]) -> FieldValue:
        if field.choice_action == "ignore":
            return FieldValue(None)
        if field.choice_action == "reject":
            return FieldValue(None, f"Reference field value rejected: {column.name}={text}", REFERENCE_REJECTED)
        table, lookup, _ = key
        self._found[key] = self._store.insert(table, {lookup: text})["sys_id"]
        return FieldValue(self._found[key])

    def choose(self, text: str, column: Column, table: str, field: FieldMap) -> FieldValue:
        """Return a choice's value; a new one is added, ignored or rejected."""
        choices = self._store.find("sys_choice", {"name": table, "element": column.name})
        for choice in choices:
            if text.lower() in (choice["value"].lower(), choice["label"].lower()):
                return FieldValue(choice["value"])
        if not choices or field.choice_action == "create":
            if choices:
                self._store.insert("sys_choice", {"name": table, "element": column.name, "label": text, "value": text})
            return FieldValue(text[: column.max_length])
        if field.choice_action == "ignore":
            return FieldValue(None)
        return FieldValue(None, f"Choice field value rejected: {column.name}={text}", CHOICE_REJECTED)
