"""One polite GET for both APIs: loopback past any proxy, and patience when told to wait."""

import time
from collections.abc import Mapping
from typing import Any

import requests

_PATIENCE = 20
_TOO_MANY_REQUESTS = 429


class CheckFailedError(RuntimeError):
    """The comparison could not be made: an API refused, or its answer is incomplete."""


def get(
    session: requests.Session, url: str, *, params: Mapping[str, Any], timeout_s: float = 120.0
) -> requests.Response:
    """Return the answer of a GET, waiting as long as a 429 asks for."""
    for _ in range(_PATIENCE):
        response = session.get(url, params=dict(params), timeout=timeout_s)
        if response.status_code != _TOO_MANY_REQUESTS:
            break
        time.sleep(float(response.headers.get("Retry-After") or response.headers.get("RateLimit-Reset") or 1))
    if not response.ok:
        raise CheckFailedError(f"GET {url} answered {response.status_code}")
    return response
