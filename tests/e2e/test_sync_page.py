"""The sync page as people use it: in a browser, within a real Airflow, over what real runs have noted.

One start for the module: a sandbox that refuses some rows, both flows twice, set-up check and reconciliation. The tests
go from looking to changing.
"""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect
from real_airflow import until

from include.local.airflow import LocalAirflow
from include.local.browser import NoBrowserError, Theme, running_browser, signed_in
from include.local.sandbox import Sandbox
from include.local.screenshots import device_of, open_view, run, shown_fleet

pytestmark = pytest.mark.timeout(900)

READER = "reader"
VIEWS = ("overview", "runs", "stuck", "stuck?kind=parked", "devices", "devices/{device}", "fleet", "setup")
NARROW = (380, 800)


class Shown:
    """The stage of the module, and the ways in which its tests look at it."""

    def __init__(self, sandbox: Sandbox, airflow: LocalAirflow, browser: Browser) -> None:
        self.sandbox, self.airflow, self.browser = sandbox, airflow, browser
        self.device = device_of(sandbox)
        self.passwords: dict[str, str] = json.loads((airflow.home / "passwords.json").read_text())

    @contextmanager
    def view(
        self, view: str, *, theme: Theme = "light", size: tuple[int, int] = (1280, 900), user: str = "admin"
    ) -> Iterator[tuple[Page, FrameLocator]]:
        """Open a view of a user; whatever the page complains about on its console fails the test."""
        complaints: list[str] = []
        with signed_in(self.browser, self.airflow, theme=theme, size=size, user=(user, self.passwords[user])) as page:
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            open_view(page, self.airflow, f"#/{view}".replace("{device}", self.device))
            yield page, page.frame_locator("iframe[title]")
        assert complaints == []

    def api(self, method: str, path: str, **options: Any) -> Any:
        """Ask the page's API as the administrator and return its JSON."""
        given = {"username": self.airflow.username, "password": self.airflow.password}
        token = requests.post(f"{self.airflow.url}/auth/token", json=given, timeout=30).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "X-Requested-By": "iru-servicenow-page"}
        url = f"{self.airflow.url}/iru-servicenow/api/-/{path}"
        answer = requests.request(method, url, headers=headers, timeout=30, **options)
        answer.raise_for_status()
        return answer.json()

    def installs(self, instance_key: str) -> list[dict[str, Any]]:
        """Return what ServiceNow holds of one installed app."""
        box = self.sandbox
        given = {"grant_type": "password", "username": box.username, "password": box.password}
        given |= {"client_id": box.client_id, "client_secret": box.client_secret}
        token = requests.post(f"{box.servicenow_url}/oauth_token.do", data=given, timeout=30).json()["access_token"]
        url = f"{box.servicenow_url}/api/now/table/cmdb_sam_sw_install"
        headers = {"Authorization": f"Bearer {token}"}
        found = requests.get(url, params={"sysparm_query": f"instance_key={instance_key}"}, headers=headers, timeout=30)
        rows: list[dict[str, Any]] = found.json()["result"]
        return rows


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Start everything and let the runs end; a row is parked after two refusals."""
    environment = {
        "IRU_SERVICENOW_MAX_ATTEMPTS": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"admin:admin,{READER}:viewer",
    }
    try:
        with running_browser() as browser, shown_fleet(tmp_path_factory.mktemp("page"), 40, 8, environment) as stage:
            yield Shown(*stage, browser)
    except NoBrowserError:
        pytest.skip("there is no Chromium on this machine")


def frame_of(page: Page) -> Any:
    """Return the sync page's own frame."""
    return next(frame for frame in page.frames if frame.parent_frame and "/iru-servicenow/page/" in frame.url)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_open_to_everybody_in_both_themes(shown: Shown, view: str, theme: Theme) -> None:
    """axe finds nothing serious, the frame has Airflow's theme, and no text stands where it cannot be reached."""
    with shown.view(view, theme=theme) as (page, frame):
        expect(frame.get_by_role("heading", level=1)).to_contain_text("Iru → ServiceNow")
        expect(frame.locator("html")).to_have_class(theme)
        found = Axe().run(frame_of(page)).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits_a_narrow_window(shown: Shown, view: str) -> None:
    """On a phone the page itself never scrolls sideways; tables do so in their own boxes."""
    with shown.view(view, size=NARROW) as (page, _):
        width = frame_of(page).evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1]


