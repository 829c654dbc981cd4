"""What a fault makes of one row, in the words that the engine has for the same thing.

Source: ServiceNow, "Import run history" (row error codes 100, 200, 800, 900), "Map with transformation event scripts"
(ignore), "Import Set API" (a row ignored by a script shows as an error there).
"""

from collections.abc import Callable, Iterable, Mapping

from include.sandbox.faults.plan import Fault
from include.sandbox.servicenow import coalesce
from include.sandbox.servicenow.references import CHOICE_REJECTED, REFERENCE_REJECTED
from include.sandbox.servicenow.schema import Column, Table
from include.sandbox.servicenow.transform_maps import FieldMap, TransformMap
from include.sandbox.servicenow.transform_row import IGNORED_BY_SCRIPT, INVALID_TARGET, RowResult

HALTED = RowResult(status="error", comment="Transformation of the import set halted by onBefore script: error is true")
SCRIPT_ERROR = 900
_SCRIPT_TROUBLE = {
    INVALID_TARGET: "Invalid target record or field",
    SCRIPT_ERROR: 'Transform script error: Cannot read property "value" from null (sys_transform_map.script; line 7)',
}


def row_subject(table: str, sources: Iterable[str], row: Mapping[str, str]) -> str:
    """Return what a row is called when a fault is looked for: its staging table and its coalesce source values."""
    return f"{table} {' '.join(row.get(source, '') for source in sources)}"


def struck_result(fault: Fault, each: TransformMap, target: Table | None, row: Mapping[str, str]) -> RowResult:
    """Return what became of a row that a fault struck; nothing of it is written."""
    return _RESULTS[fault.kind](fault, each, target, row)


_Make = Callable[[Fault, TransformMap, Table | None, Mapping[str, str]], RowResult]


def _reference(fault: Fault, each: TransformMap, target: Table | None, row: Mapping[str, str]) -> RowResult:
    field = _field(fault, each, target, row, like=lambda column: bool(column.reference))
    message = f"Reference field value rejected: {field.target}={row.get(field.source, '')}"
    return RowResult(status="error", comment=message, error_code=REFERENCE_REJECTED)


def _choice(fault: Fault, each: TransformMap, target: Table | None, row: Mapping[str, str]) -> RowResult:
    field = _field(fault, each, target, row, like=lambda column: column.type == "choice")
    message = f"Choice field value rejected: {field.target}={row.get(field.source, '')}"
    return RowResult(status="error", comment=message, error_code=CHOICE_REJECTED)


def _mandatory(fault: Fault, each: TransformMap, target: Table | None, row: Mapping[str, str]) -> RowResult:
    field = _field(fault, each, target, row, like=lambda column: column.mandatory)
    return RowResult(status="error", comment=f"Mandatory field(s) missing: {field.target}", error_code=INVALID_TARGET)


def _script(fault: Fault, _each: TransformMap, _target: Table | None, _row: Mapping[str, str]) -> RowResult:
    code = int(fault.options["code"])
    return RowResult(status="error", comment=_SCRIPT_TROUBLE.get(code, f"Error {code}"), error_code=code)


def _skipped(*_: object) -> RowResult:
    return RowResult(status="skipped", comment=coalesce.NOT_PRESENT)


def _ignored(*_: object) -> RowResult:
    return RowResult(status="ignored", comment=IGNORED_BY_SCRIPT)


_RESULTS: Mapping[str, _Make] = {
    "row_reference_rejected": _reference,
    "row_choice_rejected": _choice,
    "row_mandatory_missing": _mandatory,
    "row_script_error": _script,
    "row_skipped": _skipped,
    "row_ignored_by_script": _ignored,
}


def _field(
    fault: Fault,
    each: TransformMap,
    target: Table | None,
    row: Mapping[str, str],
    *,
    like: Callable[[Column], bool],
) -> FieldMap:
    """Return the field that the fault names, else the first of its kind with a value, else any that is no key."""
    wanted = str(fault.options["column"])
    columns = target.columns if target else {}
    others = [field for field in each.fields if not field.coalesce] or list(each.fields)
    fitting = [f for f in others if f.target in columns and like(columns[f.target]) and row.get(f.source)]
    named = [field for field in each.fields if field.target == wanted]
    return next(iter([*named, *fitting, *others]), FieldMap(source="", target=wanted))
