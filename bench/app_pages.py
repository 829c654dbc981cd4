"""Pages of Prism's apps as a tenant of any size would send them, made from one page of the sandbox's."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from include.iru.client import IruClient
from include.iru.prism import iter_prism
from include.iru.quota import PAGE_ROWS

_DEVICE, _SERIAL, _NUMBER = "@device@", "@serial@", "@number@"


def fetch_templates(client: IruClient, apps: int) -> list[dict[str, Any]]:
    """Return so many different app rows of a tenant's Macs."""
    rows = (row for page in iter_prism(client, "apps") for row in page)
    found = {(row["bundle_id"], row["path"]): row for row in rows if row["name"] and row["device__family"] == "Mac"}
    if len(found) < apps:
        raise ValueError(f"The tenant has {len(found)} different apps; {apps} are needed.")
    return list(found.values())[:apps]


class AppPages:
    """The pages of a fleet: ``devices`` times the templates, a few of them changed in their version."""

    def __init__(self, templates: Sequence[dict[str, Any]], devices: int, *, changed_share: float = 0.0) -> None:
        self._devices = devices
        self._changed = round(devices * changed_share)
        self._rows = [self._spelled(row) for row in templates]
        self._newer = [self._spelled(row | {"version": f"{row['version']}.1"}) for row in templates]

    @staticmethod
    def _spelled(row: dict[str, Any]) -> bytes:
        marked = row | {"device_id": _DEVICE, "serial_number": _SERIAL, "path": f"{row['path']}{_NUMBER}"}
        return json.dumps(marked).encode()

    @property
    def rows(self) -> int:
        """The number of app rows."""
        return self._devices * len(self._rows)

    def bodies(self) -> Iterator[bytes]:
        """Yield the bodies of the pages, as Prism sends them."""
        with closing(self._spellings()) as rows:
            page: list[bytes] = []
            for row in rows:
                page.append(row)
                if len(page) == PAGE_ROWS:
                    yield self._body(page)
                    page = []
            if page:
                yield self._body(page)

    def _spellings(self) -> Iterator[bytes]:
        for device in range(self._devices):
            own = b"%08x-0000-4000-8000-%012x" % (device, device)
            serial, number = b"C02%07d" % device, b"" if device % 3 else b" %d" % device
            for row in self._newer if device < self._changed else self._rows:
                spelled = row.replace(_DEVICE.encode(), own).replace(_SERIAL.encode(), serial)
                yield spelled.replace(_NUMBER.encode(), number)

    def _body(self, page: Sequence[bytes]) -> bytes:
        total = b"%d" % self.rows
        return (
            b'{"offset": 0, "limit": 300, "total": ' + total + b', "cursor": null, "data": [' + b",".join(page) + b"]}"
        )
