"""A real Airflow as its operators live with it: changes wake it, waiting costs no worker, its pages show what counts.

One start for the module: scheduler, triggerer, DAG processor and API server over a sandbox.
"""

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright
from real_airflow import Stage, until

from include.local.airflow import LocalAirflow
from include.local.environment import STORAGE
from include.local.sandbox import running_sandbox

pytestmark = pytest.mark.timeout(900)

DEVICES = "iru_devices"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@dataclass(slots=True)
class Operated(Stage):
    """An Airflow whose watcher is on."""

    home: Path

    def iru(self, method: str, path: str, **options: Any) -> Any:
        """Send one request to Iru and return its JSON."""
        headers = {"Authorization": f"Bearer {self.sandbox.iru_token}"}
        answer = requests.request(
            method, f"{self.sandbox.iru_url}/api/v1/{path}", headers=headers, timeout=30, **options
        )
        answer.raise_for_status()
        return answer.json()

    def assigned(self) -> list[str]:
        """Return the ids of devices that have a serial number and a user."""
        rows = self.iru("GET", "devices?limit=300")
        return [row["device_id"] for row in rows if row["serial_number"] and row["user"]]

    def runs(self, run_type: str = "asset_triggered") -> list[dict[str, Any]]:
        """Return the ended runs of the device flow of a type."""
        found = self.airflow.client.call("GET", f"/dags/{DEVICES}/dagRuns?limit=100")["dag_runs"]
        return [run for run in found if run["run_type"] == run_type and run["state"] in ("success", "failed")]

    def report(self, run_id: str, name: str = "report.json", dag_id: str = DEVICES) -> dict[str, Any]:
        """Return what a run has left."""
        told: dict[str, Any] = json.loads((self.folder(run_id, dag_id) / name).read_text())
        return told

    def folder(self, run_id: str, dag_id: str = DEVICES) -> Path:
        """Return a run's folder."""
        return self.airflow.home / STORAGE / "runs" / dag_id / run_id

    def quiet(self) -> None:
        """Wait until no run of the device flow is under way."""
        path = f"/dags/{DEVICES}/dagRuns?state=running&state=queued"
        until(lambda: not self.airflow.client.call("GET", path)["dag_runs"], "all runs to end", within_s=180)

    def told(self, line: str) -> bool:
        """Say whether the notifier of the settings has written a line."""
        file = self.home / "told.txt"
        return file.exists() and line in file.read_text().splitlines()

    def busy(self) -> list[psutil.Process]:
        """Return the processes of tasks that are at work."""
        found = []
        for worker in self.scheduler().children():
            with suppress(psutil.NoSuchProcess):
                found += [task for task in worker.children() if task.status() != psutil.STATUS_ZOMBIE]
        return found

    def ended(self, run_id: str, dag_id: str = DEVICES) -> str:
        """Return how a run ended, "" while it goes on."""
        return self._ended(dag_id, run_id)

    def page(self, run_id: str, name: str, **options: Any) -> requests.Response:
        """Ask for a page of a run."""
        url = f"{self.airflow.url}/iru-servicenow/runs/{DEVICES}/{quote(run_id, safe='')}/{name}"
        return requests.get(url, timeout=30, **options)

    @property
    def bearer(self) -> dict[str, str]:
        """A signed-in user's header."""
        given = {"username": self.airflow.username, "password": self.airflow.password}
        token = requests.post(f"{self.airflow.url}/auth/token", json=given, timeout=30).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """Start everything, load the fleet once, and wait until the watcher has seen it."""
    home = tmp_path_factory.mktemp("operated")
    told = [{"notifier": "tests.e2e.file_notifier.FileNotifier", "path": str(home / "told.txt")}]
    environment = {
        "IRU_SERVICENOW_DEVICES_SCHEDULE": "0 3 1 1 *",
        "IRU_SERVICENOW_APPS_SCHEDULE": "none",
        "IRU_SERVICENOW_RETRY_DELAY_S": "2",
        "IRU_SERVICENOW_NOTIFY": json.dumps(told),
        "IRU_SERVICENOW_DEADLINE_MIN": "1",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    }
    with running_sandbox(("--devices", "30", "--apps-per-device", "2"), log_path=home / "sandbox.log") as sandbox:
        environment |= sandbox.connections()
        with LocalAirflow(home / "airflow", environment=environment, isolated=True) as airflow:
            stage = Operated(sandbox, airflow, home)
            for dag_id in (DEVICES, "iru_servicenow_preflight", "iru_servicenow_reconcile"):
                airflow.client.unpause(dag_id)
            stage.run(DEVICES)
            counters = f"{sandbox.iru_url}/_sandbox/counters"
            seen = "GET /api/v1/audit/events"
            until(
                lambda: requests.get(counters, timeout=10).json()["by_method_and_path"].get(seen, 0) > 1,
                "the watcher to look twice",
                within_s=120,
            )
            stage.quiet()
            yield stage


