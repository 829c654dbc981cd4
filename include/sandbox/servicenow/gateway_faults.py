"""Faults that strike a request before any API sees it.

Source: KB3047080 ("HTTP 202 - Session Reuse Queue Overflow"); an expired token's answer as collected in
servicenow-api.md, section 3.4.
"""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.servicenow.fault_kinds import GATEWAY
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.throttles import refuse
from include.sandbox.servicenow.token_store import revoke_token


class GatewayFaults:
    """Drops requests and lets tokens expire, where a fault says so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, unless it is dropped."""
        if scope["type"] != "http" or scope["path"].startswith(ADMIN_PREFIX):
            await self.app(scope, receive, send)
            return
        instance: Instance = scope["app"].state.instance
        fault = instance.faults.take(GATEWAY, f"{scope['method']} {scope['path']}")
        if fault and fault.kind == "dropped_202":
            await refuse(Response(status_code=202), scope, receive, send)
            return
        if fault:
            _expire_token(instance, scope)
        await self.app(scope, receive, send)


def _expire_token(instance: Instance, scope: Scope) -> None:
    """Let the request's bearer token expire; one with HTTP Basic has none."""
    kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        revoke_token(instance, token.strip())
