"""Counters of import set runs that lag behind the rows.

Source: none says how far behind they can be; half, for a number of reads, is this sandbox's choice.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from include.sandbox.faults.plan import Fault, FaultPlan
from include.sandbox.servicenow.fault_kinds import RUN_READ
from include.sandbox.servicenow.store import Record

_COUNTERS = ("total", "inserts", "updates", "processed", "ignored", "skipped", "errors")


@dataclass(slots=True)
class _Lag:
    fault: Fault
    reads: int


class RunLag:
    """Shows smaller counters for as many reads as a fault says; safe from any thread."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._lags: dict[str, _Lag] = {}

    def show(self, runs: Sequence[Record], tables: Sequence[str]) -> None:
        """Change the counters of ``runs`` as one read shows them; ``tables`` name each one's staging table.

        A table is empty where its run has not ended, which a lag leaves alone, as it does a read of no counters.
        """
        counted = {table for run, table in zip(runs, tables, strict=True) if table and run.keys() & set(_COUNTERS)}
        behind = {table for table in sorted(counted) if self._lags_now(table)}
        for run, table in zip(runs, tables, strict=True):
            if table in behind:
                run.update({name: str(int(run[name] or 0) // 2) for name in _COUNTERS if name in run})

    def _lags_now(self, table: str) -> bool:
        with self._lock:
            lag = self._lags.get(table)
            if lag is None or not lag.reads or not self._plan.holds(lag.fault):
                fault = self._plan.take(RUN_READ, table)
                if fault is None:
                    self._lags.pop(table, None)
                    return False
                lag = self._lags[table] = _Lag(fault, int(fault.options["reads"]))
            lag.reads -= 1
            return lag.reads >= 0
