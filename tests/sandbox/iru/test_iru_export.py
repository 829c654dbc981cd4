"""POST /prism/export, its state, and the file behind the signed address."""

import csv
import io
import json
import time
from typing import Any

import pytest
import requests

from include.sandbox.fleet import Fleet


def _finish(api, body: dict[str, Any]) -> dict[str, Any]:
    export = api.call("POST", "/prism/export", json=body)
    assert export.status_code == 200, export.text
    state = export.json()
    assert (state["status"], state["path"], state["signed_url"]) == ("pending", None, None)
    deadline = time.monotonic() + 60
    while state["status"] == "pending" and time.monotonic() < deadline:
        time.sleep(0.05)
        state = api.json(f"/prism/export/{state['id']}")
    assert state["status"] == "success"
    return state


@pytest.fixture(scope="module")
def finished(api) -> dict[str, Any]:
    """An export of all apps, ready to be fetched."""
    return _finish(api, {"category": "apps"})


def test_export_holds_every_row_and_key(api, finished, fleet: Fleet) -> None:
    """The file is CSV with the response keys as its header, and as many rows as the category."""
    answer = requests.get(finished["signed_url"], timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    shown = api.prism("apps")
    assert len(rows) == len(fleet.apps)
    assert list(rows[0]) == list(shown[0])
    for key in ("device_id", "name", "path", "serial_number", "version"):
        assert [row[key] for row in rows] == [row[key] for row in shown]
    nameless = [row for row in shown if row["bundle_id"] is None]
    assert nameless
    assert all(rows[shown.index(row)]["bundle_id"] == "" for row in nameless)


def test_export_stays_pending_for_a_while(start) -> None:
    """An export is not there at once, however small; time travel shortens the wait."""
    tenant = start(switches={"export_delay_s": 3600})
    export = tenant.call("POST", "/prism/export", json={"category": "filevault"})
    assert export.status_code == 400
    export_id = tenant.call("POST", "/prism/export", json={"category": "kernel_extensions"}).json()["id"]
    time.sleep(0.2)
    assert tenant.json(f"/prism/export/{export_id}")["status"] == "pending"
    tenant.call("POST", "/_sandbox/clock", json={"advance_s": 3601})
    assert tenant.json(f"/prism/export/{export_id}")["status"] == "success"


def test_export_filters(api) -> None:
    """Filter, families and blueprints restrict the file as they restrict the pages."""
    wanted = {"name": {"like": ["Slack"]}}
    state = _finish(api, {"category": "apps", "filter": wanted, "device_families": ["iPhone"]})
    assert state["args"]["filter"] == wanted
    rows = list(csv.DictReader(io.StringIO(requests.get(state["signed_url"], timeout=30).text)))
    expected = api.prism("apps", filter=json.dumps(wanted), device_families="iPhone")
    assert [row["device_id"] for row in rows] == [row["device_id"] for row in expected] != []


def test_documented_example_request_is_accepted(api) -> None:
    """The documentation's own body, misspelled sort key included, is answered with a pending export."""
    body = {
        "blueprint_ids": ["string", "string", "string"],
        "category": "device_information",
        "device_families": ["Mac"],
        "filter": {},
        "sort_by": "device__nam",
    }
    assert _finish(api, body)["args"]["sort_by"] == "device__nam"


@pytest.mark.parametrize("category", ["application_firewal", "filevault", None, ["apps"]])
def test_invalid_category_has_the_documented_text(api, category) -> None:
    """A category that cannot be exported is refused with the documented detail."""
    answer = api.call("POST", "/prism/export", json={"category": category})
    assert (answer.status_code, answer.json()) == (400, {"detail": f"Invalid category: {category}"})


def test_malformed_filter_is_refused_before_the_export_starts(api) -> None:
    """A filter that cannot be read is a 400, not an export that fails later."""
    body = {"category": "apps", "filter": {"device__family": {"in": ["Mac"]}}}
    assert api.call("POST", "/prism/export", json=body).status_code == 400


def test_signed_address_refuses_a_bearer_token(finished, api) -> None:
    """Whoever sends the token along gets a 400 in XML, as object storage answers."""
    answer = api.call("GET", finished["signed_url"])
    assert answer.status_code == 400
    assert "InvalidArgument" in answer.text
    assert answer.headers["content-type"].startswith("application/xml")


def test_altered_or_unsigned_address_is_refused(finished) -> None:
    """Without its signature, with another one, or with a later date, the address opens nothing."""
    address = finished["signed_url"]
    for bad in (
        address.partition("?")[0],
        address[:-4] + "0000",
        address.replace("X-Amz-Expires=172800", "X-Amz-Expires=999999"),
        address.replace("export-2", "export-3"),
    ):
        assert requests.get(bad, timeout=30).status_code == 403


def test_signed_address_expires(start) -> None:
    """After 48 hours the address is dead, and asking again gives a new one."""
    tenant = start()
    state = _finish(tenant, {"category": "device_information"})
    tenant.call("POST", "/_sandbox/clock", json={"advance_s": 172_900})
    assert requests.get(state["signed_url"], timeout=30).status_code == 403
    fresh = tenant.json(f"/prism/export/{state['id']}")["signed_url"]
    assert requests.get(fresh, timeout=30).status_code == 200


def test_unknown_export_is_a_404(api) -> None:
    """An id that was never given out is not found."""
    assert api.get("/prism/export/nope").status_code == 404
