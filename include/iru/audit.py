"""Walk the audit log forward from a moment on.

The log tells of enrollment, deletion and blueprint changes, not of a user who is assigned. ``next`` names a whole
address; only its cursor is used. Source: Iru Endpoint API, "Audit log, List audit events".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from include.errors import AnswerUnusable
from include.iru.client import IruClient
from include.iru.walk import Walk

PAGE_EVENTS = 500
"""The hard cap of ``limit`` on the audit log."""

_REQUEST = "GET /audit/events"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry of the log; ``occurred_at`` is as Iru writes it (ISO 8601, UTC)."""

    event_id: str
    action: str
    occurred_at: str
    target_type: str
    target_id: str


def iter_audit(client: IruClient, *, since: str) -> Iterator[AuditEvent]:
    """Yield the events since a moment (ISO 8601), the oldest first; an event may come twice.

    Raises what ``IruClient.get`` raises, SetupWrong among it where the token may not read the log.
    """
    walk, cursor = Walk(_REQUEST), ""
    while True:
        page = _fetch(client, walk, since=since, cursor=cursor)
        yield from map(_event, page["results"])
        if not page["cursor"] or not page["results"]:
            return
        walk.keep(page["results"], page["cursor"])
        cursor = page["cursor"]


def newest_event(client: IruClient) -> AuditEvent | None:
    """Return the newest event of the log; None where it is empty."""
    body = client.get("audit/events", limit=1, sort_by="-occurred_at")
    rows = _envelope(body)["results"]
    return _event(rows[0]) if rows else None


def _fetch(client: IruClient, walk: Walk, *, since: str, cursor: str) -> dict[str, Any]:
    def accept(body: Any) -> dict[str, Any]:
        page = _envelope(body)
        walk.check(page["results"], page["cursor"])
        return page

    at_cursor: dict[str, Any] = {"cursor": cursor} if cursor else {}
    page: dict[str, Any] = client.get(
        "audit/events", accept=accept, limit=PAGE_EVENTS, sort_by="occurred_at", start_date=since, **at_cursor
    )
    return page


def _envelope(body: Any) -> dict[str, Any]:
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or not all(isinstance(row, dict) for row in results):
        raise AnswerUnusable(f"{_REQUEST} did not answer an object with a list of objects in 'results'.")
    address = body.get("next") or ""
    if not isinstance(address, str):
        raise AnswerUnusable(f"{_REQUEST} answered a 'next' that is no text.")
    return {"results": results, "cursor": "".join(parse_qs(urlsplit(address).query).get("cursor", [])[:1])}


def _event(row: dict[str, Any]) -> AuditEvent:
    names = ("id", "action", "occurred_at", "target_type", "target_id")
    return AuditEvent(*(value if isinstance(value := row.get(name), str) else "" for name in names))
