"""Keep a client under a server's requests-per-second limit."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Lets at most ``per_second`` callers through each second, evenly spaced, across threads."""

    def __init__(
        self,
        per_second: float,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap_s = 1 / per_second
        self._now_s = now_s
        self._sleep = sleep
        self._next_s = 0.0
        self._lock = threading.Lock()

    def slow_to(self, per_second: float) -> None:
        """Let at most so many callers through from now on."""
        with self._lock:
            self._gap_s = 1 / per_second

    def wait(self) -> None:
        """Sleep until it is this caller's turn."""
        with self._lock:
            now_s = self._now_s()
            turn_s = max(now_s, self._next_s)
            self._next_s = turn_s + self._gap_s
        if turn_s > now_s:
            self._sleep(turn_s - now_s)
