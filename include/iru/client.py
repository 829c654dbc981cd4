"""The Iru Endpoint API, read-only: one method per documented call.

Source: https://api-docs.iru.com (official Postman collection, 2026-03-16).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.errors import AnswerUnusable
from include.iru.judge import NotFound, judge
from include.web.pace import Pace
from include.web.retry import RetryPolicy
from include.web.transport import Bearer, RequestCount, new_session, send

PAGE_ROWS = 300
"""The hard cap of ``limit`` on /devices and Prism."""

REQUESTS_PER_SECOND = 40.0
"""A little under the 50 a second that Iru's rate-limit headers state."""


@dataclass(frozen=True, slots=True)
class IruSettings:
    """Where a tenant is and how to sign in; ``repr`` hides the token."""

    base_url: str
    token: str = field(repr=False)
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict)


class IruClient:
    """Reads one tenant with one session; make one client per thread."""

    def __init__(self, settings: IruSettings, *, retry: RetryPolicy | None = None, pace: Pace | None = None) -> None:
        self.settings = settings
        self.requests = RequestCount()
        self._retry = retry or RetryPolicy()
        self._pace = pace or Pace(REQUESTS_PER_SECOND)
        self._session = new_session(verify=settings.verify, proxies=settings.proxies)
        self._session.headers["Accept"] = "application/json"
        self._session.auth = Bearer(settings.token)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of ``GET /api/v1/<path>``; transient failures are tried again.

        Raises SetupWrong (credentials, permissions, host), RetryLater, NotFound, BadRequest or AnswerUnusable.
        """
        return self._retry.call(lambda: self._get_once(path, params), repeat_unsure=True)

    def iter_devices(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of ``GET /devices`` in a stable order, up to the empty page that ends the list."""
        first_ids: set[str] = set()
        offset = 0
        while page := _rows(self.get("devices", limit=PAGE_ROWS, offset=offset, ordering="device_id"), "GET /devices"):
            first_id = str(page[0].get("device_id"))
            if first_id in first_ids:
                raise AnswerUnusable(f"GET /devices repeats a page at offset {offset}: the server ignores 'offset'.")
            first_ids.add(first_id)
            yield page
            offset += len(page)

    def device_exists(self, device_id: str) -> bool:
        """Ask for one device; False only on a 404, the proof that it is gone."""
        try:
            self.get(f"devices/{device_id}")
        except NotFound:
            return False
        return True

    def count_prism(self, category: str) -> tuple[int, bool]:
        """Return the rows that Prism says it holds, and whether that number is exact.

        Raises AnswerUnusable (or NotFound) where the tenant does not offer the count.
        """
        body = self.get("prism/count", category=category)
        if not isinstance(body, dict) or not isinstance(body.get("count"), int):
            raise AnswerUnusable("GET /prism/count answered without an integer 'count'.")
        return body["count"], not body.get("approximate")

    def _get_once(self, path: str, params: Mapping[str, Any]) -> Any:
        self._pace.wait()
        url = f"{self.settings.base_url}/api/v1/{path}"
        label = f"GET /{path.split('/')[0]}" if path.startswith("devices/") else f"GET /{path}"
        return judge(send(self._session, "GET", url, label=label, count=self.requests, params=params))


def _rows(body: Any, request: str) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise AnswerUnusable(f"{request} did not answer a JSON array of objects.")
    return body
