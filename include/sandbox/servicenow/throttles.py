"""Sessions served one request at a time, semaphores, and a rule on requests per hour: each a switch, each a layer.

Source: KB0546297 (three layers of throttling), KB0635398 (semaphores: 4 at a time, 50 in line, 429 without headers),
KB3047080 ("HTTP 202 - Session Reuse Queue Overflow"), ServiceNow, "Inbound REST API rate limiting".
"""

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.servicenow.errors import ApiError
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.settings import ServiceNowSettings
from include.sandbox.servicenow.turnstile import Turnstile

ARRIVAL, LATE = "sandbox.arrival", "sandbox.late"
"""Entries of a scope: when a request was to arrive, and how many seconds later this process, being busy, took it up."""
INNER = "sandbox.batch"
"""Extension of the scope of a request that came inside another one, which passed the gates already."""
RULE = "8f0c1a7d2d2f284510e0374f2e2c99b6"
"""The sys_id that X-RateLimit-Rule names."""
_APIS = {"import": "Import Set API", "table": "Table API", "stats": "Aggregate API", "batch": "Batch API"}


def is_outer(scope: Scope) -> bool:
    """Say whether a request comes from outside and is none to the admin API."""
    return scope["type"] == "http" and not scope["path"].startswith(ADMIN_PREFIX) and INNER not in _extensions(scope)


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after taking the body in, so that the client sees the answer and no broken pipe."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    await response(scope, receive, send)


class SerialSessions:
    """Serves one request of a session at a time; drops what does not fit into the session's queue, with a 202."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._gates: dict[str, Turnstile] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on in its turn."""
        session = _session(scope) if is_outer(scope) and _settings(scope).session_serial else ""
        if not session:
            await self.app(scope, receive, send)
            return
        settings, gate = _settings(scope), self._gates.setdefault(session, Turnstile())
        queue, patience_s = settings.session_queue_depth, settings.session_patience_s
        if not await gate.enter(slots=1, queue=queue, patience_s=patience_s):
            await refuse(Response(status_code=202), scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            gate.leave()
            if gate.idle:
                self._gates.pop(session, None)


class Semaphores:
    """Serves so many API requests at a time, keeps some waiting, and answers 429 to the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._gate = Turnstile()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on when a slot is free."""
        if not (is_outer(scope) and scope["path"].startswith("/api/") and _settings(scope).semaphores):
            await self.app(scope, receive, send)
            return
        settings = _settings(scope)
        scope[LATE] = max(0.0, time.perf_counter() - scope[ARRIVAL]) if ARRIVAL in scope else 0.0

        def note(length: int) -> None:
            scope[LATE] = 0.0
            _instance(scope).tally.note_semaphore_queue(length)

        if not await self._gate.enter(slots=settings.semaphore_slots, queue=settings.semaphore_queue, on_wait=note):
            error = ApiError(429, "Too Many Requests", "Maximum number of concurrent requests exceeded")
            await refuse(SnowJson(error.body(), status_code=429), scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self._gate.leave()


class RateLimitRule:
    """Counts API requests and refuses those beyond the rule; every answer to one shows the rule's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._window = self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on while the window's number is not used up."""
        limit = _settings(scope).rate_limit_per_hour if is_outer(scope) and scope["path"].startswith("/api/") else 0
        if not limit:
            await self.app(scope, receive, send)
            return
        window_s, now_s = _settings(scope).rate_limit_window_s, _instance(scope).clock.now().timestamp()
        reset_s = self._count_one(int(now_s), window_s)
        headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Reset": str(reset_s), "X-RateLimit-Rule": RULE}
        if self._count > limit:
            headers["Retry-After"] = str(max(1, reset_s - int(now_s)))
            detail = f"Rate limit of {limit} requests per hour for {_api(scope['path'])} exceeded"
            body = ApiError(429, "Rate limit exceeded", detail).body()
            await refuse(SnowJson(body, status_code=429, headers=headers), scope, receive, send)
            return

        async def marked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self.app(scope, receive, marked_send)

    def _count_one(self, now_s: int, window_s: int) -> int:
        """Count a request in its window and return when that ends."""
        window = now_s // window_s
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return (window + 1) * window_s


def _instance(scope: Scope) -> Instance:
    found: Instance = scope["app"].state.instance
    return found


def _settings(scope: Scope) -> ServiceNowSettings:
    return _instance(scope).settings


def _extensions(scope: Scope) -> dict[str, object]:
    return scope.get("extensions") or {}


def _session(scope: Scope) -> str:
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get("JSESSIONID", "")


def _api(path: str) -> str:
    parts = path.split("/")
    return next((name for part, name in _APIS.items() if part in parts), "REST API")
