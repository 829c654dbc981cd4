"""What stands before the tenant's services: rate limits, their headers, and tolerant paths.

Header names and values as captured from real answers; both windows are fixed, as Kong's are:
https://developer.konghq.com/plugins/rate-limiting/
"""

import math
import threading
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.iru.tenant import API_PREFIX, Tenant

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of both windows after one request, and how long to wait when nothing is."""

    second: int
    hour: int
    reset_s: int
    retry_after_s: int | None

    def headers(self, per_second: int, per_hour: int) -> dict[str, str]:
        """Return the headers; the unprefixed ones tell the tighter window."""
        return {
            "RateLimit-Limit": str(per_second),
            "RateLimit-Remaining": str(self.second),
            "RateLimit-Reset": str(self.reset_s),
            "X-RateLimit-Limit-Hour": str(per_hour),
            "X-RateLimit-Limit-Second": str(per_second),
            "X-RateLimit-Remaining-Hour": str(self.hour),
            "X-RateLimit-Remaining-Second": str(self.second),
        }


class RateLimiter:
    """Counts requests of the whole tenant in the running second and the running hour."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = {"second": (0, 0), "hour": (0, 0)}
        self._used_by_others = 0

    def take(self, now_s: float, per_second: int, per_hour: int, *, enforce: bool, used_hour: int = 0) -> Allowance:
        """Count one request at ``now_s``; a refused one is not counted.

        ``used_hour`` is what the running hour has seen before this request, whenever it differs from the last call's.
        """
        with self._lock:
            if used_hour != self._used_by_others:
                self._used_by_others = used_hour
                self._used["hour"] = (int(now_s // _HOUR_S), used_hour)
            in_second = self._in_window("second", int(now_s))
            in_hour = self._in_window("hour", int(now_s // _HOUR_S))
            wait_s = None
            if enforce and in_hour >= per_hour:
                wait_s = math.ceil(_HOUR_S - now_s % _HOUR_S)
            elif enforce and in_second >= per_second:
                wait_s = 1
            if wait_s is None:
                in_second, in_hour = in_second + 1, in_hour + 1
                self._used = {"second": (int(now_s), in_second), "hour": (int(now_s // _HOUR_S), in_hour)}
        return Allowance(max(0, per_second - in_second), max(0, per_hour - in_hour), wait_s or 1, wait_s)

    def _in_window(self, name: str, window: int) -> int:
        seen, count = self._used[name]
        return count if seen == window else 0


class GatewayMiddleware:
    """Applies the limits to the API's paths and signs every answer as the real services do."""

    def __init__(self, app: ASGIApp, tenant: Tenant) -> None:
        self.app = app
        self.tenant = tenant
        self.limiter = RateLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] != "http" or not scope["path"].startswith(API_PREFIX):
            await self.app(scope, receive, send)
            return
        switches = self.tenant.switches
        allowance = self.limiter.take(
            self.tenant.clock.now().timestamp(),
            switches.rate_limit_per_second,
            switches.rate_limit_per_hour,
            enforce=switches.rate_limit,
            used_hour=switches.rate_limit_used_hour,
        )
        headers = self._headers(scope["path"], allowance)

        async def signed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        if allowance.retry_after_s is not None:
            await _too_many(headers, scope, receive, send)
            return
        await self.app(_without_trailing_slash(scope), receive, signed_send)

    def _headers(self, path: str, allowance: Allowance) -> dict[str, str]:
        switches = self.tenant.switches
        service = "uvicorn" if path.startswith(f"{API_PREFIX}/prism") else "waitress"
        headers = {"Server": service, "Via": "kong/3.2.2, 1.1 varnish, 1.1 varnish"}
        if switches.rate_limit_headers:
            headers |= allowance.headers(switches.rate_limit_per_second, switches.rate_limit_per_hour)
        if allowance.retry_after_s is not None and switches.rate_limit_retry_after:
            headers["Retry-After"] = str(allowance.retry_after_s)
        return headers


async def _too_many(headers: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
    body = {"message": "API rate limit exceeded"}
    await JSONResponse(body, status_code=429, headers=headers)(scope, receive, send)


def _without_trailing_slash(scope: Scope) -> Scope:
    path = scope["path"]
    if not path.endswith("/"):
        return scope
    return {**scope, "path": path.rstrip("/"), "raw_path": scope["raw_path"].partition(b"?")[0].rstrip(b"/")}
