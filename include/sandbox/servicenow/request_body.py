"""Reading a request's body: size limit, content type, JSON.

Source: ServiceNow KB0747638 (``glide.rest.max_content_length``), "REST API" (supported request headers).
"""

import ast
import json
from typing import Annotated, Any

from fastapi import Depends, Request

from include.sandbox.servicenow.errors import ApiError, payload_too_large, unreadable_body
from include.sandbox.servicenow.instance import InstanceOf
from include.sandbox.servicenow.xml_bodies import XML_TYPES, read_xml

_MEGABYTE = 1024 * 1024
_JSON_TYPES = ("application/json", "text/json")


async def read_body(request: Request, instance: InstanceOf) -> bytes:
    """Return the body; refuse one that is too large, after taking it in, so that the client sees why."""
    limit_bytes = instance.settings.max_content_length_mb * _MEGABYTE
    size_bytes, parts = 0, []
    async for part in request.stream():
        size_bytes += len(part)
        if size_bytes <= limit_bytes:
            parts.append(part)
    if size_bytes > limit_bytes:
        raise payload_too_large(size_bytes, limit_bytes)
    return b"".join(parts)


def read_json(request: Request, body: Annotated[bytes, Depends(read_body)]) -> Any:
    """Return the body's value; 400 without a content type, 415 for one that is not supported."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind:
        raise ApiError(400, "Bad Request", "The request has no Content-Type header")
    if kind in XML_TYPES:
        return read_xml(body)
    if kind not in _JSON_TYPES:
        raise ApiError(415, "Unsupported media type", f"Content-Type {kind} is not supported")
    try:
        return json.loads(body)
    except ValueError:
        return _read_leniently(body)


def _read_leniently(body: bytes) -> Any:
    """Read JSON with single quotes, as ServiceNow's own curl examples write it."""
    try:
        return ast.literal_eval(body.decode())
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise unreadable_body("The payload is not valid JSON.") from error


def read_record(value: Annotated[Any, Depends(read_json)]) -> dict[str, Any]:
    """Return the one record of a POST, PUT or PATCH; of an array, only the first is taken."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        raise unreadable_body("The payload is not a JSON object.")
    return value


Body = Annotated[Any, Depends(read_json)]
RecordBody = Annotated[dict[str, Any], Depends(read_record)]
