"""An extract is whole, or says that it is not; and it does not take requests that Iru does not have left."""

import logging
from dataclasses import dataclass, field

import pytest
from factories import MAPPING, app, device, params, prism_device, shaped
from scripted import Asked, Reply, Script, serving

from include.errors import RetryLater, RunUnsafe, SetupWrong
from include.inventory import sweep
from include.inventory.extract import Collection, extract
from include.inventory.page_files import iter_pages
from include.inventory.run import Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import run_extract
from include.iru.client import IruClient, IruSettings
from include.iru.quota import Quota, choose_method, predict_requests
from include.web.retry import RetryPolicy


def extract_source(client: IruClient, source: str, folder: RunFolder, *, lift_guards=()) -> dict:
    """Run the stage and return what it notes for the later ones."""
    feeds = tuple(feed.name for feed in MAPPING.of_source(source))
    run_extract(Run(source, params(feeds, lift_guards=tuple(lift_guards)), MAPPING, folder), client)
    return folder.told_by("extract")


@dataclass
class Tenant:
    """A scripted tenant with pages of two rows; ``after`` is called with each page's number before it is answered."""

    devices: list[dict] = field(default_factory=list)
    prism: list[dict] | None = None
    apps: list[dict] = field(default_factory=list)
    counts: dict[str, int | None] = field(default_factory=dict)
    quota: dict[str, str] = field(default_factory=dict)
    before_page: dict[int, Script] = field(default_factory=dict)
    pages: int = 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        reply = self._answer(asked, asked.path.removeprefix("/api/v1/"))
        return Reply(reply.body, reply.status, self.quota)

    def _answer(self, asked: Asked, name: str) -> Reply:
        if name == "devices":
            self.before_page.pop(self.pages, lambda _: Reply())(asked)
            self.pages += 1
            start = int(asked.query["offset"])
            rows = sorted(self.devices, key=lambda row: row["device_id"])
            return Reply(rows[start : start + 2])
        if name.startswith("devices/"):
            known = {row["device_id"]: row for row in self.devices}
            row = known.get(name.removeprefix("devices/"))
            return Reply(row) if row else Reply({"detail": "Not found."}, 404)
        rows = self.apps if asked.query.get("category", name) in ("apps", "prism/apps") else self._prism_rows()
        if name == "prism/count":
            count = self.counts.get(asked.query["category"], len(rows))
            return Reply({"count": count}) if count is not None else Reply({"detail": "Forbidden"}, 403)
        start = int(asked.query["cursor"] or 0)
        cursor = str(start + 2) if start + 2 < len(rows) else None
        return Reply({"data": rows[start : start + 2], "cursor": cursor, "total": None})

    def _prism_rows(self) -> list[dict]:
        if self.prism is not None:
            return self.prism
        return [{"device_id": row["device_id"], "device_capacity": 245.0} for row in self.devices]


@pytest.fixture
def connect():
    """Start a tenant and return a client of it."""
    running = []

    def start(tenant: Script) -> IruClient:
        server = serving(tenant)
        running.append(server)
        url = server.__enter__().url
        return IruClient(IruSettings(url, "t"), retry=RetryPolicy(attempts=2, sleep=lambda _: None))

    yield start
    for server in running:
        server.__exit__(None, None, None)


def fleet(n: int) -> list[dict]:
    """Return some devices."""
    return [device(number) for number in range(1, n + 1)]


def ids(folder: RunFolder) -> list[str]:
    """Return the devices in the pages, in their order."""
    return [row["device_id"] for page in iter_pages(folder.pages("devices")) for row in page]


# --- devices that move between pages -------------------------------------------------------------------------------


def test_a_device_that_slipped_through_between_pages_is_fetched(connect, tmp_path):
    """A device removed meanwhile moves the later ones forward; the one in the gap is found by Prism and asked for."""
    tenant = Tenant(fleet(6), prism=[prism_device(n) for n in range(1, 7)])
    tenant.before_page[1] = lambda _: tenant.devices.remove(device(1)) or Reply()
    folder = RunFolder(tmp_path)
    found = extract(connect(tenant), "devices", folder).collections["devices"]
    assert ids(folder) == ["d1", "d2", "d4", "d5", "d6", "d3"]
    assert found == Collection(rows=6, pages=4, expected=6, found=1, gone=0)
    assert found.complete


def test_a_device_that_only_prism_still_lists_is_no_loss(connect, tmp_path):
    """Prism lags behind: a device that Iru answers 404 for is gone, and the extract whole."""
    tenant = Tenant(fleet(3), prism=[prism_device(n) for n in (1, 2, 3, 8, 9)])
    found = extract(connect(tenant), "devices", RunFolder(tmp_path)).collections
    assert found["devices"] == Collection(rows=3, pages=2, expected=3, found=0, gone=2)
    assert found["devices"].complete


