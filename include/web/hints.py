"""What a server says about time: its own clock, and how long to wait before the next try.

Sources: RFC 9110 (Date; Retry-After as seconds or as a date); ServiceNow KB0546297 (X-RateLimit-Reset in unix
seconds); recorded answers of Iru (RateLimit-Reset in seconds from now).
"""

import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_HINT_S = 86_400.0
"""No hint is believed beyond a day: it ends up in Airflow's scheduling, which cannot take any number."""

LONGEST_RESET_S = 3_660.0
"""The widest window of either API is an hour; a reset further away is another kind of number."""


def server_time_s(headers: Mapping[str, str]) -> float | None:
    """Return the server's clock in unix seconds, as its Date header says."""
    return _http_date_s(headers.get("Date", ""))


def retry_after_s(headers: Mapping[str, str], status: int) -> float | None:
    """Return how many seconds the server asks to wait; None where it does not say, or nothing that can be meant."""
    now_s = server_time_s(headers) or time.time()  # the server's own clock, so that a skewed one does no harm
    text = headers.get("Retry-After", "")
    asked_s = _number(text)
    if asked_s is not None:
        return min(max(0.0, asked_s), LONGEST_HINT_S)
    date_s = _http_date_s(text)
    if date_s is not None and date_s > now_s:
        return min(date_s - now_s, LONGEST_HINT_S)
    return _reset_s(headers, now_s) if status == 429 else None


def _reset_s(headers: Mapping[str, str], now_s: float) -> float | None:
    at_s, in_s = _number(headers.get("X-RateLimit-Reset", "")), _number(headers.get("RateLimit-Reset", ""))
    waits = [at_s - now_s if at_s is not None else None, in_s]
    return next((wait_s for wait_s in waits if wait_s is not None and 0 < wait_s <= LONGEST_RESET_S), None)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _http_date_s(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
