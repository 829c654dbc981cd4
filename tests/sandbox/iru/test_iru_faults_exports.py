"""Exports that stay pending, fail, come cut short, or whose address is dead on arrival."""

import csv
import io
import time
from typing import Any

import pytest
import requests

from include.sandbox.common.switches import SwitchError


def _request(tenant, category: str = "device_information") -> dict[str, Any]:
    answer = tenant.call("POST", "/prism/export", json={"category": category})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _ended(tenant, export: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (state := tenant.json(f"/prism/export/{export['id']}"))["status"] == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return state


def _advance(tenant, seconds: float) -> None:
    tenant.call("POST", "/_sandbox/clock", json={"advance_s": seconds})


@pytest.fixture
def tenant(faulty):
    """A tenant whose exports are ready as soon as they are written."""
    return faulty(export_delay_s=0.0)


def test_export_stays_pending_for_good(tenant) -> None:
    """However long one waits there is no file; the next export is a good one."""
    tenant.fault("export_pending", match="device_information")
    stuck, good = _request(tenant), _request(tenant)
    assert _ended(tenant, good)["status"] == "success"
    _advance(tenant, 30 * 86_400)
    state = tenant.json(f"/prism/export/{stuck['id']}")
    assert (state["status"], state["path"], state["signed_url"]) == ("pending", None, None)
    assert state["updated_at"] == state["created_at"]


def test_export_stays_pending_for_a_time(tenant) -> None:
    """An export that takes its time is there in the end, whole."""
    tenant.fault("export_pending", for_s=600)
    export = _request(tenant)
    good = _ended(tenant, _request(tenant))
    assert tenant.json(f"/prism/export/{export['id']}")["status"] == "pending"
    _advance(tenant, 601)
    late = _ended(tenant, export)
    assert requests.get(late["signed_url"], timeout=30).content == requests.get(good["signed_url"], timeout=30).content


def test_export_fails_with_a_message(tenant) -> None:
    """A failed export says so and has no file, and asking again does not heal it."""
    tenant.fault("export_failed", error_msg="Out of memory.")
    export = _request(tenant)
    assert export["status"] == "pending"
    for _ in range(2):
        state = _ended(tenant, export)
        assert (state["status"], state["error_msg"]) == ("failed", "Out of memory.")
        assert (state["path"], state["signed_url"]) == (None, None)
    tenant.fault("export_failed", status="error")
    assert _ended(tenant, _request(tenant))["status"] == "error"
    fine = _ended(tenant, _request(tenant))
    assert (fine["status"], fine["error_msg"]) == ("success", None)


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_truncated_export_ends_in_the_middle_of_a_row(tenant, at: float) -> None:
    """What is there is the beginning of the good file, and its last row is neither missing nor whole."""
    good = requests.get(_ended(tenant, _request(tenant))["signed_url"], timeout=30).content
    tenant.fault("export_truncated", at=at)
    answer = requests.get(_ended(tenant, _request(tenant))["signed_url"], timeout=30)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content) < len(good)
    assert good.startswith(answer.content)
    assert abs(len(answer.content) - at * len(good)) < 2000
    last = answer.content.splitlines()[-1]
    whole = good.splitlines()[len(answer.content.splitlines()) - 1]
    assert 0 < len(last) < len(whole)
    assert not answer.content.endswith(b"\n")


def test_export_address_has_expired_once(tenant) -> None:
    """The address is refused as object storage does; asking the export again gives a good one."""
    tenant.fault("export_url_expired")
    export = _request(tenant)
    dead = requests.get(_ended(tenant, export)["signed_url"], timeout=30)
    assert dead.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in dead.text
    fresh = requests.get(tenant.json(f"/prism/export/{export['id']}")["signed_url"], timeout=30)
    assert fresh.status_code == 200
    assert len(list(csv.DictReader(io.StringIO(fresh.text)))) == 400


def test_export_address_expires_as_often_as_asked(tenant) -> None:
    """A fault that strikes again kills the fresh address too, and polling a pending export uses up none."""
    tenant.fault("export_pending", for_s=600)
    tenant.fault("export_url_expired", times=2)
    export = _request(tenant)
    for _ in range(3):
        assert tenant.json(f"/prism/export/{export['id']}")["signed_url"] is None
    _advance(tenant, 601)
    addresses = [_ended(tenant, export)["signed_url"] for _ in range(3)]
    assert [requests.get(address, timeout=30).status_code for address in addresses] == [403, 403, 200]


def test_faults_strike_the_category_that_they_name(tenant) -> None:
    """An export of another category is none of their business."""
    tenant.fault("export_failed", match="apps", times=0)
    assert _ended(tenant, _request(tenant))["status"] == "success"
    assert _ended(tenant, _request(tenant, "apps"))["status"] == "failed"
    assert tenant.struck() == ["apps"]


def test_option_that_no_fault_takes_is_refused(tenant) -> None:
    """A fault that is written wrongly is refused when it is asked for, not when it strikes."""
    for wrong in ({"what": "teapot"}, {"whatever": 1}):
        with pytest.raises(SwitchError, match=next(iter(wrong))):
            tenant.fault("hostile_row", **wrong)
