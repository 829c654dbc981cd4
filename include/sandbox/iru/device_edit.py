"""``PATCH`` and ``DELETE /devices/{id}``."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from include.sandbox.iru.audit import device_deleted, device_updated, record_events
from include.sandbox.iru.device_rows import DEVICE_SOURCE, device_json, find_device
from include.sandbox.iru.errors import ApiError, bad_field, bad_request
from include.sandbox.iru.tenant import Tenant, TenantOf

router = APIRouter()


@router.patch("/devices/{device_id}")
async def patch_device(device_id: str, request: Request, tenant: TenantOf) -> JSONResponse:
    """Change user, asset tag, blueprint or tags; return the device as it is then."""
    row = find_device(tenant, device_id)
    columns = _columns(tenant, await read_json_object(request))
    edit_device(tenant, row["id"], columns)
    row = find_device(tenant, device_id)
    return JSONResponse(device_json(row, tenant.switches))


@router.delete("/devices/{device_id}")
def delete_device(device_id: str, tenant: TenantOf) -> Response:
    """Remove the device's record and its apps for good."""
    remove_device(tenant, find_device(tenant, device_id))
    return Response(status_code=204)


def edit_device(tenant: Tenant, device_id: str, columns: dict[str, Any]) -> None:
    """Write ``columns`` of one device; all but the user leave a trace in the audit log."""
    if not columns:
        return
    now = tenant.now()
    settings = ", ".join(f"{name} = :{name}" for name in ("updated_at", *columns))
    with tenant.database.transaction() as connection:
        before = _stored(connection, device_id)
        connection.execute(
            f"UPDATE devices SET {settings} WHERE id = :id",  # noqa: S608 - own names, bound values
            {**columns, "updated_at": now, "id": device_id},
        )
        after = _stored(connection, device_id)
        changed = [name for name in ("blueprint_id", "asset_tag", "tags") if before[name] != after[name]]
        record_events(connection, (device_updated(dict(after), name.removesuffix("_id"), at=now) for name in changed))


def remove_device(tenant: Tenant, row: sqlite3.Row) -> None:
    """Delete one device with its apps and note it in the audit log."""
    with tenant.database.transaction() as connection:
        connection.execute("DELETE FROM apps WHERE device_seq = ?", (row["seq"],))
        connection.execute("DELETE FROM devices WHERE seq = ?", (row["seq"],))
        record_events(connection, [device_deleted(dict(row), at=tenant.now())])


async def read_json_object(request: Request) -> dict[str, Any]:
    """Return the body; 415 for another media type, 400 for what is not a JSON object."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(415, {"detail": f'Unsupported media type "{media_type}" in request.'})
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise bad_request(f"JSON parse error - {error}") from error
    if not isinstance(body, dict):
        raise bad_request(f"Invalid data. Expected a dictionary, but got {type(body).__name__}.")
    return body


def _stored(connection: sqlite3.Connection, device_id: str) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(f"{DEVICE_SOURCE} WHERE d.id = ?", (device_id,)).fetchone()
    return row


def _columns(tenant: Tenant, body: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in body.items():
        if name in _READERS:
            column, read = _READERS[name]
            columns[column] = read(tenant, value)
    return columns


def _user(tenant: Tenant, value: Any) -> str | None:
    if value in (None, ""):
        return None
    user_id = _uuid("user", value)
    if not tenant.database.rows("SELECT 1 FROM users WHERE id = ?", (user_id,)):
        raise bad_field("user", f'Invalid pk "{value}" - object does not exist.')
    return user_id


def _blueprint(tenant: Tenant, value: Any) -> str:
    blueprint_id = _uuid("blueprint_id", value)
    if not tenant.database.rows("SELECT 1 FROM blueprints WHERE id = ?", (blueprint_id,)):
        raise bad_field("blueprint_id", f'Invalid pk "{value}" - object does not exist.')
    return blueprint_id


def _asset_tag(_tenant: Tenant, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise bad_field("asset_tag", "Not a valid string.")
    return value or None


def _tags(tenant: Tenant, value: Any) -> str:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise bad_field("tags", "Expected a list of strings.")
    with tenant.database.transaction() as connection:
        for name in value:
            connection.execute("INSERT OR IGNORE INTO tags (id, name) VALUES (?, ?)", (str(uuid4()), name))
    return json.dumps(value, ensure_ascii=False)


def _uuid(name: str, value: Any) -> str:
    try:
        return str(UUID(value))
    except (AttributeError, TypeError, ValueError) as error:
        raise bad_field(name, f"“{value}” is not a valid UUID.") from error


_READERS: dict[str, tuple[str, Callable[[Tenant, Any], Any]]] = {
    "user": ("user_id", _user),
    "asset_tag": ("asset_tag", _asset_tag),
    "blueprint_id": ("blueprint_id", _blueprint),
    "tags": ("tags", _tags),
}
