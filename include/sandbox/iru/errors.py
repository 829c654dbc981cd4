"""The tenant's error bodies, which have no common form: every service behind the gateway has its own."""

from typing import Any
from uuid import uuid4

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """An answer other than success: a status and a body of whatever JSON type."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def not_found() -> ApiError:
    """Return the 404 of a record that does not exist."""
    return ApiError(404, {"detail": "Not found."})


def bad_request(detail: str) -> ApiError:
    """Return a 400 with one explanation."""
    return ApiError(400, {"detail": detail})


def bad_field(name: str, message: str) -> ApiError:
    """Return a 400 in the form that Django REST framework gives field errors."""
    return ApiError(400, {name: [message]})


def no_route() -> JSONResponse:
    """Return the gateway's answer to a path that nobody serves."""
    body = {"message": "no Route matched with those values", "request_id": uuid4().hex}
    return JSONResponse(body, status_code=404)


def on_api_error(_request: Request, error: Exception) -> Response:
    """Turn an ``ApiError`` into its answer."""
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, status_code=error.status)


def on_unstorable_value(_request: Request, _error: Exception) -> Response:
    """Refuse a number beyond 64 bits or a text that is no Unicode, which no column can hold."""
    return JSONResponse({"detail": "Invalid value."}, status_code=400)


def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what no route took: the gateway's 404, or a method that the route does not know."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return no_route()
    detail = error.detail
    if error.status_code == 405:
        detail = f'Method "{request.method}" not allowed.'
    return JSONResponse({"detail": detail}, status_code=error.status_code, headers=error.headers)