def test_a_change_in_iru_is_carried_by_a_run_of_its_own(operated: Operated) -> None:
    """A device that loses its user reaches ServiceNow without anybody triggering, and no other device is fetched."""
    before = {run["dag_run_id"] for run in operated.runs()}
    operated.iru("PATCH", f"devices/{operated.assigned()[0]}", json={"user": None})
    until(lambda: {run["dag_run_id"] for run in operated.runs()} - before, "a run for the change", within_s=240)
    [run] = [run for run in operated.runs() if run["dag_run_id"] not in before]
    assert run["state"] == "success"
    counts = operated.report(run["dag_run_id"])["feeds"]["computer"]
    assert (counts["extracted"], counts["updated"]) == (1, 1)


def test_a_change_while_the_triggerer_is_down_is_carried_once(operated: Operated) -> None:
    """A killed triggerer loses no change, and its successor repeats none."""
    before = {run["dag_run_id"] for run in operated.runs()}
    psutil.Process(operated.airflow.process_id("triggerer")).send_signal(signal.SIGKILL)
    operated.iru("PATCH", f"devices/{operated.assigned()[0]}", json={"user": None})
    operated.airflow.restart("triggerer")
    until(lambda: {run["dag_run_id"] for run in operated.runs()} - before, "a run for the change", within_s=400)
    operated.quiet()
    fresh = [operated.report(run["dag_run_id"]) for run in operated.runs() if run["dag_run_id"] not in before]
    assert sum(report["feeds"]["computer"]["updated"] for report in fresh) == 1
    assert len(fresh) == 1


def test_waiting_for_a_transform_holds_no_worker(operated: Operated) -> None:
    """While ServiceNow's queue takes its time, the load is deferred; a killed triggerer only delays the verdicts.

    The run takes longer than its deadline, and the notifier of the settings hears of that too.
    """
    url = f"{operated.sandbox.servicenow_url}/_sandbox/switches"
    requests.patch(url, json={"transform_pickup_delay_s": 75}, timeout=10).raise_for_status()
    run_id = operated.airflow.client.trigger(DEVICES, {"full_resend": True, "feeds": ["computer"]})
    try:
        until(
            lambda: operated.tried(DEVICES, run_id).get("load.computer", ("",))[0] == "deferred",
            "a deferral",
            within_s=90,
        )
        until(lambda: not operated.busy(), "the worker to be free", within_s=20)
        psutil.Process(operated.airflow.process_id("triggerer")).send_signal(signal.SIGKILL)
        operated.airflow.restart("triggerer")
    finally:
        requests.patch(url, json={"transform_pickup_delay_s": 0.1}, timeout=10).raise_for_status()
    ended = until(partial(operated.ended, run_id), "the run to end", within_s=400)
    assert ended == "success", operated.tried(DEVICES, run_id)
    counts = operated.report(run_id)["feeds"]["computer"]
    assert counts["ignored"] + counts["updated"] == counts["extracted"] - counts["rejected"] > 0
    assert operated.tried(DEVICES, run_id)["load.computer"] == ("success", 1)
    until(lambda: operated.told(f"late {run_id}"), "the notifier to hear of the deadline", within_s=120)


def test_the_pools_are_there(operated: Operated) -> None:
    """Nobody has to make them by hand, and both have room for two tasks."""
    pools = operated.airflow.client.call("GET", "/pools")["pools"]
    assert {pool["name"]: pool["slots"] for pool in pools if pool["name"] != "default_pool"} == {
        "iru": 2,
        "servicenow": 2,
    }


def test_tables_have_events_with_counts(operated: Operated) -> None:
    """Who depends on a table's asset sees what a load has done to it."""
    events = operated.airflow.client.call("GET", "/assets/events?limit=100")["asset_events"]
    extras = {event["name"]: event["extra"] for event in events}
    assert extras["servicenow_cmdb_ci_computer"]["rows"] > 0
    assert any(event["name"] == "iru_devices" and event["extra"].get("devices") == 30 for event in events)


