"""The API as an app of its own: what every answer has, and what a caller is told when there is none."""

import logging
import traceback
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.errors import PipelineError
from include.insight.errors import BadQuestion, NoAnswer, NotThere
from iru_servicenow.sync_api import device_routes, download_routes, order_routes, run_routes, stuck_routes, view_routes
from iru_servicenow.sync_api.answers import Json, sentence

log = logging.getLogger(__name__)

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
"""Answers hold what servers said and whose devices these are: nobody keeps them, and nobody takes them for a page."""

_UNEXPECTED = "The API failed in a way that it should not. The API server's log says where; report this defect."
_STATUS: tuple[tuple[type[PipelineError], int], ...] = ((NotThere, 404), (BadQuestion, 422), (NoAnswer, 502))
_NO_ANSWER_FOR_NOW = 503
"""The ledger is slow, away, of another release, or the set-up is wrong."""


def make_api() -> FastAPI:
    """Return the app; every route asks Airflow who is calling and what they may do."""
    app = FastAPI(
        title="Iru to ServiceNow: what the sync page shows", docs_url=None, redoc_url=None, openapi_url=None,
        default_response_class=Json,
    )  # fmt: skip
    for routes in (view_routes, run_routes, stuck_routes, order_routes, device_routes, download_routes):
        app.include_router(routes.router)
    app.add_exception_handler(PipelineError, _told)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_middleware(EveryAnswer)
    return app


def _told(_: Request, error: Exception) -> Json:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), _NO_ANSWER_FOR_NOW)
    return Json({"detail": str(error)}, status_code=status)


def _misread(_: Request, error: Exception) -> Json:
    problems = error.errors() if isinstance(error, RequestValidationError) else ()
    return Json({"detail": sentence(problems)}, status_code=422)


class EveryAnswer:
    """Gives every answer its headers, and answers where the app did not: without a word of what was at hand."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold a person's data
            log.error("%s in %s", type(error).__name__, _places(error))
            if scope["type"] == "http" and not has_begun:
                await Json({"detail": _UNEXPECTED}, status_code=500)(scope, receive, send_with_headers)


def _places(error: BaseException) -> str:
    frames: Any = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames[-8:]))
