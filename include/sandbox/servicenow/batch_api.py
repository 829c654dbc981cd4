"""The Batch API: several requests in one, each served as if it came alone.

Source: ServiceNow, "Batch API" (POST /now/v1/batch); bodies are base64 in both directions.
"""

import base64
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from include.sandbox.servicenow.auth import User
from include.sandbox.servicenow.errors import unreadable_body
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.meter import note_part
from include.sandbox.servicenow.request_body import RecordBody
from include.sandbox.servicenow.throttles import INNER

router = APIRouter()


@router.post("/batch")
async def batch(request: Request, _user: User, body: RecordBody) -> Response:
    """Serve the requests of a batch one after the other."""
    wanted = body.get("rest_requests")
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise unreadable_body("rest_requests must be a list of objects")
    served = [await _serve(request, each) for each in wanted]
    answer = {
        "batch_request_id": str(body.get("batch_request_id", "")),
        "serviced_requests": served,
        "unserviced_requests": [],
    }
    return SnowJson(answer)


async def _serve(request: Request, wanted: dict[str, Any]) -> dict[str, Any]:
    note_part()
    payload = base64.b64decode(wanted.get("body") or "")
    scope = _scope(request, wanted, payload)
    status, headers, content = await _call(request.app, scope, payload)
    answer: dict[str, Any] = {
        "id": str(wanted.get("id", "")),
        "body": base64.b64encode(content).decode(),
        "status_code": status,
        "status_text": HTTPStatus(status).phrase,
        "execution_time": 1,
    }
    if not wanted.get("exclude_response_headers"):
        answer["headers"] = [{"name": name, "value": value} for name, value in headers]
    return answer


def _scope(request: Request, wanted: dict[str, Any], payload: bytes) -> Scope:
    """Return the inner request's scope: the outer sign-in unless it brings its own."""
    path, _, query = str(wanted.get("url", "")).partition("?")
    given = {str(h["name"]).lower(): str(h["value"]) for h in wanted.get("headers") or []}
    outer = {name: value for name, value in request.headers.items() if name in ("authorization", "host", "cookie")}
    kind = {"content-type": "application/json"} if payload else {}
    headers = {**kind, **outer, **given, "content-length": str(len(payload))}
    return {
        "type": "http",
        "extensions": {INNER: {}},
        "asgi": request.scope["asgi"],
        "http_version": "1.1",
        "method": str(wanted.get("method", "GET")).upper(),
        "scheme": request.url.scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": request.scope.get("client"),
        "server": request.scope.get("server"),
        "state": request.scope.get("state", {}),
    }


async def _call(app: ASGIApp, scope: Scope, payload: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    status, headers, parts = 500, list[tuple[str, str]](), list[bytes]()

    async def receive() -> Message:
        return {"type": "http.request", "body": payload, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, headers, b"".join(parts)
