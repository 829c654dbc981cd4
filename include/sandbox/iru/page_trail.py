"""Which page of a walk comes at which position, and where the page before it began."""

import threading
from dataclasses import dataclass

_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Step:
    """One page: its number from 1, and the position at which the page before it began."""

    number: int
    before: int


class PageTrail:
    """Remembers the pages that were handed out, the latest of them; safe from any thread.

    A cursor and an offset tell where a page begins and nothing of the page before it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: dict[tuple[str, int], Step] = {}

    def find(self, walk: str, position: int, *, otherwise: Step) -> Step:
        """Return what is known of the page at a position."""
        with self._lock:
            return self._steps.get((walk, position), otherwise)

    def note(self, walk: str, position: int, step: Step) -> None:
        """Remember which page begins at a position."""
        with self._lock:
            self._steps[walk, position] = step
            if len(self._steps) > _MOST:
                del self._steps[next(iter(self._steps))]
