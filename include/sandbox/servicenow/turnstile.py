"""A gate that lets so many through at a time and so many wait in line; the rest are turned away."""

import asyncio
import time
from collections import deque
from collections.abc import Callable


class Turnstile:
    """One gate, for the tasks of one event loop."""

    def __init__(self) -> None:
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._last_entry_s = 0.0

    @property
    def idle(self) -> bool:
        """Say whether nobody is inside or in line."""
        return not self._inside

    async def enter(
        self,
        *,
        slots: int,
        queue: int,
        patience_s: float | None = None,
        on_wait: Callable[[int], None] = lambda _: None,
    ) -> bool:
        """Wait for a slot; False where the line is full, or the last entry was ``patience_s`` ago.

        ``on_wait`` is told how long the line became.
        """
        if self._inside < slots:
            self._inside += 1
            self._last_entry_s = time.monotonic()
            return True
        if len(self._line) >= queue:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        on_wait(len(self._line))
        try:
            return await self._wait(turn, patience_s)
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def leave(self) -> None:
        """Free a slot for the first in line."""
        if self._line:
            self._last_entry_s = time.monotonic()
            self._line.popleft().set_result(None)
        else:
            self._inside -= 1

    async def _wait(self, turn: asyncio.Future[None], patience_s: float | None) -> bool:
        while not turn.done():
            left_s = None if patience_s is None else self._last_entry_s + patience_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                self._line.remove(turn)
                return False
            await asyncio.wait({turn}, timeout=left_s)
        return True

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self.leave()
        else:
            self._line.remove(turn)
