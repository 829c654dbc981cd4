"""The running tenant: what every route needs."""

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from include.sandbox.common.clock import Clock
from include.sandbox.common.database import Database
from include.sandbox.common.traffic import Traffic
from include.sandbox.faults.kind import Catalogue
from include.sandbox.faults.plan import Fault, FaultPlan
from include.sandbox.faults.request_kinds import IRU
from include.sandbox.iru.fault_kinds import KINDS
from include.sandbox.iru.page_trail import PageTrail
from include.sandbox.iru.settings import IruSettings, IruSwitches
from include.sandbox.iru.spelling import stored_time

API_PREFIX = "/api/v1"

FAULTS: Catalogue = {**IRU, **KINDS}
"""Everything that can go wrong at the tenant on request."""


@dataclass(slots=True)
class Tenant:
    """Settings, storage, time and counters of one tenant; ``switches`` may be exchanged at any time."""

    settings: IruSettings
    database: Database
    traffic: Traffic
    switches: IruSwitches
    tokens: dict[str, str] = field(default_factory=dict)
    """Further tokens with the patterns each may not use."""
    trail: PageTrail = field(default_factory=PageTrail)
    export_faults: dict[str, Fault] = field(default_factory=dict)
    """What struck an export when it was asked for, by its id."""
    totals: dict[Any, tuple[int, int]] = field(default_factory=dict)
    """Counts already taken, with the number of changes at that time."""
    totals_lock: threading.Lock = field(default_factory=threading.Lock)
    faults: FaultPlan = field(default_factory=lambda: FaultPlan(FAULTS))

    @property
    def clock(self) -> Clock:
        """Return the tenant's clock."""
        return self.settings.clock

    @property
    def secret(self) -> bytes:
        """Return the key of cursors and signed addresses; the same after a restart."""
        text = f"{self.settings.token}/{self.settings.spec.seed}"
        return hashlib.sha256(text.encode()).digest()

    def now(self) -> str:
        """Return the present as it is stored."""
        return stored_time(self.clock.now())


def get_tenant(request: Request) -> Tenant:
    """Return the tenant that serves ``request``."""
    tenant = request.app.state.tenant
    assert isinstance(tenant, Tenant)
    return tenant


TenantOf = Annotated[Tenant, Depends(get_tenant)]
