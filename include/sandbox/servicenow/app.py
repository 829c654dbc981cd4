"""The instance as an ASGI application."""

from fastapi import FastAPI

from include.sandbox.common.clock import Clock
from include.sandbox.servicenow.settings import ServiceNowSettings


def create_app(settings: ServiceNowSettings, *, clock: Clock | None = None) -> FastAPI:
    """Return an instance with its seed users, ready to serve; its transform jobs run while it is served."""
    app = FastAPI(title="ServiceNow sandbox", redirect_slashes=False, openapi_url=None)
    app.state.settings = settings
    app.state.clock = clock or Clock()
    return app
