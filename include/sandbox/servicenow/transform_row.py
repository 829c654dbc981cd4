"""One staging row through one transform map.

Source: ServiceNow, "Import Set API" (statuses), "Create a transform map" (copy empty fields, mandatory fields),
"Import sets key concepts" (the word NULL clears a field).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from include.sandbox.servicenow import coalesce
from include.sandbox.servicenow.field_values import FieldValue, convert
from include.sandbox.servicenow.references import References
from include.sandbox.servicenow.schema import Column, Table
from include.sandbox.servicenow.store import Record, Store
from include.sandbox.servicenow.targets import Targets
from include.sandbox.servicenow.transform_maps import FieldMap, TransformMap

CLEAR = "NULL"
UNCHANGED = "No field values changed"
IGNORED_BY_SCRIPT = "Row transform ignored by onBefore script"
INVALID_TARGET = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of a row: ``comment`` goes into the row's comment, ``error_code`` is 0 where there is none."""

    status: str
    target_sys_id: str = ""
    comment: str = ""
    error_code: int = 0


@dataclass(frozen=True, slots=True)
class RowTransform:
    """Applies a map to rows; one for each block, because references are remembered."""

    store: Store
    map: TransformMap
    references: References
    case_sensitive_boolean: bool
    targets: Targets

    def read(self, row: Mapping[str, str]) -> RowResult | tuple[Table, Record, str]:
        """Return what a row wants written, with a comment, or what became of it if it was refused before that."""
        table = self.store.schema.find(self.map.target_table)
        if table is None or not self.map.fields:
            what = "Invalid table " if table is None else "No transform entry or scripts are defined; "
            message = f"{what}{self.map.target_table}" if table is None else f"{what}Target record not found"
            return RowResult(status="error", comment=message, error_code=INVALID_TARGET)
        values: Record = {}
        comments: list[str] = []
        for field in self.map.fields:
            given = self._value(table, field, row.get(field.source, ""))
            if given.reject_code:
                return RowResult(status="error", comment=given.comment, error_code=given.reject_code)
            if given.comment:
                comments.append(given.comment)
            if given.value is not None:
                values[field.target] = given.value
        return table, values, ";".join(comments)

    def _value(self, table: Table, field: FieldMap, text: str) -> FieldValue:
        column = table.columns.get(field.target)
        if column is None or (not text and not self.map.copy_empty_fields):
            return FieldValue(None)
        if not text or text == CLEAR:
            return FieldValue("")
        return self._filled(table, column, field, text)

    def _filled(self, table: Table, column: Column, field: FieldMap, text: str) -> FieldValue:
        if column.reference:
            return self.references.resolve(text, column, field)
        if column.type == "choice":
            return self.references.choose(text, column, table.name, field)
        return convert(text, column, date_format=field.date_format, case_sensitive_boolean=self.case_sensitive_boolean)

    def write(self, table: Table, values: Record, comment: str) -> RowResult:
        """Write a row's target record, at the latest when the targets are flushed, and return what became of it."""
        has_key = coalesce.values_present(self.map, values)
        if not has_key and not self.map.create_on_empty_coalesce:
            return RowResult(status="skipped", comment=_joined(coalesce.NOT_PRESENT, comment))
        found = self.targets.find(values) if has_key else None
        missing = self._missing_mandatory(table, values, found)
        if missing:
            message = f"Mandatory field(s) missing: {', '.join(missing)}"
            return RowResult(status="error", comment=_joined(message, comment), error_code=INVALID_TARGET)
        if found is None:
            created = self.targets.insert(values)
            return RowResult(status="inserted", target_sys_id=created["sys_id"], comment=comment)
        changes = {name: value for name, value in values.items() if found[name] != value}
        if not changes:
            return RowResult(status="ignored", target_sys_id=found["sys_id"], comment=_joined(UNCHANGED, comment))
        self.targets.update(found, changes)
        return RowResult(status="updated", target_sys_id=found["sys_id"], comment=comment)

    def _missing_mandatory(self, table: Table, values: Record, found: Record | None) -> list[str]:
        rule = self.map.enforce_mandatory.lower().replace(" ", "")
        if rule in ("", "no"):
            return []
        mapped = {field.target for field in self.map.fields}
        names = [c.name for c in table.columns.values() if c.mandatory and (rule == "allfields" or c.name in mapped)]
        return [name for name in names if not {**(found or {}), **values}.get(name)]


def _joined(*parts: str) -> str:
    return ";".join(part for part in parts if part)
