"""How often Iru is asked: within a share of its hourly quota, less when little is left, and rarely when it is down."""

import math
import random
from dataclasses import dataclass

from include.iru.quota import PAGE_ROWS, Quota

AUDIT_EVERY_S = 30.0
SHORTEST_SWEEP_S = 15.0
LONGEST_SWEEP_S = 900.0

_HOUR_S = 3600.0
_ASSUMED_LIMIT = 10_000
"""Requests an hour where a tenant's headers do not say. Source: Iru Endpoint API, "Rate limit"."""
_FIRST_BACKOFF_S = 30.0
_LONGEST_BACKOFF_S = 600.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """The share of Iru's hourly quota that watching may take, between 0 and 1."""

    share: float = 0.25

    def budget(self, quota: Quota | None) -> float:
        """Return the requests an hour that watching may take now.

        The whole share while at least half of the quota is left; less and less below, nothing when nothing is left.
        """
        if quota is None or quota.limit < 1:
            return self.share * _ASSUMED_LIMIT
        left = max(0.0, min(1.0, 2 * quota.remaining / quota.limit))
        return self.share * quota.limit * left

    def sweep_every_s(self, devices: int, quota: Quota | None) -> float:
        """Return the seconds from one sweep over all devices to the next, for a fleet of so many."""
        requests = math.ceil(devices / PAGE_ROWS) + 1
        for_sweeps = self.budget(quota) - _HOUR_S / AUDIT_EVERY_S
        if for_sweeps <= requests:
            return LONGEST_SWEEP_S
        return min(LONGEST_SWEEP_S, max(SHORTEST_SWEEP_S, _HOUR_S * requests / for_sweeps))


def backoff_s(failures: int, *, after_s: float | None = None) -> float:
    """Return how long to leave Iru alone after so many failures in a row; a server's own hint is the least."""
    ceiling_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(failures - 1, 10))
    return max(after_s or 0.0, random.uniform(ceiling_s / 2, ceiling_s))  # noqa: S311 - jitter, not cryptography