def test_a_device_that_prism_does_not_list_yet_is_normal(connect, tmp_path):
    """A device that has just enrolled is in no Prism category; nothing is asked for and nothing is missing."""
    tenant = Tenant(fleet(3), prism=[prism_device(1)])
    client = connect(tenant)
    found = extract(client, "devices", RunFolder(tmp_path)).collections
    assert all(collection.complete for collection in found.values())
    assert (found["devices"].found, found["devices"].gone) == (0, 0)


def test_half_a_list_of_devices_is_incomplete(connect, tmp_path, monkeypatch):
    """More devices than drift can explain are not asked for one by one: the list itself is not whole."""
    monkeypatch.setattr(sweep, "MAX_LOOKUPS", 2)
    tenant = Tenant(fleet(2), prism=[prism_device(n) for n in range(1, 6)])
    client = connect(tenant)
    with pytest.raises(RunUnsafe, match=r"devices is incomplete: 2 rows arrived, Iru counts 5.*incomplete_extract"):
        extract_source(client, "devices", RunFolder(tmp_path))
    note = extract_source(client, "devices", RunFolder(tmp_path), lift_guards=["incomplete_extract"])
    assert not Collection(**note["collections"]["devices"]).complete


def test_an_answer_about_another_device_proves_nothing(connect, tmp_path):
    """A server that answers another device than the one asked for leaves the extract incomplete."""
    tenant = Tenant(fleet(1), prism=[prism_device(1), prism_device(2)])

    def other(asked: Asked) -> Reply:
        return Reply(device(7)) if "/devices/" in asked.path else tenant(asked)

    found = extract(connect(other), "devices", RunFolder(tmp_path)).collections["devices"]
    assert not found.complete


@pytest.mark.parametrize("device_id", ["../users", None, 5, ["x"], "", "a/../b"])
def test_an_id_in_prism_that_is_none_is_not_asked_for(connect, tmp_path, device_id):
    """What is no id cannot become another call, and stops nothing."""
    tenant = Tenant(fleet(1), prism=[{"device_id": device_id}, prism_device(1)])
    client = connect(tenant)
    found = extract(client, "devices", RunFolder(tmp_path)).collections["devices"]
    assert (found.complete, found.found, found.gone) == (True, 0, 0)


def test_a_device_that_two_pages_list_goes_on_once_as_it_was_last(tmp_path):
    """Enrolments move devices to a later page: the later row counts in both feeds, the earlier one is filtered."""
    rows = [device(1, os_version="14.0"), device(2), device(1, os_version="14.1", blueprint_id="b2")]
    for feed in ("computer", "mdm"):
        result = shaped(tmp_path / feed, feed, rows)
        assert result.rows["_row"].tolist() == [1, 2]
        assert result.filtered.to_dict("records") == [{"row": 0, "reason": "a later page lists the same device again"}]
        assert result.rejected == 0


def test_an_enrolment_between_pages_loses_and_doubles_nothing(connect, tmp_path):
    """The device that is listed twice is repeated in the pages, and no other is missing."""
    tenant = Tenant(fleet(5))
    tenant.before_page[1] = lambda _: tenant.devices.append(device(0)) or Reply()
    folder = RunFolder(tmp_path)
    assert extract(connect(tenant), "devices", folder).collections["devices"].complete
    assert set(ids(folder)) == {f"d{n}" for n in range(6)}


# --- counts --------------------------------------------------------------------------------------------------------


def test_missing_pages_of_prism_are_told(connect, tmp_path):
    """Fewer rows than Prism counts before and after the walk are an incomplete extract."""
    tenant = Tenant(fleet(3), counts={"device_information": 4})
    with pytest.raises(RunUnsafe, match="device_information is incomplete: 3 rows arrived, Iru counts 4"):
        extract_source(connect(tenant), "devices", RunFolder(tmp_path))


def test_where_prism_has_no_count_the_pages_stand_for_themselves(connect, tmp_path):
    """A token that may not ask for counts does not stop the run; the devices are compared all the same."""
    tenant = Tenant(fleet(3), prism=[prism_device(4)], counts={"device_information": None})
    found = extract(connect(tenant), "devices", RunFolder(tmp_path)).collections
    assert found["device_information"].expected is None
    assert found["devices"].gone == 1


def test_a_broken_walk_leaves_no_page_behind(connect, tmp_path):
    """What was read before the cursor expired is not read again as if it were part of the new walk."""
    tenant = Tenant(apps=[app(n) for n in range(1, 8)])
    expired = [Reply({"detail": "Invalid cursor."}, 400)]

    def once(asked: Asked) -> Reply:
        if asked.query.get("cursor") == "6" and expired:
            tenant.apps = tenant.apps[:3]
            return expired.pop()
        return tenant(asked)

    folder = RunFolder(tmp_path)
    found = extract(connect(once), "apps", folder).collections["apps"]
    assert (found.rows, found.pages) == (3, 2)
    assert sum(len(page) for page in iter_pages(folder.pages("apps"))) == 3


# --- the hourly quota ----------------------------------------------------------------------------------------------


def hour(left: int) -> dict[str, str]:
    """Return the headers of a tenant with so many requests left."""
    return {"X-RateLimit-Limit-Hour": "10000", "X-RateLimit-Remaining-Hour": str(left)}


