"""The Import Set API for single records.

Source: ServiceNow, "Import Set API" (POST and GET /now/import/{stagingTableName}), KB0813776 (rows stay pending when
"Transform synchronously" is off).
"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from include.sandbox.servicenow.auth import User
from include.sandbox.servicenow.errors import invalid_table, no_record
from include.sandbox.servicenow.import_sets import stage_one
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.request_body import RecordBody
from include.sandbox.servicenow.roles import require_import_role
from include.sandbox.servicenow.schema import Table
from include.sandbox.servicenow.staging import by_name, to_row
from include.sandbox.servicenow.store import Record
from include.sandbox.servicenow.transform import MapOutcome, transform_one
from include.sandbox.servicenow.transform_course import course_of_request
from include.sandbox.servicenow.transform_maps import TransformMap
from include.sandbox.servicenow.transform_row import IGNORED_BY_SCRIPT, RowResult

router = APIRouter()


def staging_of(instance: Instance, name: str) -> Table:
    """Return a staging table that the account may import into."""
    require_import_role(instance)
    table = instance.schema.find(name)
    if table is None or not instance.schema.is_staging(name):
        raise invalid_table(name)
    return table


@router.post("/import/{table}")
def post_record(request: Request, instance: InstanceOf, user: User, table: str, record: RecordBody) -> Response:
    """Stage one record and transform it at once."""
    staging = staging_of(instance, table)
    row = to_row(record, staging, by_name(staging), labels=False)
    with instance.transform_lock:
        staged = stage_one(instance, table, row, by=user)
        if not instance.settings.transform_synchronously:
            return _answer(staged.number, table, [_UNTOUCHED], status=201)
        course = course_of_request(instance, table, 1)
        if course.held_by:
            return _answer(staged.number, table, [_UNTOUCHED], status=201)
        outcomes = transform_one(instance, table, staged, course)
    results = [_result(instance, str(request.base_url), outcome, staged.sys_id) for outcome in outcomes]
    return _answer(staged.number, table, results or [_NO_MAP], status=201)


@router.get("/import/{table}/{sys_id}")
def get_record(request: Request, instance: InstanceOf, _user: User, table: str, sys_id: str) -> Response:
    """Return what became of a staging row."""
    staging_of(instance, table)
    row = instance.store.get(table, sys_id)
    if row is None:
        raise no_record()
    import_set = instance.store.get("sys_import_set", row["sys_import_set"])
    number = import_set["number"] if import_set else ""
    if row["sys_import_state"] == "pending":
        return _answer(number, table, [{"transform_map": "", "status": "pending"}], status=200)
    result = RowResult(
        status=row["sys_import_state"],
        target_sys_id=row["sys_target_sys_id"],
        comment=row["sys_import_state_comment"],
    )
    each = _map_of(instance, row)
    results = [_result(instance, str(request.base_url), MapOutcome(each, result), sys_id)] if each else [_NO_MAP]
    return _answer(number, table, results, status=200)


_UNTOUCHED: dict[str, Any] = {"transform_map": "", "status": "error", "error_message": "Invalid table "}
_NO_MAP: dict[str, Any] = {
    "transform_map": "",
    "status": "error",
    "error_message": "No transform entry or scripts are defined; Target record not found",
}


def _map_of(instance: Instance, row: Record) -> TransformMap | None:
    maps = instance.maps.maps_for(row["sys_class_name"])
    return next((each for each in maps if each.sys_id == row["sys_transform_map"]), None)


def _answer(number: str, table: str, results: list[dict[str, Any]], *, status: int) -> Response:
    return SnowJson({"import_set": number, "staging_table": table, "result": results}, status_code=status)


def _result(instance: Instance, base_url: str, outcome: MapOutcome, row_sys_id: str) -> dict[str, Any]:
    """Return one entry of ``result``; a row skipped for a missing key has its own sys_id there."""
    each, result = outcome.map, outcome.result
    answer: dict[str, Any] = {"transform_map": each.name, "table": each.target_table}
    target = instance.store.get(each.target_table, result.target_sys_id) if result.target_sys_id else None
    if target:
        display = instance.schema[each.target_table].display
        answer |= {
            "display_name": display,
            "display_value": target.get(display, ""),
            "record_link": f"{base_url}api/now/table/{each.target_table}/{target['sys_id']}",
        }
    if result.comment == IGNORED_BY_SCRIPT:
        return answer | {
            "status": "error", "error_message": "Target record not found", "status_message": result.comment
        }  # fmt: skip
    answer["status"] = result.status
    if target or result.status == "skipped":
        answer["sys_id"] = target["sys_id"] if target else row_sys_id
    if result.comment:
        answer["error_message" if result.status == "error" else "status_message"] = result.comment
    return answer
