"""What a request has written so far, and how busy the sandbox was with requests."""

import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Work:
    """What a request has done so far; ``parts`` are the requests inside a batch."""

    rows: int = 0
    parts: int = 0


WORK: ContextVar[Work | None] = ContextVar("work", default=None)


def note_rows(rows: int) -> None:
    """Count rows that the request under way wrote; nothing where there is none, as in a transform job."""
    work = WORK.get()
    if work is not None:
        work.rows += rows


def note_part() -> None:
    """Count a request inside the batch under way."""
    work = WORK.get()
    if work is not None:
        work.parts += 1


class Meter:
    """How busy this process was, and how often it could not keep to the model; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Start measuring from now."""
        with self._lock:
            self._wall_s, self._cpu_s = time.monotonic(), time.process_time()
            self._timed = self._overruns = 0
            self._overrun_s = 0.0

    def note(self, left_s: float) -> None:
        """Note a request that the model still gave ``left_s`` seconds when its work was done; negative: too late."""
        with self._lock:
            self._timed += 1
            if left_s < 0:
                self._overruns += 1
                self._overrun_s -= left_s

    def snapshot(self) -> dict[str, Any]:
        """Return the measures as plain JSON values; ``busy`` is the share of one core."""
        with self._lock:
            wall_s, cpu_s = time.monotonic() - self._wall_s, time.process_time() - self._cpu_s
            return {
                "wall_s": round(wall_s, 3),
                "cpu_s": round(cpu_s, 3),
                "busy": round(cpu_s / wall_s, 3) if wall_s else 0.0,
                "timed_requests": self._timed,
                "overruns": self._overruns,
                "overrun_s": round(self._overrun_s, 3),
            }
