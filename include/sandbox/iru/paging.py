"""``limit`` and ``offset`` as the tenant reads them, and links to other pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request

from include.sandbox.iru.errors import bad_request
from include.sandbox.iru.settings import IruSwitches


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a list are asked for."""

    limit: int
    offset: int = 0


def read_window(query: Mapping[str, str], switches: IruSwitches, *, default: int, maximum: int) -> Window:
    """Return limit and offset; what is not a number counts as not given, as Django REST framework does.

    A limit above ``maximum`` is cut, or refused with 400 when the switch ``limit_over_maximum`` says so.
    """
    limit = _number(query.get("limit", ""), least=1) or default
    if limit > maximum and switches.limit_over_maximum == "refuse":
        raise bad_request(f"limit must not exceed {maximum}.")
    return Window(min(limit, maximum), _number(query.get("offset", ""), least=0) or 0)


def _number(text: str, *, least: int) -> int | None:
    number = int(text) if text.strip().isascii() and text.strip().isdigit() else None
    return number if number is not None and number >= least else None


def web_host(request: Request) -> str:
    """Return the other loopback name with the same port, so that following it blindly still works."""
    name = "127.0.0.1" if request.url.hostname == "localhost" else "localhost"
    return f"{name}:{request.url.port}" if request.url.port else name


def page_address(request: Request, host: str, query: Mapping[str, str]) -> str:
    """Return the address of another page of a list: on ``host``, or on the API's own where that is ""."""
    if host.lower() == request.url.netloc.lower():
        host = web_host(request)
    url = request.url.replace(netloc=host or request.url.netloc, query="")
    return f"{url}?{urlencode(query)}"


def _offset_query(request: Request, window: Window, offset: int) -> dict[str, str]:
    """Return the query of the page at ``offset``; the first page has none in it."""
    query = {k: v for k, v in request.query_params.items() if k not in ("limit", "offset")}
    query["limit"] = str(window.limit)
    if offset > 0:
        query["offset"] = str(offset)
    return query


def neighbours(request: Request, switches: IruSwitches, window: Window, total: int) -> tuple[str | None, str | None]:
    """Return the addresses of the next and the previous page, None where there is none."""
    following, before = window.offset + window.limit, window.offset - window.limit

    def address(offset: int) -> str:
        return page_address(request, switches.next_host, _offset_query(request, window, offset))

    return (
        address(following) if following < total else None,
        address(max(0, before)) if window.offset else None,
    )
