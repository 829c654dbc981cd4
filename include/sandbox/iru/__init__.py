"""A tenant of Iru Endpoint (formerly Kandji) as a real HTTP server."""

from include.sandbox.iru.settings import IruSettings, IruSwitches

__all__ = ["IruSettings", "IruSwitches"]
