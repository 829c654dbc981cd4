"""``GET /users`` and ``GET /users/{id}``: the user directory, newest first, pages by cursor.

``next`` names the web host, not the API's; a client takes the cursor out of it, and must not send its
token wherever the address points: https://api-docs.kandji.io (Users, List users).
"""

import base64
import sqlite3
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_filters import Condition
from include.sandbox.iru.errors import ApiError, not_found
from include.sandbox.iru.paging import page_address, web_host
from include.sandbox.iru.prism_filters import join_conditions
from include.sandbox.iru.spelling import zulu_time
from include.sandbox.iru.tenant import Tenant, TenantOf

PAGE_SIZE = 300
_INTEGRATION_NUMBER = 634
_SOURCE = "SELECT u.*, (SELECT count(*) FROM devices d WHERE d.user_id = u.id) AS device_count FROM users u"
router = APIRouter()


@router.get("/users")
def list_users(request: Request, tenant: TenantOf) -> JSONResponse:
    """Return one page of users."""
    condition = _condition(tenant, request.query_params)
    rows = tenant.database.rows(
        f"{_SOURCE} WHERE {condition.sql} ORDER BY u.number DESC LIMIT ?",
        (*condition.values, PAGE_SIZE + 1),
    )
    shown = rows[:PAGE_SIZE]
    following = _next_address(request, tenant, shown[-1]["number"]) if len(rows) > PAGE_SIZE else None
    results = [_user_json(tenant, row) for row in shown]
    return JSONResponse({"next": following, "previous": None, "results": results})


@router.get("/users/{user_id}")
def get_user(user_id: str, tenant: TenantOf) -> JSONResponse:
    """Return one user."""
    rows = tenant.database.rows(f"{_SOURCE} WHERE u.id = ?", (user_id.lower(),))
    if not rows:
        raise not_found()
    return JSONResponse(_user_json(tenant, rows[0]))


def _condition(tenant: Tenant, given: Mapping[str, str]) -> Condition:
    parts = []
    if given.get("email"):
        parts.append(Condition("instr(lower(u.email), lower(?)) > 0", (given["email"],)))
    if given.get("id"):
        parts.append(Condition("u.id = ?", (given["id"].lower(),)))
    if given.get("integration_id"):
        parts.append(Condition("? = ?", (given["integration_id"].lower(), _meta(tenant, "integration_id"))))
    if given.get("archived", "").lower() in ("true", "false"):
        parts.append(Condition("u.archived = ?", (given["archived"].lower() == "true",)))
    if given.get("cursor"):
        parts.append(Condition("u.number < ?", (_read_cursor(given["cursor"]),)))
    return join_conditions(parts)


def _read_cursor(cursor: str) -> int:
    try:
        name, _, number = base64.b64decode(cursor, validate=True).decode().partition("=")
        if name == "p":
            return int(number)
    except ValueError as error:
        raise ApiError(404, {"detail": "Invalid cursor"}) from error
    raise ApiError(404, {"detail": "Invalid cursor"})


def _next_address(request: Request, tenant: Tenant, number: int) -> str:
    cursor = base64.b64encode(f"p={number}".encode()).decode()
    query = {k: v for k, v in request.query_params.items() if k != "cursor"} | {"cursor": cursor}
    host = tenant.switches.users_next_host or tenant.switches.next_host or web_host(request)
    return page_address(request, host, query)


def _user_json(tenant: Tenant, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "active": not row["archived"],
        "archived": bool(row["archived"]),
        "created_at": zulu_time(row["created_at"]),
        "department": row["department"],
        "deprecated_user_id": str(row["number"]),
        "email": row["email"],
        "id": row["id"],
        "integration": {
            "id": _INTEGRATION_NUMBER,
            "name": _meta(tenant, "organization"),
            "uuid": _meta(tenant, "integration_id"),
            "type": "office365",
        },
        "job_title": row["job_title"],
        "name": row["name"],
        "device_count": row["device_count"],
        "updated_at": zulu_time(row["updated_at"]),
    }


def _meta(tenant: Tenant, key: str) -> str:
    return str(tenant.database.rows("SELECT value FROM meta WHERE key = ?", (key,))[0][0])
