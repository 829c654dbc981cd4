"""Walk a Prism category page by page: by cursor, or by offset on tenants that know no cursor yet.

A short page is not the end, a cursor is opaque and bound to its query, and ``sort_by`` may not be combined
with it. Source: Iru's official pagination example (kandji-inc/support, prism_pagination_with_limit_and_cursor).
"""

from collections.abc import Iterator
from typing import Any

from include.errors import AnswerUnusable
from include.iru.client import PAGE_ROWS, IruClient
from include.iru.judge import BadRequest


def iter_prism(client: IruClient, category: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of ``GET /prism/<category>`` until the category ends.

    Raises AnswerUnusable when a page has not the documented envelope or a cursor repeats.
    """
    path = f"prism/{category}"
    seen: set[str] = set()
    body = _first_page(client, path)
    rows, first_page = 0, None
    while body["data"]:
        if body["data"] == first_page:
            raise AnswerUnusable(f"GET /{path} repeats its first page: the server ignores 'cursor' and 'offset'.")
        first_page = first_page or body["data"]
        yield body["data"]
        rows += len(body["data"])
        cursor = body.get("cursor")
        if cursor:
            if cursor in seen:
                raise AnswerUnusable(f"GET /{path} returned the same cursor twice; the walk would never end.")
            seen.add(cursor)
            body = _envelope(client.get(path, limit=PAGE_ROWS, cursor=cursor), path)
        elif seen or not _more_by_offset(body, rows):
            return
        else:
            body = _offset_page(client, path, rows)


def _first_page(client: IruClient, path: str) -> dict[str, Any]:
    """Open a walk with an empty cursor, as the official example does; a tenant that refuses it gets none."""
    try:
        return _envelope(client.get(path, limit=PAGE_ROWS, cursor=""), path)
    except BadRequest:
        return _envelope(client.get(path, limit=PAGE_ROWS), path)


def _more_by_offset(body: dict[str, Any], rows: int) -> bool:
    """Say whether a page without a cursor can have successors, which then only ``offset`` reaches."""
    total = body.get("total")
    if isinstance(total, int):
        return rows < total
    return len(body["data"]) >= PAGE_ROWS


def _offset_page(client: IruClient, path: str, offset: int) -> dict[str, Any]:
    """Ask a tenant of the older kind; one that refuses ``offset`` gave all it has with its null cursor."""
    try:
        return _envelope(client.get(path, limit=PAGE_ROWS, offset=offset), path)
    except BadRequest:
        return {"data": []}


def _envelope(body: Any, path: str) -> dict[str, Any]:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise AnswerUnusable(f"GET /{path} did not answer Prism's envelope with a list of objects in 'data'.")
    return dict(body)