def test_the_overview_counts_what_both_sides_hold(shown: Shown) -> None:
    """What the cards say is what the API says, and that is what ServiceNow counts itself."""
    told = {feed["feed"]: feed for feed in shown.api("GET", "overview")["feeds"]}
    assert set(told) == {"computer", "mdm", "apps"}
    with shown.view("overview") as (_, frame):
        for title, feed in (("Computers", "computer"), ("MDM records", "mdm"), ("Applications", "apps")):
            card = frame.get_by_role("region", name=title)
            for side in ("in_iru", "in_ledger", "in_servicenow"):
                expect(card.get_by_text(f"{told[feed][side]['rows']:,}", exact=True).first).to_be_visible()
    assert told["apps"]["in_servicenow"]["rows"] == told["apps"]["in_ledger"]["rows"] > 100
    assert told["apps"]["stuck"]["parked"] > 0


def test_rows_are_filtered_by_kind_verdict_and_words(shown: Shown) -> None:
    """Each filter leaves the rows that the API counts, and the words that were typed are in no address."""
    rows = shown.api("POST", "stuck", json={"kind": "parked", "feed": "apps"})["rows"]
    wanted = rows[0]
    same_name = [row for row in rows if wanted["name"].casefold() in row["name"].casefold()]
    with shown.view("stuck?kind=parked") as (page, frame):
        expect(frame.get_by_role("link", name=f"Parked {len(rows)}")).to_be_visible()
        table = frame.get_by_role("table", name="Parked rows")
        expect(table.locator("tbody tr")).to_have_count(len(rows))
        frame.get_by_role("searchbox", name="Search stuck rows").fill(wanted["name"])
        expect(table.locator("tbody tr")).to_have_count(len(same_name))
        assert wanted["name"] not in page.url
        frame.get_by_role("searchbox", name="Search stuck rows").fill("no such row anywhere")
        expect(frame.get_by_text("No row is like that")).to_be_visible()


def test_a_deep_link_survives_a_reload_and_leads_into_airflow(shown: Shown) -> None:
    """The address of a view opens it again, and a run's link goes to Airflow's own page in the same window."""
    with shown.view("overview") as (page, frame):
        frame.get_by_role("link", name="Runs", exact=True).click()
        expect(frame.get_by_role("table", name="Runs")).to_be_visible()
        assert page.url.endswith("#/runs")
        page.reload()
        expect(frame.get_by_role("table", name="Runs")).to_be_visible()
        frame.get_by_role("table", name="Runs").locator("tbody tr").first.get_by_role("link").first.click()
        page.wait_for_url("**/dags/iru_*/runs/**")
        expect(page.get_by_text("Settle: verdicts and report").first).to_be_visible()


