"""How much of a fleet is to change, and which devices it meets."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCounts:
    """How often each kind of change happens; none by default."""

    enroll: int = 0
    """New devices, each with apps."""
    rename: int = 0
    reassign: int = 0
    """Given to another user, or to a user at last."""
    unassign: int = 0
    move_blueprint: int = 0
    update_os: int = 0
    check_in: int = 0
    """Seen again, and nothing else."""
    install_apps: int = 0
    update_apps: int = 0
    remove_apps: int = 0
    erase: int = 0
    """Wiped and enrolled again under the same record: no user, only Apple's apps."""
    reenroll: int = 0
    """Deleted and enrolled again: the same serial number under a new device id."""
    remove_devices: int = 0

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Return the counts of a JSON object; raise ``ValueError`` for anything else in it."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(body) - set(known))
        if unknown:
            raise ValueError(f"unknown change {', '.join(unknown)}; known: {', '.join(known)}, seed")
        for name, count in body.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(f"{name} takes a count, 0 or more, got {count!r}")
        return cls(**body)


class Deck:
    """Deals devices so that one change call meets each only once, until all have had their turn."""

    def __init__(self, draw: random.Random, device_ids: list[str]) -> None:
        self._draw = draw
        self._all = list(device_ids)
        self._taken = set[str]()

    def deal(self, count: int, *, among: set[str] | None = None) -> list[str]:
        """Return up to ``count`` different devices, of ``among`` if given; fresh ones first."""
        possible = [one for one in self._all if among is None or one in among]
        fresh = [one for one in possible if one not in self._taken]
        used = [one for one in possible if one in self._taken]
        dealt = self._draw.sample(fresh, min(count, len(fresh)))
        dealt += self._draw.sample(used, min(count - len(dealt), len(used)))
        self._taken.update(dealt)
        return dealt

    def drop(self, device_id: str) -> None:
        """Forget a device that is gone."""
        self._all.remove(device_id)