def test_the_requests_of_an_extract_are_predicted():
    """Pages of 300 rows, the page that ends each list, and a second count; an export takes few however large."""
    assert predict_requests({"devices": 10_000, "device_information": 10_000}) == 35 + 35 + 1
    assert predict_requests({"apps": 3_000_000}) == 10_002
    assert predict_requests({"apps": 0}) == 2
    assert predict_requests({"apps": 3_000_000}, method="export") < 20
    assert predict_requests({"devices": None, "device_information": 5}) is None


def test_the_prediction_is_no_less_than_what_an_extract_takes(connect, tmp_path):
    """What the guard lets through fits, for a tenant that is larger than one page."""
    tenant = Tenant(fleet(2), apps=[app(1), app(2)])
    for source in ("devices", "apps"):
        client = connect(tenant)
        tenant.pages = 0
        predicted = extract(client, source, RunFolder(tmp_path / source)).predicted
        assert predicted is not None
        assert client.requests.total - 1 <= predicted  # the first count is asked before it


def test_an_extract_that_does_not_fit_the_hour_is_not_begun(connect, tmp_path, caplog):
    """The guard says what is needed and what is left, what to do, and has asked for nothing but the count."""
    tenant = Tenant(apps=[app()], counts={"apps": 300_000}, quota=hour(500))
    client = connect(tenant)
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(RunUnsafe, match=r"1002 requests, but only 500 of Iru's 10000.*APPS_EXTRACT=auto.*iru_quota"),
    ):
        extract_source(client, "apps", RunFolder(tmp_path))
    assert client.requests.total == 1
    assert "takes about 1002 requests; 500 of 10000" in caplog.text


def test_the_quotas_guard_can_be_lifted(connect, tmp_path):
    """An operator who knows better may go on for one run; what was known stands in the note."""
    tenant = Tenant(apps=[app()], counts={"apps": 1}, quota=hour(1))
    note = extract_source(connect(tenant), "apps", RunFolder(tmp_path), lift_guards=["iru_quota"])
    assert (note["quota"]["predicted"], note["quota"]["remaining"], note["quota"]["limit"]) == (3, 1, 10_000)


@pytest.mark.parametrize("changes", [{"quota": {}}, {"counts": {"apps": None}, "quota": hour(0)}], ids=str)
def test_a_quota_that_cannot_be_told_stops_nothing(connect, tmp_path, changes):
    """Without headers or without a count there is nothing to compare, and the run goes on."""
    assert extract(connect(Tenant(apps=[app()], **changes)), "apps", RunFolder(tmp_path)).collections["apps"].rows == 1


def test_the_note_tells_requests_retries_and_waits(connect, tmp_path):
    """The report can say what the extract cost."""
    tenant = Tenant(apps=[app()])
    busy = [Reply({}, 429, {"Retry-After": "3"})]

    def script(asked: Asked) -> Reply:
        return busy.pop() if busy else tenant(asked)

    note = extract_source(connect(script), "apps", RunFolder(tmp_path))
    assert (note["requests"], note["retries"], note["waited_s"]) == ({"iru": 4}, {"iru": 1}, {"iru": 3.0})
    assert note["quota"] == {"predicted": 3}


def test_a_token_that_is_refused_in_mid_run_ends_it(connect, tmp_path):
    """A revoked token is a set-up mistake, whatever was read before."""
    tenant = Tenant(fleet(5))

    def script(asked: Asked) -> Reply:
        return Reply({}, 401) if asked.query.get("offset") == "4" else tenant(asked)

    with pytest.raises(SetupWrong, match="HTTP 401"):
        extract_source(connect(script), "devices", RunFolder(tmp_path))


def test_a_server_that_fails_in_mid_run_is_left_to_airflow(connect, tmp_path):
    """After the tries within the task the error says that the run may succeed later."""
    tenant = Tenant(fleet(5))

    def script(asked: Asked) -> Reply:
        return Reply({}, 503, {"Retry-After": "900"}) if asked.query.get("offset") == "4" else tenant(asked)

    with pytest.raises(RetryLater) as caught:
        extract_source(connect(script), "devices", RunFolder(tmp_path))
    assert caught.value.after_s == 900


@pytest.mark.parametrize(
    ("rows", "quota", "chosen"),
    [
        ({"apps": 2_000}, Quota(10_000, 9_000, 0.0), "pages"),
        ({"apps": 600_000}, Quota(10_000, 9_000, 0.0), "export"),
        ({"apps": 600_000}, None, "export"),
        ({"apps": 30_000}, Quota(10_000, 50, 0.0), "export"),
        ({"apps": None}, Quota(10_000, 9_000, 0.0), "pages"),
    ],
)
def test_the_way_of_reading_is_the_cheapest_that_fits_the_hour(rows, quota, chosen):
    """Few rows come by pages, many by an export, and so do a few where too little is left of the hour."""
    assert choose_method(rows, quota) == chosen
