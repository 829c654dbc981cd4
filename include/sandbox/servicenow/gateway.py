"""What stands before the instance's APIs: its headers and sessions.

Source: real answers' headers (servicenow-api.md, section 3.4). Faults of a later issue belong here too.
"""

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.common.traffic import ADMIN_PREFIX

_POOL = "BIGipServerpool_sandbox=0000000000.00000.0000; path=/; Httponly"


class GatewayMiddleware:
    """Signs every answer, and opens a session for a client that brings none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http" or scope["path"].startswith(ADMIN_PREFIX):
            await self.app(scope, receive, send)
            return
        has_session = "JSESSIONID=" in Headers(scope=scope).get("cookie", "")

        async def signed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Server"] = "ServiceNow"
                headers["Server-Timing"] = "sem_wait;dur=0, sesh_wait;dur=0"
                if not has_session:
                    secure = "; Secure" if scope.get("scheme") == "https" else ""
                    session = secrets.token_hex(16).upper()
                    headers.append("Set-Cookie", f"JSESSIONID={session}; Path=/; HttpOnly{secure}")
                    headers.append("Set-Cookie", _POOL)
            await send(message)

        await self.app(scope, receive, signed_send)
