"""The sync page's API over a real run between both services of a sandbox: one device on all its sides."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from sync_client import OURS, PREFIX, api_server, signed_in
from test_tasks import load, plan, settle

from include.inventory.ledger import Ledger, Pair
from include.sandbox.serve import Sandbox

pytestmark = pytest.mark.usefixtures("installation")


@pytest.fixture
def page(sandbox: Sandbox, tmp_path: Any) -> Any:
    """Run the device flow once and return who looks at it, with one device's id."""
    planned = plan()
    settle(planned, load(planned))
    book = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite", Pair(sandbox.iru.url, sandbox.servicenow.url))
    rows = book.read("mdm")
    with pytest.MonkeyPatch.context() as patch, api_server(patch) as app:
        yield SimpleNamespace(
            viewer=signed_in(app, "viewer"), user=signed_in(app, "user"), device=rows["device"].iloc[0]
        )


def ask(page: Any) -> Any:
    """Ask both services about the device."""
    return page.viewer.post(f"{PREFIX}/-/devices/{page.device}/ask", headers=OURS, content="{}")


def states(answer: Any, feed: str) -> dict[str, str]:
    """Return the state of each column of a feed."""
    found = next(each for each in answer.json()["feeds"] if each["feed"] == feed)
    return {field["column"]: field["state"] for field in found["fields"]}


def test_a_device_is_the_same_on_all_sides_after_a_load(page):
    """What Iru says, what was sent and what ServiceNow holds stand beside each other, and agree."""
    answer = ask(page)
    assert answer.status_code == 200, answer.text
    for feed in ("computer", "mdm"):
        assert set(states(answer, feed).values()) == {"same"}
    serial = next(field for field in answer.json()["feeds"][0]["fields"] if field["column"] == "serial_number")
    assert serial["iru"] == serial["sent"] == serial["ledger"] == serial["servicenow"] != ""
    assert answer.json()["feeds"][0]["servicenow_at"].endswith("Z")


def test_what_changed_in_iru_since_differs(page, sandbox):
    """A name that Iru has by now and ServiceNow has not is seen at once, and it alone."""
    url = f"{sandbox.iru.url}/_sandbox/fleet/change"
    signed_in_there = {"Authorization": f"Bearer {sandbox.iru.token}"}
    requests.post(url, json={"rename": 4}, headers=signed_in_there, timeout=10).raise_for_status()
    assert {name for name, state in states(ask(page), "computer").items() if state == "differs"} == {"device_name"}
    known = page.viewer.get(f"{PREFIX}/-/devices/{page.device}")
    assert set(states(known, "computer").values()) == {"same"}, "what is not asked is what the last run knew"


def test_a_service_that_refuses_us_is_said(page, sandbox, monkeypatch):
    """A person who asks learns which service did not answer and what to do, and no secret."""
    wrong = {"conn_type": "iru", "host": sandbox.iru.url, "password": "wr0ng-t0ken"}
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(wrong))
    answer = ask(page)
    assert answer.status_code == 502, answer.text
    assert "401" in answer.json()["detail"]
    assert "wr0ng" not in answer.text


def test_a_service_that_is_late_is_not_waited_for(page, monkeypatch):
    """A person waits no longer than the bound for both services."""
    monkeypatch.setattr("include.insight.ask.BOUND_S", 0.001)
    answer = ask(page)
    assert answer.status_code == 502
    assert "within" in answer.json()["detail"]


def test_a_device_that_nobody_knows_is_not_asked_about(page):
    """Neither service hears of ids that somebody made up."""
    made_up = page.viewer.post(f"{PREFIX}/-/devices/made-up/ask", headers=OURS, content="{}")
    assert made_up.status_code == 404
    assert "serial number" in made_up.json()["detail"]
