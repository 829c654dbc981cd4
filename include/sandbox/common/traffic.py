"""What a sandbox server saw: requests, bytes, and the highest concurrency."""

import threading
from collections import Counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADMIN_PREFIX = "/_sandbox"


class Traffic:
    """Counters that the admin API shows; requests to the admin API itself are left out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Start counting from zero."""
        with self._lock:
            self._requests: Counter[str] = Counter()
            self._statuses: Counter[int] = Counter()
            self._bytes_in = self._bytes_out = self._in_flight = self._max_in_flight = 0

    def begin(self, method: str, path: str) -> None:
        """Note that a request arrived."""
        with self._lock:
            self._requests[f"{method} {path}"] += 1
            self._in_flight += 1
            self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def end(self, status: int, bytes_in: int, bytes_out: int) -> None:
        """Note that a request was answered."""
        with self._lock:
            self._statuses[status] += 1
            self._bytes_in += bytes_in
            self._bytes_out += bytes_out
            self._in_flight = max(0, self._in_flight - 1)

    def snapshot(self) -> dict[str, Any]:
        """Return the counters as plain JSON values."""
        with self._lock:
            return {
                "requests": sum(self._requests.values()),
                "by_method_and_path": dict(sorted(self._requests.items())),
                "by_method": dict(_by_method(self._requests)),
                "by_status": {str(status): n for status, n in sorted(self._statuses.items())},
                "bytes_in": self._bytes_in,
                "bytes_out": self._bytes_out,
                "max_in_flight": self._max_in_flight,
            }


def _by_method(requests: Counter[str]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for key, n in requests.items():
        totals[key.partition(" ")[0]] += n
    return totals


class TrafficMiddleware:
    """Counts every request of an ASGI app into a ``Traffic``."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count one request on its way in and out."""
        if scope["type"] != "http" or scope["path"].startswith(ADMIN_PREFIX):
            await self.app(scope, receive, send)
            return
        seen = {"status": 0, "in": 0, "out": 0}

        async def counted_receive() -> Message:
            message = await receive()
            seen["in"] += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            seen["out"] += len(message.get("body", b""))
            await send(message)

        self.traffic.begin(scope["method"], scope["path"])
        try:
            await self.app(scope, counted_receive, counted_send)
        finally:
            self.traffic.end(seen["status"], seen["in"], seen["out"])
