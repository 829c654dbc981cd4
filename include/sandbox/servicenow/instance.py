"""One instance: what every module of it works on."""

import threading
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from include.sandbox.common.clock import Clock
from include.sandbox.common.database import Database
from include.sandbox.common.switches import change_switches
from include.sandbox.common.traffic import Traffic
from include.sandbox.faults.kind import Catalogue
from include.sandbox.faults.plan import Fault, FaultPlan
from include.sandbox.faults.request_kinds import SERVICENOW
from include.sandbox.servicenow.fault_kinds import KINDS
from include.sandbox.servicenow.meter import Meter
from include.sandbox.servicenow.run_lag import RunLag
from include.sandbox.servicenow.schema import Schema
from include.sandbox.servicenow.settings import SWITCHES, ServiceNowSettings
from include.sandbox.servicenow.store import Counters, Store
from include.sandbox.servicenow.tally import Tally
from include.sandbox.servicenow.transform_maps import MapLibrary

FAULTS: Catalogue = {**SERVICENOW, **KINDS}
"""Everything that can go wrong at the instance on request."""


class TransformQueue(Protocol):
    """Takes loaded import sets and transforms them later."""

    def submit(self, import_set: str, *, run_after: str = "") -> None:
        """Queue a loaded set; with ``run_after`` it waits until that set is processed."""

    def hold(self, import_set: str, fault: Fault) -> None:
        """Queue a loaded set that a fault keeps from starting."""


class _NoJobs:
    def submit(self, import_set: str, *, run_after: str = "") -> None:
        raise RuntimeError("the instance is not being served")

    def hold(self, import_set: str, fault: Fault) -> None:
        raise RuntimeError("the instance is not being served")


class Instance:
    """Settings, records, time and counters of one instance."""

    def __init__(self, settings: ServiceNowSettings, clock: Clock, schema: Schema) -> None:
        self.settings = settings
        self.clock = clock
        self.schema = schema
        self.database = Database(settings.database_path)
        self.store = Store(self.database, schema, clock)
        self.numbers = Counters(self.database)
        self.traffic = Traffic()
        self.maps = MapLibrary(self.store)
        self.jobs: TransformQueue = _NoJobs()
        self.faults = FaultPlan(FAULTS)
        self.tally = Tally()
        self.meter = Meter()
        self.run_lag = RunLag(self.faults)
        self.closing = threading.Event()
        """Set when the instance stops being served, so that nothing goes on waiting."""
        self.transform_lock = threading.Lock()
        """Held while a single POST opens or fills the shared import set."""

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change some switches; raises ``SwitchError`` for a name or a value that does not fit."""
        self.settings = change_switches(self.settings, changes, known=SWITCHES)


def instance_of(request: Request) -> Instance:
    """Return the instance that a request came to."""
    found: Instance = request.app.state.instance
    return found


InstanceOf = Annotated[Instance, Depends(instance_of)]
