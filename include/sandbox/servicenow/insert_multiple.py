"""insertMultiple: many records into an import set of their own, transformed later unless configured otherwise.

Source: ServiceNow, "Import Set API" (POST /now/import/{stagingTableName}/insertMultiple; keys are column labels by
default, the transform is asynchronous by default; ``sys_rest_insert_multiple`` changes both for a table; JSON only).
"""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from include.sandbox.servicenow import import_sets
from include.sandbox.servicenow.auth import User
from include.sandbox.servicenow.errors import ApiError, unreadable_body
from include.sandbox.servicenow.import_set_api import staging_of
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.request_body import Body
from include.sandbox.servicenow.staging import by_label, by_name, to_row
from include.sandbox.servicenow.store import Record
from include.sandbox.servicenow.transform import transform_set
from include.sandbox.servicenow.transform_course import course_of_request
from include.sandbox.servicenow.xml_bodies import XML_TYPES, wants_xml

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a table takes many records."""

    labels: bool
    synchronous: bool


def _json_only(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() in XML_TYPES:
        raise ApiError(415, "Unsupported media type", "insertMultiple takes application/json only")
    if wants_xml(request.headers.get("accept", "")):
        raise ApiError(406, "Not acceptable", "insertMultiple answers in application/json only")


@router.post("/import/{table}/insertMultiple", dependencies=[Depends(_json_only)])
def insert_multiple(
    instance: InstanceOf, user: User, *, table: str, body: Body, multi_import_set_id: str = "", run_after: str = ""
) -> Response:
    """Stage the records and answer with the sys_ids of both sets, never with results of rows."""
    staging = staging_of(instance, table)
    records = _records(body)
    configuration = configuration_of(instance, table)
    keys = by_label(staging) if configuration.labels else by_name(staging)
    rows = (to_row(record, staging, keys, labels=configuration.labels) for record in records)
    mode = import_sets.SYNCHRONOUS if configuration.synchronous else import_sets.ASYNCHRONOUS
    with instance.database.transaction():
        multi = import_sets.open_multi_set(instance, multi_import_set_id, by=user)
        opened = import_sets.open_set(instance, table, mode=mode, multi_import_set=multi, run_after=run_after, by=user)
        staged = import_sets.stage_many(instance, opened, rows, by=user)
    if configuration.synchronous:
        _transform_now(instance, opened, staged)
    else:
        instance.jobs.submit(opened["sys_id"], run_after=run_after)
    return SnowJson({"import_set_id": opened["sys_id"], "multi_import_set_id": multi}, status_code=201)


def configuration_of(instance: Instance, table: str) -> Configuration:
    """Return what ``sys_rest_insert_multiple`` says about a table, else what the switches say."""
    found = instance.store.find("sys_rest_insert_multiple", {"source_table": table})
    if found:
        mapping = found[0]["column_mapping"].lower()
        return Configuration(
            labels=mapping in ("", "label"), synchronous=found[0]["transformation"].lower() == "synchronous"
        )
    settings = instance.settings
    return Configuration(
        labels=settings.insert_multiple_keys == "label", synchronous=settings.insert_multiple_synchronous
    )


def _transform_now(instance: Instance, import_set: Record, rows: int) -> None:
    course = course_of_request(instance, import_set["table_name"], rows)
    if course.held_by:
        instance.jobs.hold(import_set["sys_id"], course.held_by)
    else:
        transform_set(instance, import_set, course)


def _records(body: Any) -> list[dict[str, Any]]:
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise unreadable_body("The payload must be an object with a list of objects in 'records'.")
    return records
