"""The sandbox's own time, which the admin API can move forward."""

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset; both servers read the time only from here."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the sandbox's present, in UTC."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> datetime:
        """Travel forward by ``seconds`` and return the new present."""
        with self._lock:
            self._offset += timedelta(seconds=seconds)
        return self.now()
