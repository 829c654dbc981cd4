"""What a fault does to one page of a list: to the fleet before it, to where it begins, to how long it is."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from include.sandbox.fleet.randomness import stream
from include.sandbox.iru.change_between import enroll_before
from include.sandbox.iru.device_edit import remove_device
from include.sandbox.iru.device_rows import find_device
from include.sandbox.iru.fault_kinds import LATER_PAGE, PAGE
from include.sandbox.iru.tenant import Tenant

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPage:
    """One page as it is asked for."""

    subject: str
    begin: int
    """Its offset, or the position behind which it begins."""
    before: int
    """The same of the page before it."""
    first: bool
    earlier: Callable[[], set[str]]
    """Return the devices that stand before this page now."""


def begin_page(tenant: Tenant, page: AskedPage) -> int:
    """Return where the answer begins; a fault may change the fleet first, or repeat the page before."""
    fault = None if page.first else tenant.faults.take(LATER_PAGE, page.subject)
    if fault is None:
        return page.begin
    if fault.kind == "repeated_page":
        return page.before
    draw, count = stream(fault.seed, fault.kind, page.subject), fault.options["count"]
    if fault.kind == "device_removed_between_pages":
        _remove(tenant, draw, page.earlier(), count)
    else:
        for _ in range(count):
            enroll_before(tenant, draw, page.earlier)
    return page.begin


def cut_short(tenant: Tenant, page: AskedPage, rows: list[_Row]) -> list[_Row]:
    """Return the rows of the page, the first of them only where a fault makes it short."""
    fault = tenant.faults.take(PAGE, page.subject)
    return rows[: fault.options["rows"] or max(1, len(rows) // 2)] if fault else rows


def _remove(tenant: Tenant, draw: random.Random, earlier: set[str], count: int) -> None:
    for device_id in draw.sample(sorted(earlier), min(count, len(earlier))):
        remove_device(tenant, find_device(tenant, device_id))
