"""What our own side takes: bytes kept, memory of a task, partitions, workers and pools.

Figures of memory were measured with ``make bench PART=client``, of files with the project on the sandbox (500 and 2,500
devices with 40 applications each); deploy/SIZING.md says how.
"""

import math
from dataclasses import dataclass

from include.sizing.limits import chunk_rows_for
from include.sizing.model import Fleet, Server, load_bound_s

MIB = 1024 * 1024
GIB = 1024 * MIB

TASK_BASE_BYTES = 180 * MIB
"""A task before its first row: Python, pandas, pandera."""

TASK_ROWS_AT_ONCE = 60_000
"""Rows that a task works on at a time, whatever the size of the fleet."""

TASK_ROW_BYTES = 4_000
"""What each row that is worked on adds to the peak of a task."""

TASK_KEY_BYTES = 50
"""What each row of the fleet adds: hashes of keys, digests of devices."""

LONGEST_LOAD_S = 3600.0
"""How long the load of one partition may take: half of what its task may, so that faults have room."""

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
    partitions = partitions_for(fleet, server)
    iru_pool, servicenow_pool = 2, servicenow_pool_for(server)
    at_once = min(2 * partitions, iru_pool + servicenow_pool)
    return Resources(
        partitions=partitions,
        task_bytes=task_bytes(fleet.app_rows),
        workers=max(1, math.ceil(at_once / TASKS_PER_WORKER)),
        iru_pool=iru_pool,
        servicenow_pool=servicenow_pool,
        storage_bytes=storage_bytes(fleet),
        ledger_bytes=ledger_bytes(fleet),
    )


def task_bytes(rows: int) -> int:
    """Return the peak memory of a task of a fleet with so many rows."""
    return TASK_BASE_BYTES + min(rows, TASK_ROWS_AT_ONCE) * TASK_ROW_BYTES + rows * TASK_KEY_BYTES


def partitions_for(fleet: Fleet, server: Server) -> int:
    """Return among how many tasks the first load is divided so that each ends in time."""
    seconds = load_bound_s(fleet.app_rows, server, chunk_rows=chunk_rows_for(fleet, server))
    return max(1, math.ceil(seconds / LONGEST_LOAD_S))


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
