"""What a fault makes of an export: how it ends, what its file lacks, and how old its address is."""

import math
from pathlib import Path

from include.sandbox.faults.plan import Fault
from include.sandbox.iru.export_files import EXPIRES_S
from include.sandbox.iru.fault_kinds import EXPORT_ADDRESS
from include.sandbox.iru.tenant import Tenant


def pending_s(tenant: Tenant, fault: Fault | None) -> float:
    """Return how long an export stays pending at least; infinity for good."""
    if fault is None or fault.kind != "export_pending":
        return tenant.switches.export_delay_s
    return max(tenant.switches.export_delay_s, fault.options["for_s"] or math.inf)


def failure(fault: Fault | None) -> tuple[str, str] | None:
    """Return the state and the message of an export that fails."""
    if fault is None or fault.kind != "export_failed":
        return None
    return fault.options["status"], fault.options["error_msg"]


def truncate(file: Path, fault: Fault | None) -> None:
    """Cut a file in the middle of a row, where the fault says."""
    if fault is None or fault.kind != "export_truncated":
        return
    content = file.read_bytes()
    place = min(max(0, int(len(content) * fault.options["at"])), len(content) - 1)
    begin = content.rfind(b"\n", 0, place) + 1
    end = content.find(b"\n", begin)
    file.write_bytes(content[: (begin + end) // 2])


def address_age_s(tenant: Tenant, category: str) -> int:
    """Return how old a signed address is the moment that it is handed out."""
    return EXPIRES_S + 60 if tenant.faults.take(EXPORT_ADDRESS, category) else 0
