"""Fetch some devices instead of the whole fleet: each by its own address, and Prism's rows of them by a filter."""

import logging
import math
from collections.abc import Iterator, Sequence

from include.inventory.page_files import Page, append_page, clear_pages
from include.inventory.run_folder import RunFolder
from include.iru.client import IruClient
from include.iru.judge import BadRequest
from include.iru.prism import iter_prism
from include.iru.quota import PAGE_ROWS
from include.storage import StoragePath

log = logging.getLogger(__name__)

DEVICES_PER_FILTER = 50
"""Device ids in one Prism filter: 2 kB of address, which every server takes."""

_PRISM = "device_information"


def is_cheaper(changed: int, fleet: int | None) -> bool:
    """Say whether fetching so many devices one by one takes fewer requests than listing the whole fleet.

    ``fleet`` is the number of devices as far as it is known; where it is not, up to one page's rows are fetched singly.
    """
    singly = changed + math.ceil(changed / DEVICES_PER_FILTER)
    whole = 2 * (math.ceil(fleet / PAGE_ROWS) + 1) if fleet else PAGE_ROWS
    return singly <= whole


def extract_devices(client: IruClient, folder: RunFolder, changed: Sequence[str]) -> tuple[int, int]:
    """Write the rows of some devices as pages, as a whole extract leaves them; return how many are there, and gone.

    A device that answers 404 is left out: the next full run says what becomes of it.
    """
    rows = [client.fetch_device(device_id) for device_id in changed]
    there: Page = [row for row in rows if row is not None]
    _write(folder.pages("devices"), [there])
    _write(folder.pages(_PRISM), _prism_pages(client, [str(row.get("device_id")) for row in there]))
    gone = len(changed) - len(there)
    log.info("Fetched %d changed devices one by one; %d are gone.", len(there), gone)
    return len(there), gone


def _prism_pages(client: IruClient, device_ids: Sequence[str]) -> Iterator[Page]:
    """Yield Prism's rows of some devices; a tenant that refuses the filter is read whole."""
    for start in range(0, len(device_ids), DEVICES_PER_FILTER):
        some = list(device_ids[start : start + DEVICES_PER_FILTER])
        try:
            yield from iter_prism(client, _PRISM, only={"device_id": {"in": some}})
        except BadRequest as error:
            log.warning("Prism is read whole, because it refuses to be asked for some devices: %s", error)
            wanted = set(device_ids)
            for page in iter_prism(client, _PRISM):
                yield [row for row in page if row.get("device_id") in wanted]
            return


def _write(folder: StoragePath, pages: Iterator[Page] | list[Page]) -> None:
    clear_pages(folder)
    for position, page in enumerate(page for page in pages if page):
        append_page(folder, position, page)
