"""What happens at midnight, UTC by the sandbox's clock.

Source: ServiceNow, "Import set mode" (synchronous sets are closed at midnight), "Import Set Deleter" (older than seven
days), the Kandji integration's documentation (usage publisher).
"""

import threading
from datetime import timedelta

from include.sandbox.servicenow import import_sets
from include.sandbox.servicenow.import_runs import close_runs
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.store import to_time
from include.sandbox.servicenow.usage_publisher import publish_usage

IMPORT_SET_LIFE = timedelta(days=7)
_POLL_S = 0.5


class Nightly:
    """Runs the nightly jobs when the clock's date changes."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._date = instance.clock.now().date()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the clock."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="nightly", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def catch_up(self) -> None:
        """Run the jobs when midnight has passed since they last ran."""
        with self._lock:
            today = self._instance.clock.now().date()
            if today == self._date:
                return
            self._date = today
            run_nightly_jobs(self._instance)

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            self.catch_up()


def run_nightly_jobs(instance: Instance) -> None:
    """Close shared import sets, delete old ones, publish usage."""
    now = instance.clock.now()
    import_sets.close_synchronous(instance)
    close_runs(instance, now)
    import_sets.delete_older_than(instance, to_time(now - IMPORT_SET_LIFE))
    publish_usage(instance)
