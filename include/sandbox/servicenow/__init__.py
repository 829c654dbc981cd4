"""A ServiceNow instance with the Kandji app installed, as a real HTTP server."""

from include.sandbox.servicenow.app import create_app
from include.sandbox.servicenow.settings import SeedUser, ServiceNowSettings

__all__ = ["SeedUser", "ServiceNowSettings", "create_app"]
