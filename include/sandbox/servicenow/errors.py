"""ServiceNow's error bodies.

Source: ServiceNow, "REST API HTTP response codes"; the texts as collected in servicenow-api.md.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from include.sandbox.servicenow.json_response import SnowJson


class ApiError(Exception):
    """An answer other than success."""

    def __init__(
        self, status: int, message: str, detail: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.detail = detail
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the error envelope."""
        return {"error": {"message": self.message, "detail": self.detail}, "status": "failure"}


def not_authenticated() -> ApiError:
    """Return the 401 of missing, wrong or expired credentials."""
    return ApiError(
        401,
        "User Not Authenticated",
        "Required to provide Auth information",
        headers={"WWW-Authenticate": 'BASIC realm="Service-now"'},
    )


def not_authorized() -> ApiError:
    """Return the 403 of a missing role on an API's own access rule."""
    return ApiError(403, "User Not Authorized", "Failed API level ACL Validation")


def insufficient_rights(what: str) -> ApiError:
    """Return the 403 of an access rule on a table; ``what`` is ``query records``, ``create`` or the like."""
    return ApiError(403, f"Insufficient rights to {what}")


def invalid_table(name: str) -> ApiError:
    """Return the 400 of a table that does not exist."""
    return ApiError(400, f"Invalid table {name}")


def no_record() -> ApiError:
    """Return the 404 of a record that does not exist."""
    return ApiError(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def unreadable_body(detail: str) -> ApiError:
    """Return the 400 of a body that cannot be read."""
    return ApiError(400, "Exception while reading request", detail)


def payload_too_large(size_bytes: int, limit_bytes: int) -> ApiError:
    """Return the 400 of a body over ``glide.rest.max_content_length`` (KB0747638)."""
    return unreadable_body(
        f"Rejected large REST payload with content-length = {size_bytes} bytes. Max allowed: {limit_bytes} bytes."
    )


def on_api_error(_request: Request, error: Exception) -> Response:
    """Turn an ``ApiError`` into its answer."""
    assert isinstance(error, ApiError)
    return SnowJson(error.body(), status_code=error.status, headers=error.headers)


def on_unexpected(_request: Request, error: Exception) -> Response:
    """Answer a fault of the sandbox itself as ServiceNow answers one of its own."""
    return SnowJson(ApiError(500, "Internal server error", type(error).__name__).body(), status_code=500)


def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what no route took."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return SnowJson(ApiError(405, "Method not supported", f"{request.method} not supported").body(), 405)
    missing = ApiError(400, "Requested URI does not represent any resource", request.url.path)
    return SnowJson(missing.body(), 400)
