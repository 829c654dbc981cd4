"""Faults of all transient kinds at once, as a bad day has them."""

import zlib
from collections.abc import Mapping
from typing import Any

from include.sandbox.common.switches import SwitchError

_SHARED: tuple[Mapping[str, Any], ...] = (
    {"kind": "rate_limited", "retry_after_s": 0},
    {"kind": "rate_limited_bare"},
    {"kind": "error_500"},
    {"kind": "error_500", "after": True},
    {"kind": "error_502"},
    {"kind": "error_502", "after": True},
    {"kind": "error_503"},
    {"kind": "error_503", "after": True},
    {"kind": "html_200"},
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "truncated"},
    {"kind": "malformed"},
)

_DROPPED: Mapping[str, Any] = {"kind": "dropped_202"}

TRANSIENT: Mapping[str, tuple[Mapping[str, Any], ...]] = {"iru": _SHARED, "servicenow": (*_SHARED, _DROPPED)}
"""Faults of requests, by service, after which a client may simply try again; ``malformed``, which strikes on fewer
paths than the others, comes last, so that it takes nothing from their shares."""


def mixed_faults(service: str, share: float, seed: int) -> list[dict[str, Any]]:
    """Return faults that together strike a ``share`` (0 to 1) of a service's requests, each kind as often as another.

    Faults are asked in order, and a later one sees only the requests that the earlier ones let pass, so its own share
    of these is larger. Raises SwitchError for a share that is none.
    """
    if not 0 <= share <= 1:
        raise SwitchError(f"the share of mixed faults lies between 0 and 1, got {share!r}")
    if not share:
        return []
    faults, each, passed = TRANSIENT[service], share / len(TRANSIENT[service]), 1.0
    mixed = []
    for number, fault in enumerate(faults):
        own_seed = zlib.crc32(f"{service}/{seed}/{number}".encode())
        mixed.append({**fault, "share": min(1.0, each / passed), "seed": own_seed})
        passed -= each
    return mixed
