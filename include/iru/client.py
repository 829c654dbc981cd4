"""The Iru Endpoint API: one method per documented call; the only one that writes asks for an export.

Source: https://api-docs.iru.com (official Postman collection, 2026-03-16).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.errors import AnswerUnusable
from include.iru.judge import NotFound, judge
from include.iru.quota import PAGE_ROWS, Quota, pace_of, read_quota
from include.iru.walk import Bookmark, Repeated, Walk
from include.web.pace import Pace
from include.web.retry import RetryPolicy
from include.web.transport import CONNECT_TIMEOUT_S, Bearer, Parse, RequestCount, new_session, send

REQUESTS_PER_SECOND = 40.0
"""A little under the 50 a second that Iru's rate-limit headers state."""

_DEVICE_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")

Accept = Callable[[Any], Any]
"""Looks at a JSON value and returns what is wanted of it, or raises; a RetryLater repeats the request."""


@dataclass(frozen=True, slots=True)
class IruSettings:
    """Where a tenant is and how to sign in; ``repr`` hides the token, and proxies, which may hold a password."""

    base_url: str
    token: str = field(repr=False)
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_timeout_s: float = 90.0
    page_rows: int = PAGE_ROWS


class IruClient:
    """Reads one tenant with one session; make one client per thread.

    ``requests`` counts what was sent and waited for; ``quota`` is what the last answer said of the hourly quota.
    """

    def __init__(self, settings: IruSettings, *, retry: RetryPolicy | None = None, pace: Pace | None = None) -> None:
        self.settings = settings
        self.requests = RequestCount()
        self.retry = retry or RetryPolicy()
        self.quota: Quota | None = None
        self._pace = pace or Pace(REQUESTS_PER_SECOND)
        self._session = new_session(verify=settings.verify, proxies=settings.proxies)
        self._session.headers["Accept"] = "application/json"
        self._session.auth = Bearer(settings.token)

    def get(self, path: str, *, accept: Accept = lambda value: value, parse: Parse | None = None, **params: Any) -> Any:
        """Return the JSON of ``GET /api/v1/<path>`` as ``accept`` returns it; transient failures are tried again.

        ``parse`` reads the body where not all of it is wanted as Python's values.
        Raises SetupWrong (credentials, permissions, host), RetryLater, NotFound, BadRequest or AnswerUnusable.
        """
        try:
            return self.retry.call(
                lambda: accept(self._send("GET", path, parse=parse, params=params)),
                repeat_unsure=True,
                count=self.requests,
            )
        except Repeated as error:
            raise AnswerUnusable(str(error)) from None

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON of ``POST /api/v1/<path>``, for calls that do no harm when they are done twice."""
        return self.retry.call(lambda: self._send("POST", path, json=body), repeat_unsure=True, count=self.requests)

    def iter_devices(self, bookmark: Bookmark | None = None) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of ``GET /devices`` in a stable order, up to the empty page that ends the list.

        With a ``bookmark`` those that follow its pages.
        A device that is removed meanwhile moves the later ones forward, so that one of them may be in no page.
        """
        request = "GET /devices"
        walk = Walk(request)

        def accept(body: Any) -> list[dict[str, Any]]:
            rows = _rows(body, request)
            walk.check(_ids(rows))
            return rows

        offset, limit = 0, self.settings.page_rows
        for kept in bookmark.kept if bookmark else ():
            walk.keep(_ids(kept))
            offset += len(kept)
        while page := self.get("devices", accept=accept, limit=limit, offset=offset, ordering="device_id"):
            walk.keep(_ids(page))
            yield page
            offset += len(page)

    def blueprint_ids(self) -> list[str]:
        """Return the ids of all blueprints. Source: Iru Endpoint API, "List blueprints" (count, next, results)."""
        found: dict[str, None] = {}
        while True:
            body = self.get("blueprints", limit=self.settings.page_rows, offset=len(found))
            rows = _rows(body.get("results") if isinstance(body, dict) else None, "GET /blueprints")
            ids = [str(row["id"]) for row in rows if is_device_id(row.get("id")) and row["id"] not in found]
            if not ids:
                return list(found)
            found |= dict.fromkeys(ids)

    def fetch_device(self, device_id: str) -> dict[str, Any] | None:
        """Return one device as ``GET /devices`` lists it; None only on a 404, the proof that it is gone.

        Raises AnswerUnusable for an id that ``is_device_id`` refuses.
        """
        if not is_device_id(device_id):
            raise AnswerUnusable("A device id with other characters than letters, digits, - and _ cannot be asked for.")
        try:
            body = self.get(f"devices/{device_id}")
        except NotFound:
            return None
        return _rows([body], "GET /devices/{id}")[0]

    def device_exists(self, device_id: str) -> bool:
        """Ask for one device; False only on a 404. What cannot be asked for is not proved to be gone."""
        return not is_device_id(device_id) or self.fetch_device(device_id) is not None

    def count_prism(self, category: str) -> tuple[int, bool]:
        """Return the rows that Prism says it holds, and whether that number is exact.

        Raises AnswerUnusable (or NotFound) where the tenant does not offer the count.
        """
        body = self.get("prism/count", category=category)
        count = body.get("count") if isinstance(body, dict) else None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise AnswerUnusable("GET /prism/count answered without a whole number as 'count'.")
        return count, not body.get("approximate")

    def _send(self, method: str, path: str, *, parse: Parse | None = None, **options: Any) -> Any:
        self._pace.wait()
        answer = send(
            self._session,
            method,
            f"{self.settings.base_url}/api/v1/{path}",
            label=f"{method} /{_without_id(path)}",
            count=self.requests,
            timeout=(CONNECT_TIMEOUT_S, self.settings.read_timeout_s),
            **options,
        )
        if quota := read_quota(answer):
            self.quota = quota
            self._pace.slow_to(pace_of(quota, usual=REQUESTS_PER_SECOND))
        return judge(answer, parse)


def is_device_id(value: object) -> bool:
    """Say whether a value can stand in an address as a device's id without turning it into another one."""
    return isinstance(value, str) and bool(_DEVICE_ID.fullmatch(value))


def _without_id(path: str) -> str:
    for known in ("devices/", "prism/export/"):
        if path.startswith(known):
            return f"{known}{{id}}"
    return path


def _ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name a page by its devices: other values of a device may change between two answers."""
    return [str(row.get("device_id")) for row in rows]


def _rows(body: Any, request: str) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise AnswerUnusable(f"{request} did not answer a JSON array of objects.")
    return body
