"""The Table API.

Source: ServiceNow, "Table API".
"""

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from include.sandbox.servicenow.auth import User
from include.sandbox.servicenow.errors import ApiError, no_record
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.meter import note_rows
from include.sandbox.servicenow.request_body import RecordBody
from include.sandbox.servicenow.roles import readable_table, writable_table
from include.sandbox.servicenow.schema import Table
from include.sandbox.servicenow.staging import to_text
from include.sandbox.servicenow.store import Record
from include.sandbox.servicenow.table_query import (
    Page,
    TableParameters,
    pagination_headers,
    read_one,
    read_page,
    read_parameters,
)

router = APIRouter()


@router.get("/table/{table}")
def list_records(request: Request, instance: InstanceOf, _user: User, table: str) -> Response:
    """Return the records that match."""
    wanted = read_parameters(request)
    page = read_page(instance, readable_table(instance, table), wanted, str(request.base_url))
    if not page.rows and "/v1/" in request.url.path:
        raise no_record()
    return SnowJson({"result": page.rows}, headers=_list_headers(request, wanted, page))


@router.get("/table/{table}/{sys_id}")
def get_record(request: Request, instance: InstanceOf, _user: User, table: str, sys_id: str) -> Response:
    """Return one record."""
    found = readable_table(instance, table)
    return _record(request, instance, found, sys_id)


@router.post("/table/{table}")
def create_record(request: Request, instance: InstanceOf, user: User, table: str, record: RecordBody) -> Response:
    """Insert a record; names that are no columns are dropped."""
    found = writable_table(instance, table, "create")
    values = _values(instance, found, record, read_parameters(request))
    try:
        sys_id = instance.store.insert(table, values, by=user)["sys_id"]
    except sqlite3.IntegrityError as error:
        raise ApiError(403, "Operation Failed", "Error during insert: the sys_id exists") from error
    note_rows(1)
    headers = {"Location": f"{request.base_url}api/now/table/{table}/{sys_id}"}
    if request.headers.get("x-no-response-body", "").lower() == "true":
        return Response(status_code=201, headers=headers)
    return _record(request, instance, found, sys_id, status=201, headers=headers)


@router.patch("/table/{table}/{sys_id}")
@router.put("/table/{table}/{sys_id}")
def change_record(
    request: Request, instance: InstanceOf, user: User, *, table: str, sys_id: str, record: RecordBody
) -> Response:
    """Change the columns that the body names; ServiceNow treats PUT and PATCH alike."""
    found = writable_table(instance, table, "update")
    existing = _existing(instance, table, sys_id)
    found = instance.schema[existing["sys_class_name"]]
    values = _values(instance, found, record, read_parameters(request))
    changes = {name: value for name, value in values.items() if existing[name] != value}
    instance.store.update(found.name, sys_id, changes, by=user)
    note_rows(1)
    return _record(request, instance, found, sys_id)


@router.delete("/table/{table}/{sys_id}")
def delete_record(instance: InstanceOf, _user: User, table: str, sys_id: str) -> Response:
    """Delete a record."""
    writable_table(instance, table, "delete")
    instance.store.delete(_existing(instance, table, sys_id)["sys_class_name"], sys_id)
    return Response(status_code=204)


def _existing(instance: Instance, table: str, sys_id: str) -> Record:
    found = instance.store.get(table, sys_id)
    if found is None:
        raise no_record()
    return found


def _record(
    request: Request,
    instance: Instance,
    table: Table,
    sys_id: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    shown = read_one(instance, table, sys_id, read_parameters(request), str(request.base_url))
    if shown is None:
        raise no_record()
    return SnowJson({"result": shown}, status_code=status, headers=headers)


def _list_headers(request: Request, wanted: TableParameters, page: Page) -> dict[str, str]:
    if page.total is None:
        return {}
    headers = {"X-Total-Count": str(page.total)}
    if wanted.pagination:
        url = f"{request.base_url}{request.url.path.lstrip('/')}"
        headers |= pagination_headers(url, request.query_params.multi_items(), wanted, page.total)
    return headers


def _values(instance: Instance, table: Table, record: dict[str, Any], wanted: TableParameters) -> Record:
    values = {name: to_text(value) for name, value in record.items() if name in table.columns}
    if not wanted.input_display:
        return values
    return {name: _from_display(instance, table, name, value) for name, value in values.items()}


def _from_display(instance: Instance, table: Table, name: str, value: str) -> str:
    """Return the sys_id of a reference that was given by display value."""
    referenced = instance.schema.find(table.columns[name].reference)
    if referenced is None or not value:
        return value
    found = instance.store.find(referenced.name, {referenced.display: value}) if referenced.display else []
    return found[0]["sys_id"] if found else value
