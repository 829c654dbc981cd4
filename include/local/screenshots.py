"""``python -m include.local.screenshots``: pictures of the sync page for the README, from the demo's own data.

A sandbox refuses some rows, both flows run twice on a real Airflow with a change of the fleet between, then set-up
check and reconciliation; Chromium shows what the page makes of it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from include.local.airflow import AirflowFailedError, LocalAirflow
from include.local.browser import NoBrowserError, Theme, running_browser, signed_in
from include.local.demo import ON_TRIGGER_ONLY
from include.local.environment import PROJECT_ROOT
from include.local.fleet_change import change_fleet
from include.local.rest import AirflowApiError
from include.local.sandbox import Sandbox, SandboxFailedError, running_sandbox

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = PROJECT_ROOT / "plugins" / "iru_servicenow" / "sync_page" / "screenshots"
DAGS = ("iru_devices", "iru_apps", "iru_servicenow_preflight", "iru_servicenow_reconcile")

PAGE = "/plugin/iru-servicenow"
SHOTS: tuple[tuple[str, str, Theme, tuple[int, int]], ...] = (
    ("overview-light", "#/overview", "light", (1440, 1180)),
    ("overview-dark", "#/overview", "dark", (1440, 1180)),
    ("runs", "#/runs", "light", (1440, 1300)),
    ("stuck", "#/stuck", "light", (1440, 1000)),
    ("device", "#/devices/{device}", "light", (1440, 1300)),
    ("fleet", "#/fleet", "dark", (1440, 1500)),
    ("setup", "#/setup", "light", (1440, 1000)),
)
"""Name of the file, route, theme, and the window's size."""

WATCHED = {"IRU_SERVICENOW_DEVICES_SCHEDULE": "0 3 1 1 *", "IRU_SERVICENOW_RETRY_DELAY_S": "2"}
"""The watcher is at work only where devices have a schedule, be it once a year."""

_BETWEEN_CHANGES_S, _CARRIED_WITHIN_S = 8.0, 180.0

