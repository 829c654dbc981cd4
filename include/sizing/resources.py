"""What our own side takes: bytes kept, memory of a task, partitions, workers and pools.

The figures per row were measured with this project on the sandbox (500 and 2,500 devices with 40 applications each,
all stages in one process); deploy/SIZING.md says how. Memory is that of a run that holds its frames whole: an
upper bound for a pipeline that streams.
"""

import math
from dataclasses import dataclass

from include.sizing.model import Fleet, Server

MIB = 1024 * 1024
GIB = 1024 * MIB

TASK_BASE_BYTES = 215 * MIB
"""A task before its first row: Python, pandas, pandera."""

TASK_ROW_BYTES = 4_330
"""What each row of a first load adds to the peak of a task; an unchanged night takes two thirds of it."""

TASK_LIMIT_BYTES = 4 * GIB
"""What a task may take; a partition is made so that it does not need more."""

LEDGER_ROW_BYTES = 700
"""One row of the ledger with its index in PostgreSQL; 640 in SQLite."""

NIGHT_APP_BYTES = 230
"""What an unchanged application leaves in the storage root each night: its page and its frame."""

FIRST_APP_BYTES = 505
"""What it leaves after a first load: the frame to send, receipts and the plan besides."""

DEVICE_RUN_BYTES = 620
"""What an unchanged device leaves in each run of the device flow."""

REPORT_BYTES = 150_000
"""Reports of one run."""

FILES_DAYS, REPORTS_DAYS = 14, 90
"""How long files and reports are kept by default."""

DEVICE_RUNS_PER_DAY = 24
"""``IRU_SERVICENOW_DEVICES_SCHEDULE`` by default."""

TASK_REQUESTS = 4
"""Requests that one load has under way at a time by default."""

TASKS_PER_WORKER = 2
"""Tasks at a time in one worker."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What is provided for a fleet; bytes, but for the counts."""

    partitions: int
    task_bytes: int
    workers: int
    iru_pool: int
    servicenow_pool: int
    storage_bytes: int
    ledger_bytes: int

    @property
    def worker_bytes(self) -> int:
        """The memory of one worker with all its tasks at their peak."""
        return TASKS_PER_WORKER * self.task_bytes + TASK_BASE_BYTES


def resources_for(fleet: Fleet, server: Server) -> Resources:
    """Return what a fleet needs on our side, with the default schedules and retention."""
    partitions = partitions_for(fleet.app_rows)
    iru_pool, servicenow_pool = 2, servicenow_pool_for(server)
    at_once = min(2 * partitions, iru_pool + servicenow_pool)
    return Resources(
        partitions=partitions,
        task_bytes=task_bytes(math.ceil(fleet.app_rows / partitions)),
        workers=max(1, math.ceil(at_once / TASKS_PER_WORKER)),
        iru_pool=iru_pool,
        servicenow_pool=servicenow_pool,
        storage_bytes=storage_bytes(fleet),
        ledger_bytes=ledger_bytes(fleet),
    )


def task_bytes(rows: int) -> int:
    """Return the peak memory of a task that holds so many rows."""
    return TASK_BASE_BYTES + rows * TASK_ROW_BYTES


def partitions_for(rows: int, *, limit_bytes: int = TASK_LIMIT_BYTES) -> int:
    """Return into how many parts rows are split so that no task needs more than a limit."""
    return max(1, math.ceil(rows * TASK_ROW_BYTES / (limit_bytes - TASK_BASE_BYTES)))


def servicenow_pool_for(server: Server) -> int:
    """Return the slots of the pool: as many loads as fill the server, and one for devices during the night."""
    return math.ceil(server.slots / TASK_REQUESTS) + 1


def ledger_bytes(fleet: Fleet) -> int:
    """Return the size of the ledger once the whole fleet is in it."""
    return sum(fleet.feed_rows) * LEDGER_ROW_BYTES


def storage_bytes(fleet: Fleet) -> int:
    """Return what the storage root holds in the end: nights, device runs, reports, and the first load."""
    apps = fleet.app_rows * (FIRST_APP_BYTES + (FILES_DAYS - 1) * NIGHT_APP_BYTES)
    devices = fleet.devices * FILES_DAYS * DEVICE_RUNS_PER_DAY * DEVICE_RUN_BYTES
    reports = REPORTS_DAYS * (DEVICE_RUNS_PER_DAY + 1) * REPORT_BYTES
    return apps + devices + reports
