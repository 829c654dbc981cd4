"""Find the devices that a sweep over /devices passed by.

Removing a device between two pages moves the later ones forward, and one of them into the gap between the pages.
Prism lists devices by another key, so what only Prism names is asked for one by one: a 404 proves that it is gone,
anything else is the row that was passed by. A device that Prism does not name is normal: Prism lags behind.
"""

import logging
from dataclasses import dataclass

from include.inventory.page_files import Page, Stored, append_page, device_ids
from include.iru.client import IruClient, is_device_id
from include.storage import StoragePath

log = logging.getLogger(__name__)

MAX_LOOKUPS = 200
"""How many devices are asked for one by one; more of them are no drift but half a list."""


@dataclass(frozen=True, slots=True)
class Swept:
    """Devices that only Prism named: ``found`` by asking, ``gone`` by a 404, ``passed_by`` where they are too many."""

    found: int = 0
    gone: int = 0
    passed_by: int = 0


def complete_sweep(client: IruClient, folder: StoragePath, swept: Stored, prism: Stored) -> Swept:
    """Ask for the devices that only Prism names and write those that are there as one more page."""
    missing = sorted(filter(is_device_id, prism.device_ids - swept.device_ids))
    if len(missing) > MAX_LOOKUPS:
        log.warning(
            "Prism names %d devices that GET /devices did not list; more than %d are not asked for one by one.",
            len(missing),
            MAX_LOOKUPS,
        )
        return Swept(passed_by=len(missing))
    rows = {device_id: client.fetch_device(device_id) for device_id in missing}
    page: Page = [row for device_id, row in rows.items() if row is not None and device_id in device_ids([row])]
    gone = sum(row is None for row in rows.values())
    if page:
        append_page(folder, swept.pages, page)
    if missing:
        log.info(
            "GET /devices passed by %d devices that Prism names: %d were fetched one by one, %d are gone.",
            len(missing),
            len(page),
            gone,
        )
    return Swept(found=len(page), gone=gone, passed_by=len(missing) - len(page) - gone)