REFUSED = [
    {"kind": "row_script_error", "match": "*import_set_computer*", "nth": [3, 9]},
    {"kind": "row_choice_rejected", "match": "*import_set_apps*", "share": 0.01, "by_subject": True, "seed": 3},
    {"kind": "row_skipped", "match": "*import_set_apps*", "share": 0.005, "by_subject": True, "seed": 5},
]
"""What ServiceNow has against some rows, so that there is something to see."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Take all pictures and return the exit status."""
    parser = argparse.ArgumentParser(prog="make screenshots", description="Pictures of the sync page.")
    parser.add_argument("--devices", type=int, default=120)
    parser.add_argument("--apps-per-device", type=int, default=25)
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder of the pictures")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as home:
            _take_all(Path(home), options)
    except (
        AirflowApiError,
        AirflowFailedError,
        NoBrowserError,
        SandboxFailedError,
        requests.RequestException,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _take_all(home: Path, options: argparse.Namespace) -> None:
    with shown_fleet(home, options.devices, options.apps_per_device, WATCHED) as (sandbox, airflow):
        _let_the_watcher_carry(sandbox, airflow)
        take(airflow, device_of(sandbox), options.into)


@contextmanager
def shown_fleet(
    home: Path, devices: int, apps: int, environment: dict[str, str] | None = None
) -> Iterator[tuple[Sandbox, LocalAirflow]]:
    """Start a sandbox and an Airflow, and let both flows run until there is something of everything to see."""
    size = ["--devices", str(devices), "--apps-per-device", str(apps), "--seed", "7"]
    with running_sandbox(size, log_path=home / "sandbox.log") as sandbox:
        given = sandbox.connections() | ON_TRIGGER_ONLY | (environment or {})
        with LocalAirflow(home / "airflow", environment=given, isolated=True) as airflow:
            for dag_id in DAGS:
                airflow.client.unpause(dag_id)
            _play(sandbox, airflow, devices, apps)
            yield sandbox, airflow


def _play(sandbox: Sandbox, airflow: LocalAirflow, devices: int, apps: int) -> None:
    opened = {"prism_last_opened": True}  # some tenants tell when an app was opened last
    requests.patch(f"{sandbox.iru_url}/_sandbox/switches", json=opened, timeout=30).raise_for_status()
    requests.post(f"{sandbox.servicenow_url}/_sandbox/faults", json=REFUSED, timeout=30).raise_for_status()
    run(airflow, "iru_servicenow_preflight")
    run(airflow, "iru_devices")
    run(airflow, "iru_apps")
    change_fleet(sandbox.iru_url, devices=devices, apps=devices * apps)
    run(airflow, "iru_devices")
    run(airflow, "iru_apps")
    run(airflow, "iru_servicenow_reconcile")


def _let_the_watcher_carry(sandbox: Sandbox, airflow: LocalAirflow) -> None:
    """Change a few devices one after another, and wait until runs that nobody asked for have carried some of it."""
    headers = {"Authorization": f"Bearer {sandbox.iru_token}"}
    rows = requests.get(f"{sandbox.iru_url}/api/v1/devices?limit=100", headers=headers, timeout=30).json()
    for row in [row for row in rows if row["serial_number"] and row["user"]][-6:]:
        url = f"{sandbox.iru_url}/api/v1/devices/{row['device_id']}"
        requests.patch(url, json={"user": None}, headers=headers, timeout=30).raise_for_status()
        time.sleep(_BETWEEN_CHANGES_S)
    deadline = time.monotonic() + _CARRIED_WITHIN_S
    while time.monotonic() < deadline:
        airflow.check()
        found = airflow.client.call("GET", "/dags/iru_devices/dagRuns?run_type=asset_triggered&state=success&limit=9")
        if found["dag_runs"]:
            return
        time.sleep(1)
    raise AirflowFailedError(f"The watcher has carried nothing within {_CARRIED_WITHIN_S:.0f} s.")


def run(airflow: LocalAirflow, dag_id: str) -> str:
    """Run a DAG to its end, however it ends, and return the run's id."""
    run_id = airflow.client.trigger(dag_id)
    for _ in airflow.client.watch(dag_id, run_id, check=airflow.check):
        pass
    print(f"{dag_id}: {airflow.client.run_state(dag_id, run_id)}", flush=True)
    return run_id


def device_of(sandbox: Sandbox) -> str:
    """Return the id of a device with a serial number and a user."""
    headers = {"Authorization": f"Bearer {sandbox.iru_token}"}
    answer = requests.get(f"{sandbox.iru_url}/api/v1/devices?limit=50", headers=headers, timeout=30)
    rows: list[dict[str, Any]] = answer.json()
    return next(str(row["device_id"]) for row in rows if row["serial_number"] and row["user"])


def take(airflow: LocalAirflow, device_id: str, into: Path) -> None:
    """Show every view and keep a picture of it."""
    into.mkdir(parents=True, exist_ok=True)
    with running_browser() as browser:
        for name, route, theme, size in SHOTS:
            with signed_in(browser, airflow, theme=theme, size=size) as page:
                open_view(page, airflow, route.replace("{device}", device_id))
                page.screenshot(path=into / f"{name}.png")
                print(f"{name}.png", flush=True)


def open_view(page: "Page", airflow: LocalAirflow, route: str) -> None:
    """Open a view of the sync page within Airflow, and wait until it shows what it is about."""
    page.goto(f"{airflow.url}{PAGE}/iru-servicenow/page/{route}")
    frame = page.frame_locator("iframe[title]")
    frame.locator("main").wait_for()
    frame.locator("[aria-busy=true]").first.wait_for(state="detached")
    page.wait_for_timeout(500)  # charts are drawn a moment after their data


if __name__ == "__main__":
    sys.exit(main())
