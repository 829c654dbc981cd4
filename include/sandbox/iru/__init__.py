"""A tenant of Iru Endpoint (formerly Kandji) as a real HTTP server."""

from include.sandbox.iru.app import create_app
from include.sandbox.iru.settings import IruSettings, IruSwitches

__all__ = ["IruSettings", "IruSwitches", "create_app"]
