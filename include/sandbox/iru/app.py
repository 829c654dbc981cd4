"""The tenant as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.exceptions import HTTPException

from include.sandbox.common.traffic import Traffic, TrafficMiddleware
from include.sandbox.faults import admin as faults_admin
from include.sandbox.faults.middleware import FaultMiddleware
from include.sandbox.iru import (
    admin,
    audit_routes,
    details,
    device_activity,
    device_apps,
    device_edit,
    devices,
    export,
    export_files,
    groups,
    prism,
    users,
)
from include.sandbox.iru.auth import authorize
from include.sandbox.iru.errors import ApiError, on_api_error, on_http_exception, on_unstorable_value
from include.sandbox.iru.fault_answers import error_answer
from include.sandbox.iru.gateway import GatewayMiddleware
from include.sandbox.iru.settings import IruSettings
from include.sandbox.iru.store import open_store
from include.sandbox.iru.tenant import API_PREFIX, Tenant

_SERVICES = (devices, details, device_apps, device_activity, device_edit, export, prism, audit_routes, users, groups)


def create_app(settings: IruSettings) -> FastAPI:
    """Return a tenant with its fleet, ready to serve."""
    database, traffic = open_store(settings), Traffic()
    tenant = Tenant(settings, database, traffic, settings.switches)
    tenant.tokens.update((row["token"], row["denied"]) for row in database.rows("SELECT * FROM tokens"))

    @asynccontextmanager
    async def close_at_end(_app: FastAPI) -> AsyncIterator[None]:
        yield
        database.close()

    app = FastAPI(title="Iru Endpoint sandbox", redirect_slashes=False, openapi_url=None, lifespan=close_at_end)
    app.state.tenant, app.state.faults = tenant, tenant.faults
    api = APIRouter(prefix=API_PREFIX, dependencies=[Depends(authorize)])
    for service in _SERVICES:
        api.include_router(service.router)
    for router in (api, export_files.router, admin.router, faults_admin.router):
        app.include_router(router)
    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    for unstorable in (OverflowError, UnicodeEncodeError):
        app.add_exception_handler(unstorable, on_unstorable_value)
    app.add_middleware(GatewayMiddleware, tenant=tenant)
    app.add_middleware(FaultMiddleware, plan=tenant.faults, error_answer=error_answer)
    app.add_middleware(TrafficMiddleware, traffic=traffic)
    return app
