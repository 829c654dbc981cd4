"""An extract that is interrupted goes on where it was, and ends with the same pages as one that was not."""

import json
import time
from pathlib import Path

import pytest
from factories import MAPPING, device, params, prism_device
from scripted import Asked, Reply, Scripted, serving

from include.errors import RetryLater, RunUnsafe
from include.inventory.extract import GO_ON_WITHIN_S, extract
from include.inventory.page_files import iter_pages
from include.inventory.run import Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import run_extract
from include.iru.client import IruClient, IruSettings
from include.web.retry import RetryPolicy

COLLECTIONS = ("devices", "device_information")


class Dying:
    """A tenant of seven devices in pages of two, which answers no more after some requests, until it recovers."""

    def __init__(self, dies_after: int) -> None:
        self.left = dies_after
        self.devices = [device(n) for n in range(1, 8)]
        self.prism = [prism_device(n) for n in range(1, 8)]
        self.counted = 7
        self.cursors_expire = False

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        self.left -= 1
        if self.left < 0:
            return Reply({}, 503)
        if asked.path.endswith("/prism/count"):
            return Reply({"count": self.counted})
        if asked.path.endswith("/devices"):
            start = int(asked.query["offset"])
            return Reply(self.devices[start : start + 2])
        start = int(asked.query["cursor"] or 0)
        if start and self.cursors_expire:
            self.cursors_expire = False
            return Reply({"detail": "Invalid cursor."}, 400)
        cursor = str(start + 2) if start + 2 < len(self.prism) else None
        return Reply({"data": self.prism[start : start + 2], "cursor": cursor, "total": None})


def client_of(server: Scripted) -> IruClient:
    """Return a client that tries once."""
    return IruClient(IruSettings(server.url, "t"), retry=RetryPolicy(attempts=1))


def pages(folder: RunFolder) -> list[list[str]]:
    """Return the devices in the pages of both collections."""
    return [[row["device_id"] for row in page] for name in COLLECTIONS for page in iter_pages(folder.pages(name))]


def interrupted(server: Scripted, folder: RunFolder, tenant: Dying) -> None:
    """Extract until the tenant dies, then let it recover and forget what it was asked."""
    with pytest.raises(RetryLater):
        extract(client_of(server), "devices", folder)
    tenant.left = 10_000
    server.asked.clear()


@pytest.mark.parametrize("dies_after", range(1, 11))
def test_an_interrupted_extract_goes_on_and_ends_with_every_row_once(tmp_path, dies_after):
    """Wherever it was cut off, no page that was kept is asked for again, and all pages are there in the end."""
    with serving(Dying(10_000)) as server:
        extract(client_of(server), "devices", RunFolder(tmp_path / "whole"))
        whole = len(server.asked)
    tenant = Dying(dies_after)
    with serving(tenant) as server:
        folder = RunFolder(tmp_path / "cut")
        interrupted(server, folder, tenant)
        found = extract(client_of(server), "devices", folder)
        asked = len(server.asked)
    assert pages(folder) == pages(RunFolder(tmp_path / "whole"))
    assert [found.collections[name].rows for name in COLLECTIONS] == [7, 7]
    assert all(one.complete for one in found.collections.values())
    counts = 1
    assert asked == whole - max(0, dies_after - counts)


def test_an_extract_that_was_interrupted_long_ago_begins_anew(tmp_path):
    """Pages of yesterday are not mixed with those of today."""
    tenant = Dying(4)
    with serving(tenant) as server:
        folder = RunFolder(tmp_path)
        interrupted(server, folder, tenant)
        walk = Path(tmp_path) / "extract/devices/walk.json"
        walk.write_text(json.dumps(json.loads(walk.read_text()) | {"at_s": time.time() - GO_ON_WITHIN_S - 1}))
        tenant.devices[0] = device(1, device_name="renamed")
        extract(client_of(server), "devices", folder)
        assert next(asked for asked in server.asked if asked.path.endswith("/devices")).query["offset"] == "0"
    assert next(iter_pages(folder.pages("devices")))[0]["device_name"] == "renamed"


def test_a_cursor_that_expired_meanwhile_begins_the_walk_anew(tmp_path):
    """The pages before and after it would be no snapshot, so all of them are fetched again."""
    tenant = Dying(8)
    with serving(tenant) as server:
        folder = RunFolder(tmp_path)
        interrupted(server, folder, tenant)
        tenant.cursors_expire = True
        tenant.prism = [prism_device(n) for n in (7, 6, 5, 4, 3, 2, 1)]
        extract(client_of(server), "devices", folder)
    rows = [row["device_id"] for page in iter_pages(folder.pages("device_information")) for row in page]
    assert rows == [f"d{n}" for n in (7, 6, 5, 4, 3, 2, 1)]


def test_rows_that_arrive_while_an_extract_is_interrupted_do_not_make_it_incomplete(tmp_path):
    """Whole is what Iru counted when the extract began; what came later is in the next one."""
    tenant = Dying(9)
    with serving(tenant) as server:
        folder = RunFolder(tmp_path)
        interrupted(server, folder, tenant)
        tenant.counted = 9
        assert extract(client_of(server), "devices", folder).collections["device_information"].complete


def test_an_incomplete_extract_is_not_gone_on_with(tmp_path):
    """A run that the guard stopped fetches everything again, since its pages are what was wrong."""
    tenant = Dying(10_000)
    tenant.counted = 8
    run = Run("devices", params(("computer", "mdm")), MAPPING, RunFolder(tmp_path))
    with serving(tenant) as server:
        with pytest.raises(RunUnsafe, match="incomplete"):
            run_extract(run, client_of(server))
        server.asked.clear()
        tenant.counted = 7
        run_extract(run, client_of(server))
        assert next(asked for asked in server.asked if asked.path.endswith("/devices")).query["offset"] == "0"
