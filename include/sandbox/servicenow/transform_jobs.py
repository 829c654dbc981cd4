"""The background jobs that transform loaded import sets, two at a time.

Source: ServiceNow, "Concurrent import sets" (two transformer jobs a node poll the queue).
"""

import logging
import math
import threading
import time
from dataclasses import dataclass

from include.sandbox.faults.plan import Fault
from include.sandbox.servicenow.import_sets import ASYNCHRONOUS, FAILED, LOADED, PROCESSED
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.transform import transform_set
from include.sandbox.servicenow.transform_course import UNDISTURBED, course_of

log = logging.getLogger(__name__)
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class _Waiting:
    import_set: str
    run_after: str
    ready_s: float
    held_by: Fault | None = None
    """The fault that keeps the set from starting, until ``ready_s`` or until nobody asks for it any more."""


class TransformJobs:
    """A queue of loaded sets and the threads that work on it."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._changed = threading.Condition()
        self._queue: list[_Waiting] = []
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads, and take up again what an earlier process left loaded."""
        self._stopping = False
        where = {"mode": ASYNCHRONOUS, "state": LOADED}
        for left in self._instance.store.find("sys_import_set", where, order="rowid"):
            self.submit(left["sys_id"], run_after=left["run_after"])
        for number in range(self._instance.settings.transform_workers):
            thread = threading.Thread(target=self._work, name=f"transform-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop after the sets at hand."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def submit(self, import_set: str, *, run_after: str = "") -> None:
        """Queue a loaded set; with ``run_after`` it waits until that set is processed."""
        ready_s = time.monotonic() + self._instance.settings.transform_pickup_delay_s
        with self._changed:
            self._queue.append(_Waiting(import_set, run_after, ready_s))
            self._changed.notify()

    def hold(self, import_set: str, fault: Fault) -> None:
        """Queue a loaded set that a fault keeps from starting, for as long as the fault says."""
        for_s = float(fault.options["for_s"])
        with self._changed:
            self._queue.append(_Waiting(import_set, "", time.monotonic() + (for_s or math.inf), fault))
            self._changed.notify()

    def _work(self) -> None:
        while (waiting := self._take()) is not None:
            try:
                self._transform(waiting)
            except Exception:
                log.exception("The transform of import set %s failed.", waiting.import_set)
                self._instance.store.update("sys_import_set", waiting.import_set, {"state": FAILED})

    def _transform(self, waiting: _Waiting) -> None:
        record = self._instance.store.get("sys_import_set", waiting.import_set)
        if record is None:
            return
        course = UNDISTURBED if waiting.held_by else course_of(self._instance, record["table_name"])
        if course.held_by:
            self.hold(waiting.import_set, course.held_by)
        else:
            transform_set(self._instance, record, course)

    def _take(self) -> _Waiting | None:
        with self._changed:
            while not self._stopping:
                now_s = time.monotonic()
                for waiting in self._queue:
                    if self._is_ready(waiting, now_s) and self._may_run(waiting):
                        self._queue.remove(waiting)
                        return waiting
                soonest_s = min((w.ready_s for w in self._queue if w.ready_s > now_s), default=now_s + _POLL_S)
                self._changed.wait(max(0.001, min(_POLL_S, soonest_s - now_s)) if self._queue else None)
        return None

    def _is_ready(self, waiting: _Waiting, now_s: float) -> bool:
        released = waiting.held_by is not None and not self._instance.faults.holds(waiting.held_by)
        return released or waiting.ready_s <= now_s

    def _may_run(self, waiting: _Waiting) -> bool:
        """Say whether nothing has to come first: the set to run after, and a map (assumption: it is waited for)."""
        store = self._instance.store
        earlier = store.get("sys_import_set", waiting.run_after) if waiting.run_after else None
        if earlier and earlier["state"] not in (PROCESSED, FAILED):
            return False
        record = store.get("sys_import_set", waiting.import_set)
        return record is None or bool(self._instance.maps.maps_for(record["table_name"]))
