"""What really happened to rows and import sets, counted when it happens, so that deleted records still count."""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

PENDING = "pending"


class Tally:
    """Counters that the admin API shows; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Start counting from zero."""
        with self._lock:
            self._staged: Counter[str] = Counter()
            self._import_sets: Counter[str] = Counter()
            self._rows: Counter[tuple[str, str]] = Counter()
            self._semaphore_queue = 0

    def note_staged(self, table: str, rows: int) -> None:
        """Count rows that were staged."""
        with self._lock:
            self._staged[table] += rows

    def note_import_set(self, table: str) -> None:
        """Count an import set that was opened."""
        with self._lock:
            self._import_sets[table] += 1

    def note_states(self, table: str, changes: Iterable[tuple[str, str]]) -> None:
        """Count rows by the state they got, each with the one it had: a second map's word replaces the first's."""
        with self._lock:
            for before, after in changes:
                if before != PENDING:
                    self._rows[table, before] -= 1
                self._rows[table, after] += 1

    def note_semaphore_queue(self, length: int) -> None:
        """Remember the longest queue for a semaphore."""
        with self._lock:
            self._semaphore_queue = max(self._semaphore_queue, length)

    def snapshot(self) -> dict[str, Any]:
        """Return the counters as plain JSON values."""
        with self._lock:
            by_state: dict[str, dict[str, int]] = {}
            for (table, state), rows in sorted(self._rows.items()):
                if rows > 0:
                    by_state.setdefault(table, {})[state] = rows
            return {
                "staged_rows": dict(sorted(self._staged.items())),
                "rows_by_state": by_state,
                "import_sets_by_table": dict(sorted(self._import_sets.items())),
                "max_semaphore_queue": self._semaphore_queue,
            }
