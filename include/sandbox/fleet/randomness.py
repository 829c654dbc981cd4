"""Seeded randomness, one independent stream a concern, so that one stays put when another grows."""

import random
from datetime import datetime, timedelta
from uuid import UUID


def stream(seed: int, *names: object) -> random.Random:
    """Return a generator of its own for ``names`` under ``seed``."""
    return random.Random("/".join(str(name) for name in (seed, *names)))


def draw_uuid(draw: random.Random) -> str:
    """Return a version 4 UUID from ``draw``."""
    return str(UUID(int=draw.getrandbits(128), version=4))


def draw_time(draw: random.Random, before: datetime, *, within_days: float) -> datetime:
    """Return a moment at most ``within_days`` before ``before``, to the microsecond."""
    return before - timedelta(microseconds=draw.randint(1, int(within_days * 86_400_000_000)))