def test_params_that_contradict_each_other_fail_and_somebody_is_told(operated: Operated) -> None:
    """The message names both params, nothing is asked of either service, and the notifier hears of it."""
    conf = {"serials": ["X"], "missing_devices": "retire"}
    run_id = operated.airflow.client.trigger(DEVICES, conf)
    until(lambda: operated.airflow.client.run_state(DEVICES, run_id) == "failed", "the run to fail", within_s=90)
    assert operated.tried(DEVICES, run_id)["prepare"] == ("failed", 1)
    until(lambda: operated.told(f"failed {run_id}"), "the notifier", within_s=120)


@pytest.mark.parametrize(
    "conf", [{"mode": "dry"}, {"feeds": ["apps"]}, {"lift_guards": ["all"]}, {"serials": 7}], ids=str
)
def test_a_wrong_value_is_refused_when_it_is_triggered(operated: Operated, conf: dict[str, Any]) -> None:
    """No run is made for a value that the form would not offer; the answer names the param."""
    url = f"{operated.airflow.url}/api/v2/dags/{DEVICES}/dagRuns"
    answer = requests.post(url, json={"logical_date": None, "conf": conf}, headers=operated.bearer, timeout=30)
    assert answer.status_code == 400
    assert next(iter(conf)) in answer.text


def test_the_set_up_check_and_the_reconciliation_run(operated: Operated) -> None:
    """Both end well on a set-up that is right, and leave their pages."""
    checked = operated.airflow.client.trigger("iru_servicenow_preflight")
    compared = operated.airflow.client.trigger("iru_servicenow_reconcile", {"feeds": ["computer", "mdm"]})
    for dag_id, run_id, name in (
        ("iru_servicenow_preflight", checked, "preflight"), ("iru_servicenow_reconcile", compared, "reconcile"),
    ):  # fmt: skip
        assert until(partial(operated.ended, run_id, dag_id), dag_id, within_s=120) == "success"
        assert (operated.folder(run_id, dag_id) / f"{name}.html").exists()
    drift = operated.report(compared, "reconcile.json", "iru_servicenow_reconcile")["computer"]["drift"]
    assert {kind: n for kind, n in drift.items() if n and kind != "unknown_user"} == {}


def test_pages_are_for_those_who_are_signed_in(operated: Operated) -> None:
    """A run's pages answer 401 to strangers, run no script, and nothing else of the storage can be reached."""
    run_id = next(run["dag_run_id"] for run in operated.runs("manual") if run["state"] == "success")
    assert operated.page(run_id, "report.html").status_code == 401
    shown = operated.page(run_id, "report.html", headers=operated.bearer)
    assert shown.status_code == 200
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for name in ("run.json", "..%2f..%2f..%2fledger.sqlite", "%2e%2e", "scope.json"):
        assert operated.page(run_id, name, headers=operated.bearer).status_code == 404
    assert operated.page("..", "report.html", headers=operated.bearer).status_code == 404


