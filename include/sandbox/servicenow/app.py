"""The instance as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException

from include.sandbox.common.clock import Clock
from include.sandbox.common.traffic import TrafficMiddleware
from include.sandbox.faults import admin as faults_admin
from include.sandbox.faults.middleware import FaultMiddleware
from include.sandbox.servicenow import (
    admin,
    aggregate_api,
    batch_api,
    import_set_api,
    insert_multiple,
    oauth,
    table_api,
)
from include.sandbox.servicenow.errors import ApiError, on_api_error, on_http_exception, on_unexpected
from include.sandbox.servicenow.fault_answers import error_answer
from include.sandbox.servicenow.gateway import GatewayMiddleware
from include.sandbox.servicenow.gateway_faults import GatewayFaults
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.nightly import Nightly
from include.sandbox.servicenow.seed import new_schema, prepare
from include.sandbox.servicenow.settings import ServiceNowSettings
from include.sandbox.servicenow.throttles import RateLimitRule, Semaphores, SerialSessions
from include.sandbox.servicenow.time_model import RequestTime, RoundTrip
from include.sandbox.servicenow.transform_jobs import TransformJobs

_VERSIONS = ("/api/now", "/api/now/v1", "/api/now/v2")
_SERVICES = (insert_multiple, import_set_api, table_api, aggregate_api, batch_api)


def create_app(settings: ServiceNowSettings, *, clock: Clock | None = None) -> FastAPI:
    """Return an instance with its seed users, ready to serve; its transform jobs run while it is served."""
    instance = Instance(settings, clock or Clock(), new_schema())
    prepare(instance)
    jobs, nightly = TransformJobs(instance), Nightly(instance)
    instance.jobs = jobs

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        instance.closing.clear()
        jobs.start()
        nightly.start()
        yield
        instance.closing.set()
        nightly.stop()
        jobs.stop()
        instance.database.close()

    app = FastAPI(title="ServiceNow sandbox", redirect_slashes=False, openapi_url=None, lifespan=lifespan)
    app.state.instance, app.state.nightly, app.state.faults = instance, nightly, instance.faults
    for router in (_api(), oauth.router, admin.router, faults_admin.router):
        app.include_router(router)
    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_unexpected)
    for layer in (RequestTime, Semaphores, SerialSessions, RateLimitRule, GatewayFaults, GatewayMiddleware):
        app.add_middleware(layer)
    app.add_middleware(FaultMiddleware, plan=instance.faults, error_answer=error_answer)
    app.add_middleware(RoundTrip)
    app.add_middleware(TrafficMiddleware, traffic=instance.traffic)
    return app


def _api() -> APIRouter:
    api = APIRouter()
    for prefix in _VERSIONS:
        for service in _SERVICES:
            api.include_router(service.router, prefix=prefix)
    return api
