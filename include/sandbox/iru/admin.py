"""The tenant's admin API under ``/_sandbox``: switches, counters, time, tokens, and the fleet."""

from dataclasses import asdict
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from include.sandbox.common.switches import SwitchError, change_switches
from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.iru.change import change_fleet
from include.sandbox.iru.change_plan import ChangeCounts
from include.sandbox.iru.device_edit import read_json_object
from include.sandbox.iru.errors import bad_request
from include.sandbox.iru.tenant import TenantOf

router = APIRouter(prefix=ADMIN_PREFIX)


@router.get("/switches")
def get_switches(tenant: TenantOf) -> JSONResponse:
    """Return all switches."""
    return JSONResponse(asdict(tenant.switches))


@router.patch("/switches")
async def patch_switches(request: Request, tenant: TenantOf) -> JSONResponse:
    """Change some switches and return all."""
    changes = await read_json_object(request)
    try:
        tenant.switches = change_switches(tenant.switches, changes)
    except SwitchError as error:
        raise bad_request(str(error)) from error
    return JSONResponse(asdict(tenant.switches))


@router.get("/counters")
def get_counters(tenant: TenantOf) -> JSONResponse:
    """Return what the tenant has seen since it started, or since the counters were cleared."""
    return JSONResponse(tenant.traffic.snapshot())


@router.delete("/counters")
def delete_counters(tenant: TenantOf) -> JSONResponse:
    """Start counting from zero."""
    tenant.traffic.reset()
    return JSONResponse(tenant.traffic.snapshot())


@router.post("/clock")
async def advance_clock(request: Request, tenant: TenantOf) -> JSONResponse:
    """Travel ``advance_s`` seconds forward and return the new present."""
    body = await read_json_object(request)
    seconds = body.get("advance_s", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise bad_request(f"advance_s takes seconds, 0 or more, got {seconds!r}")
    return JSONResponse({"now": tenant.clock.advance(seconds).isoformat()})


@router.post("/tokens")
async def add_token(request: Request, tenant: TenantOf) -> JSONResponse:
    """Create a token that may not make the calls in ``denied`` (patterns such as ``GET /prism/*``)."""
    body = await read_json_object(request)
    denied = body.get("denied", [])
    if not isinstance(denied, list) or not all(isinstance(pattern, str) for pattern in denied):
        raise bad_request("denied takes a list of patterns")
    token, patterns = str(uuid4()), ",".join(denied)
    with tenant.database.transaction() as connection:
        connection.execute("INSERT INTO tokens VALUES (?, ?)", (token, patterns))
    tenant.tokens[token] = patterns
    return JSONResponse({"token": token, "denied": denied}, status_code=201)


@router.get("/fleet")
def get_fleet(tenant: TenantOf) -> JSONResponse:
    """Return how big the fleet is."""
    families = tenant.database.rows("SELECT family, count(*) FROM devices GROUP BY family ORDER BY family")
    return JSONResponse(
        {
            "devices": sum(row[1] for row in families),
            "devices_by_family": {row[0]: row[1] for row in families},
            "apps": _count(tenant, "apps WHERE is_removed = 0"),
            "apps_removed": _count(tenant, "apps WHERE is_removed = 1"),
            "devices_without_serial_number": _count(tenant, "devices WHERE serial_number = ''"),
            "devices_without_user": _count(tenant, "devices WHERE user_id IS NULL"),
            "users": _count(tenant, "users"),
            "blueprints": _count(tenant, "blueprints"),
            "tags": _count(tenant, "tags"),
            "audit_events": _count(tenant, "audit"),
        }
    )


@router.post("/fleet/change")
async def post_change(request: Request, tenant: TenantOf) -> JSONResponse:
    """Change the fleet by the counts given and return what was changed."""
    body: dict[str, Any] = await read_json_object(request)
    seed = body.pop("seed", 1)
    try:
        counts = ChangeCounts.read(body)
    except ValueError as error:
        raise bad_request(str(error)) from error
    changes = await run_in_threadpool(change_fleet, tenant, counts, seed=seed)
    return JSONResponse({"seed": seed, "changes": changes})


def _count(tenant: TenantOf, what: str) -> int:
    return int(tenant.database.rows(f"SELECT count(*) FROM {what}")[0][0])  # noqa: S608 - own names