def test_a_table_is_downloaded_with_its_filters(shown: Shown, tmp_path: Path) -> None:
    """The file has the rows of the table, whatever page of it is shown."""
    total = shown.api("POST", "devices", json={})["total"]["n"]
    with shown.view("devices") as (page, frame):
        frame.get_by_role("button", name="Download the devices").click()
        with page.expect_download() as caught:
            frame.get_by_role("menuitem", name="CSV").click()
        caught.value.save_as(tmp_path / "devices.csv")
    with (tmp_path / "devices.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == total > 30


def test_one_device_is_laid_side_by_side_with_both_services(shown: Shown) -> None:
    """Asked now, Iru and ServiceNow both answer, and a device that was carried is the same on all sides."""
    with shown.view("devices/{device}") as (_, frame):
        frame.get_by_role("button", name="Ask Iru and ServiceNow now").click()
        expect(frame.get_by_text("Asked just now.")).to_be_visible()
        table = frame.get_by_role("table", name="Computers, field by field")
        expect(table.get_by_text("not known")).to_have_count(0)
        expect(table.get_by_text("Differs")).to_have_count(0)
        frame.get_by_role("link", name="Applications", exact=True).click()
        expect(frame.get_by_role("table", name="Applications on this device").locator("tbody tr").first).to_be_visible()


def test_a_hostile_name_is_shown_and_never_run(shown: Shown) -> None:
    """A device whose name is a script is a device with an odd name."""
    fault = {"kind": "hostile_row", "what": "markup", "field": "device_name", "nth": [2]}
    requests.post(f"{shown.sandbox.iru_url}/_sandbox/faults", json=fault, timeout=30).raise_for_status()
    run(shown.airflow, "iru_devices")
    [row] = shown.api("POST", "devices", json={"search": "onerror"})["rows"]
    with shown.view(f"devices/{row['device_id']}") as (page, frame):
        expect(frame.get_by_role("heading", level=2).first).to_have_text(row["name"])
        page.wait_for_timeout(300)
        assert "owned" not in {page.title(), frame_of(page).title()}


def test_who_may_only_read_is_told_so_and_refused(shown: Shown) -> None:
    """A viewer sees the rows, cannot order anything, and Airflow's permissions answer for the API as well."""
    [wanted, *_] = shown.api("POST", "stuck", json={"kind": "parked"})["rows"]
    with shown.view("stuck?kind=parked", user=READER) as (page, frame):
        expect(frame.get_by_role("table", name="Parked rows").locator("tbody tr").first).to_be_visible()
        expect(frame.get_by_role("button", name="Release")).to_have_attribute("aria-disabled", "true")
        expect(frame.get_by_text("You may look, but not order")).to_be_visible()
        order = {"feed": wanted["feed"], "keys": [wanted["key"]], "action": "release", "reason": "I want to"}
        headers = {"Origin": shown.airflow.url, "X-Requested-By": "iru-servicenow-page"}
        answer = page.request.post(f"{shown.airflow.url}/iru-servicenow/api/-/orders", data=order, headers=headers)
        assert answer.status == 403
        assert "trigger runs" in answer.json()["detail"]
    assert shown.api("GET", "orders")["rows"] == []


def test_a_row_is_chosen_and_the_order_left_alone_by_keyboard(shown: Shown) -> None:
    """Without a mouse a view is opened, a row chosen and a dialog left, and the focus is back where it was."""
    with shown.view("overview") as (page, frame):
        frame.get_by_role("link", name="Stuck rows", exact=True).focus()
        page.keyboard.press("Enter")
        frame.get_by_role("link", name="Parked").focus()
        page.keyboard.press("Enter")
        row = frame.get_by_role("table", name="Parked rows").locator("tbody tr").first
        row.get_by_role("checkbox").focus()
        page.keyboard.press("Space")
        expect(frame.get_by_text("1 row chosen")).to_be_visible()
        release = frame.get_by_role("button", name="Release")
        release.focus()
        page.keyboard.press("Enter")
        expect(frame.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(frame.get_by_role("dialog")).to_have_count(0)
        expect(release).to_be_focused()
    assert shown.api("GET", "orders")["rows"] == []


def test_a_parked_row_is_released_and_arrives(shown: Shown) -> None:
    """Chosen, released with a reason, sent by a run that the page starts: the row is in ServiceNow, the order done."""
    [row, *_] = shown.api("POST", "stuck", json={"kind": "parked", "feed": "apps", "verdict": "error"})["rows"]
    assert shown.installs(row["key"]) == []
    requests.delete(f"{shown.sandbox.servicenow_url}/_sandbox/faults", timeout=30).raise_for_status()
    runs_before = len(shown.api("GET", "runs?flow=apps")["rows"])
    with shown.view("stuck?kind=parked&feed=apps") as (_, frame):
        frame.get_by_role("row").filter(has_text=row["key"]).get_by_role("checkbox").check(force=True)
        frame.get_by_role("button", name="Release").click()
        dialog = frame.get_by_role("dialog")
        expect(dialog.get_by_role("heading")).to_have_text("Release 1 row?")
        confirm = dialog.get_by_role("button", name="Release 1 row")
        expect(confirm).to_be_disabled()
        dialog.get_by_role("textbox", name="Reason").fill("the choice list was mended")
        confirm.click()
        expect(frame.get_by_text("Ordered: 1 row will be released.")).to_be_visible()
        frame.get_by_role("button", name="Start a run now").click()
        expect(frame.get_by_text("A run of iru_apps has been started.")).to_be_visible()
        until(lambda: len(shown.api("GET", "runs?flow=apps")["rows"]) > runs_before, "the run to settle", within_s=120)
    assert [held["active"] for held in shown.installs(row["key"])] == ["true"]
    [order] = shown.api("GET", "orders")["rows"]
    assert (order["action"], order["state"], order["ordered_by"], order["key"]) == (
        "release",
        "done",
        "admin",
        row["key"],
    )
    log = requests.get(
        f"{shown.airflow.url}/api/v2/eventLogs?event=iru_servicenow_order", headers=_bearer(shown.airflow), timeout=30
    ).json()
    assert [entry["owner"] for entry in log["event_logs"]] == ["admin"]
    assert row["serial_number"] not in json.dumps(log)
    with shown.view("stuck?kind=parked&feed=apps") as (_, frame):
        expect(frame.get_by_role("table", name="Parked rows").get_by_text(row["key"])).to_have_count(0)
        expect(frame.get_by_text("the choice list was mended")).to_be_visible()


def _bearer(airflow: LocalAirflow) -> dict[str, str]:
    given = {"username": airflow.username, "password": airflow.password}
    token = requests.post(f"{airflow.url}/auth/token", json=given, timeout=30).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}
