"""A load that is divided among several tasks: what they return together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_SUMS = ("rows", "requests", "retries", "waited_s", "ruled")
_GREATEST = ("rule_limit", "ended_s")


def added_up(results: Mapping[str, Any] | Sequence[Mapping[str, Any] | None], *, of: int) -> dict[str, Any]:
    """Return what the ``of`` tasks of a load returned as one; ``ended`` says whether each of them did."""
    parts = [results] if isinstance(results, Mapping) else [result for result in results if result]
    outcomes = Counter[str]()
    for part in parts:
        outcomes.update(part.get("outcomes", {}))
    sums = {name: sum(part.get(name, 0) for part in parts) for name in _SUMS}
    greatest = {name: max((part.get(name, 0) for part in parts), default=0) for name in _GREATEST}
    return {**sums, **greatest, "outcomes": dict(outcomes), "ended": len(parts) == of}
