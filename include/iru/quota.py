"""Iru's hourly quota: what its headers say is left, and what an extract will take of it.

10,000 requests an hour for all tokens of a customer together. Source: Iru Endpoint API, "Rate limit", and the headers
of recorded answers.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from include.web.transport import Answer

ExtractMethod = Literal["pages", "export"]
ExtractChoice = Literal["auto", "pages", "export"]

PAGE_ROWS = 300
"""The hard cap of ``limit`` on /devices and Prism."""

_EXPORT_REQUESTS = 12  # one that asks for it, one row to compare with, and the questions whether it is done


SMALL_SHARE = 0.02
"""Pages are read up to this share of an hour's requests: an export saves nothing worth its wait then."""

LOW_SHARE = 0.1
"""Below this share of the hour's requests everybody slows down."""

USUAL_LIMIT = 10_000
"""Requests an hour where the tenant does not state them."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The tenant's requests per hour, how many of them are left, and when that was said (unix seconds)."""

    limit: int
    remaining: int
    seen_s: float


def read_quota(answer: Answer) -> Quota | None:
    """Return what an answer's headers say of the hour; None where they do not."""
    limit = _count(answer.headers.get("X-RateLimit-Limit-Hour"))
    remaining = _count(answer.headers.get("X-RateLimit-Remaining-Hour"))
    if limit is None or remaining is None:
        return None
    return Quota(limit=limit, remaining=remaining, seen_s=answer.date_s or time.time())


def predict_requests(rows: Mapping[str, int | None], *, method: ExtractMethod = "pages") -> int | None:
    """Return how many requests the walk over some collections takes; None where the rows of one are not known.

    ``rows`` are counts by collection. ``/devices`` ends with an empty page, Prism may; the count of each Prism
    category is asked for once more afterwards. An export takes a few requests however large it is.
    """
    total = 0
    for name, count in rows.items():
        if count is None:
            return None
        by_export = method == "export" and name != "devices"
        total += _EXPORT_REQUESTS if by_export else math.ceil(count / PAGE_ROWS) + 1
        total += 0 if name == "devices" else 1
    return total


def choose_method(rows: Mapping[str, int | None], quota: Quota | None) -> ExtractMethod:
    """Return the cheapest way to read some collections that fits the hour: pages for few rows, else an export.

    ``rows`` are counts by collection; where one is not known, pages are read.
    """
    by_pages = predict_requests(rows, method="pages")
    if by_pages is None:
        return "pages"
    limit = quota.limit if quota else USUAL_LIMIT
    fits = quota is None or by_pages <= quota.remaining
    return "pages" if fits and by_pages <= SMALL_SHARE * limit else "export"


def pace_of(quota: Quota, *, usual: float) -> float:
    """Return how many requests a second the hour still bears, at most the ``usual``.

    While a tenth of the hour's requests is left, all go at the usual pace; below that no faster than the quota grows
    back. The headers are the tenant's, so that all workers of all machines slow down together.
    """
    is_low = quota.remaining < LOW_SHARE * quota.limit
    return min(usual, quota.limit / 3600) if is_low and quota.limit else usual


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