# --- in a browser --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start headless Chromium; `.ci/run` installs it."""
    if not CHROMIUM:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, operated: Operated) -> Iterator[Page]:
    """Sign in."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    shown = context.new_page()
    shown.set_default_timeout(30_000)
    shown.goto(operated.airflow.url)
    shown.fill('input[name="username"]', operated.airflow.username)
    shown.fill('input[name="password"]', operated.airflow.password)
    shown.keyboard.press("Enter")
    expect(shown.get_by_text("Dags").first).to_be_visible()
    yield shown
    context.close()


def _open_form(page: Page, operated: Operated, kind: str, conn_id: str) -> None:
    page.goto(f"{operated.airflow.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.fill('input[name="connection_id"]', conn_id)
    page.locator('input[role="combobox"]').first.fill(kind)
    page.get_by_role("option", name=kind, exact=True).click()


def test_a_servicenow_connection_is_made_in_the_form(page: Page, operated: Operated) -> None:
    """Every field is there with its help, what was typed is stored, secrets are masked, and the connection works."""
    box = operated.sandbox
    _open_form(page, operated, "ServiceNow", "by_form")
    page.fill('input[name="host"]', box.servicenow_url)
    page.fill('input[name="login"]', box.username)
    page.fill('input[name="password"]', box.password)
    page.get_by_role("button", name="Extra Fields").first.click()
    page.fill('input[name="element_client_id"]', box.client_id)
    page.fill('input[name="element_client_secret"]', box.client_secret)
    for label in (
        "OAuth grant",
        "Refresh token",
        "OAuth scope",
        "insertMultiple keys",
        "CA file",
        "Proxies",
        "Read time-out (s)",
    ):
        expect(page.get_by_text(label, exact=True).first).to_be_visible()
    assert page.get_attribute('input[name="element_client_secret"]', "type") == "password"
    page.get_by_role("button", name="Save").click()
    until(lambda: _connection(operated, "by_form"), "the connection to be saved", within_s=30)
    stored = _connection(operated, "by_form")
    extra = json.loads(stored["extra"])
    assert (stored["host"], stored["login"], extra["client_id"]) == (box.servicenow_url, box.username, box.client_id)
    assert box.client_secret not in json.dumps(stored)
    assert box.password not in json.dumps(stored)
    assert extra["grant_type"] == "password"


def test_an_iru_connection_is_made_in_the_form(page: Page, operated: Operated) -> None:
    """The token stands in the field that is called so, and is masked."""
    _open_form(page, operated, "Iru Endpoint", "iru_by_form")
    expect(page.get_by_text("API token", exact=True).first).to_be_visible()
    page.fill('input[name="host"]', operated.sandbox.iru_url)
    page.fill('input[name="password"]', operated.sandbox.iru_token)
    page.get_by_role("button", name="Save").click()
    until(lambda: _connection(operated, "iru_by_form"), "the connection to be saved", within_s=30)
    assert operated.sandbox.iru_token not in json.dumps(_connection(operated, "iru_by_form"))


@pytest.mark.parametrize(
    ("kind", "changes", "good", "said"),
    [
        ("iru", {}, True, "Signed in to"),
        ("iru", {"password": "wrong"}, False, "401"),
        ("servicenow", {}, True, "Signed in to"),
        ("servicenow", {"password": "wrong"}, False, "refused a token"),
    ],
)
def test_a_connection_test_says_what_is_wrong(
    operated: Operated, kind: str, changes: dict[str, str], good: bool, said: str
) -> None:
    """The button of the connection page tells a working connection from a wrong one, in words."""
    given = json.loads(operated.sandbox.connections()[f"AIRFLOW_CONN_{kind.upper()}_DEFAULT"]) | changes
    body = given | {"connection_id": f"try_{kind}", "extra": json.dumps(given.get("extra", {}))}
    url = f"{operated.airflow.url}/api/v2/connections/test"
    answer = requests.post(url, json=body, headers=operated.bearer, timeout=60).json()
    assert answer["status"] is good, answer
    assert said in answer["message"]
    assert "wrong" not in answer["message"].split()


def _connection(operated: Operated, conn_id: str) -> dict[str, Any]:
    url = f"{operated.airflow.url}/api/v2/connections/{conn_id}"
    answer = requests.get(url, headers=operated.bearer, timeout=30)
    return dict(answer.json()) if answer.ok else {}


def test_a_plan_is_asked_for_in_the_form_and_opened_from_its_task(page: Page, operated: Operated) -> None:
    """Params have titles and help; a rehearsal started there runs, and its task leads to the plan's page."""
    operated.quiet()
    before = {run["dag_run_id"] for run in operated.runs("manual")}
    page.goto(f"{operated.airflow.url}/dags/{DEVICES}")
    page.get_by_role("button", name="Trigger").first.click()
    for title in ("Mode", "Feeds", "Families", "Missing devices", "Lift guards"):
        expect(page.get_by_role("group").filter(has_text=title).first).to_be_visible()
    for title in ("Serial numbers", "Tags", "Blueprints"):
        expect(page.get_by_text(title, exact=True).first).to_be_visible()
    expect(page.get_by_text("plan sends nothing", exact=False).first).to_be_visible()
    page.get_by_role("combobox", name="Mode").fill("plan")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Trigger").last.click()
    until(lambda: {run["dag_run_id"] for run in operated.runs("manual")} - before, "the plan", within_s=120)
    [run_id] = {run["dag_run_id"] for run in operated.runs("manual")} - before
    assert operated.report(run_id)["mode"] == "plan"
    page.goto(f"{operated.airflow.url}/dags/{DEVICES}/runs/{quote(run_id)}/tasks/plan/details")
    link = page.get_by_role("link", name="Plan", exact=True)
    href = link.get_attribute("href")
    assert href
    page.goto(f"{operated.airflow.url}{href}")
    expect(page.get_by_text("This run sends nothing.")).to_be_visible()
