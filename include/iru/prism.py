"""Walk a Prism category page by page: by cursor, or by offset on tenants that know no cursor yet.

A short page is not the end, a cursor is opaque and bound to its query, and ``sort_by`` may not be combined
with it. Source: Iru's official pagination example (kandji-inc/support, prism_pagination_with_limit_and_cursor).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from include.errors import AnswerUnusable
from include.iru.client import IruClient
from include.iru.judge import BadRequest
from include.iru.raw_rows import RawRows, Row, parse_envelope
from include.iru.walk import Bookmark, Walk, WalkBroken


def iter_prism(
    client: IruClient,
    category: str,
    bookmark: Bookmark | None = None,
    *,
    only: Mapping[str, Any] | None = None,
    blueprints: Sequence[str] = (),
) -> Iterator[Sequence[Row]]:
    """Yield the pages of ``GET /prism/<category>`` until the category ends; with a ``bookmark`` those after its cursor.

    ``only`` is Prism's own filter, operators by key; ``blueprints`` are ids, empty means all. Source: Iru Endpoint API,
    "Prism, Filters".

    Raises WalkBroken when a cursor has expired: what came before does not fit to what a new walk yields.
    AnswerUnusable when a page has not the documented envelope, or a page or cursor keeps being repeated.
    """
    pages = _Pages(client, category, only=only, blueprints=blueprints)
    mark = bookmark or Bookmark()
    for kept in mark.kept if mark.cursor else ():
        pages.walk.keep(kept)
    body, rows, by_cursor = pages.at_cursor(mark.cursor) if mark.cursor else pages.first(), 0, bool(mark.cursor)
    while body["data"]:
        pages.walk.keep(body["data"], body["cursor"])
        mark.cursor = body["cursor"] or ""
        yield body["data"]
        rows += len(body["data"])
        if body["cursor"]:
            by_cursor = True
            body = pages.at_cursor(body["cursor"])
        elif by_cursor or not _more_by_offset(body, rows, pages.limit):
            return
        else:
            body = pages.at_offset(rows)


def fetch_sample(client: IruClient, category: str) -> Row:
    """Return the first row of a category, an empty dict where it has none: what a row of this tenant looks like."""
    rows = _Pages(client, category, limit=1).first()["data"]
    return dict(rows[0]) if rows else {}


class _Pages:
    """Asks for one page, each checked against all before it."""

    def __init__(
        self,
        client: IruClient,
        category: str,
        limit: int = 0,
        *,
        only: Mapping[str, Any] | None = None,
        blueprints: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._filter = {"filter": json.dumps(only)} if only else {}
        self._filter |= {"blueprint_ids": ",".join(blueprints)} if blueprints else {}
        self._path = f"prism/{category}"
        self.limit = limit or client.settings.page_rows
        self.walk = Walk(f"GET /{self._path}")

    def first(self) -> dict[str, Any]:
        """Open a walk with an empty cursor, as the official example does; a tenant that refuses it gets none."""
        try:
            return self._get(cursor="")
        except BadRequest:
            return self._get()

    def at_cursor(self, cursor: str) -> dict[str, Any]:
        """Follow a cursor; WalkBroken when the tenant no longer takes it."""
        try:
            return self._get(cursor=cursor)
        except BadRequest as error:
            raise WalkBroken(f"{error} A cursor that was good a moment ago has expired.") from None

    def at_offset(self, offset: int) -> dict[str, Any]:
        """Ask a tenant of the older kind; one that refuses ``offset`` gave all it has with its null cursor."""
        try:
            return self._get(offset=offset)
        except BadRequest:
            return {"data": [], "cursor": None}

    def _get(self, **params: Any) -> dict[str, Any]:
        page: dict[str, Any] = self._client.get(
            self._path, accept=self._accept, parse=parse_envelope, limit=self.limit, **self._filter, **params
        )
        return page

    def _accept(self, body: Any) -> dict[str, Any]:
        page = _envelope(body, self._path)
        self.walk.check(page["data"], page["cursor"])
        return page


def _more_by_offset(body: dict[str, Any], rows: int, limit: int) -> bool:
    """Say whether a page without a cursor can have successors, which then only ``offset`` reaches."""
    total = body.get("total")
    if isinstance(total, int):
        return rows < total
    return len(body["data"]) >= limit


def _envelope(body: Any, path: str) -> dict[str, Any]:
    data = body.get("data") if isinstance(body, dict) else None
    is_page = isinstance(data, RawRows) or (isinstance(data, list) and all(isinstance(row, dict) for row in data))
    if not is_page:
        raise AnswerUnusable(f"GET /{path} did not answer Prism's envelope with a list of objects in 'data'.")
    cursor = body.get("cursor") or None
    if cursor is not None and not isinstance(cursor, str):
        raise AnswerUnusable(f"GET /{path} answered a cursor that is no text.")
    return {**body, "data": data, "cursor": cursor}
