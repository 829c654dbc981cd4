"""What stands before the instance's APIs: its headers and sessions, and XML for who asks for it.

Source: real answers' headers (servicenow-api.md, section 3.4), the hibernation page (section 5.5).
"""

import json
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.servicenow.errors import ApiError
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.throttles import refuse
from include.sandbox.servicenow.xml_bodies import XML_TYPES, wants_xml, write_xml

_NOT_ACCEPTABLE = SnowJson(
    ApiError(406, "Not acceptable", "The Accept header names no supported media type").body(), status_code=406
)
_HIBERNATING = """<!DOCTYPE html>
<html><head><title>Instance Hibernating page</title></head>
<body><h1>Your instance is hibernating</h1><p>Sign in to the site to wake your instance</p></body></html>
"""
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
        if scope["app"].state.instance.settings.hibernating:
            await refuse(HTMLResponse(_HIBERNATING), scope, receive, send)
            return
        headers_in = Headers(scope=scope)
        if scope["path"].startswith("/api/") and not _acceptable(headers_in.get("accept", "*/*")):
            await _NOT_ACCEPTABLE(scope, receive, send)
            return
        if wants_xml(headers_in.get("accept", "")):
            send = _as_xml(send)
        has_session = "JSESSIONID=" in headers_in.get("cookie", "")

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


def _acceptable(accept: str) -> bool:
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return any(kind in ("*/*", "application/*", "application/json", "text/json", *XML_TYPES) for kind in kinds)


def _as_xml(send: Send) -> Send:
    """Return a ``send`` that turns JSON answers into XML; the instance sends every body in one piece."""
    held: list[Message] = []

    async def converted(message: Message) -> None:
        if message["type"] == "http.response.start":
            held.append(message)
            return
        start = held.pop()
        body = message.get("body", b"")
        if body and start["status"] != 204:
            body = write_xml(json.loads(body))
            headers = MutableHeaders(scope=start)
            headers["Content-Type"] = "application/xml;charset=UTF-8"
            headers["Content-Length"] = str(len(body))
        await send(start)
        await send({**message, "body": body})

    return converted
