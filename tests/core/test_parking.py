"""A row that ServiceNow refuses again and again is parked until it changes or somebody releases it."""

import pytest
from between import between, inserts
from factories import app, device
from test_flow import Flow, Taker, Tenant

from include.inventory.parking import ParkingRule
from include.inventory.run import Rules
from include.storage import read_json

COMPUTERS = {"feeds": ["computer"]}


def refuse(flow: Flow, runs: int) -> None:
    """Run so often that rows which ServiceNow refuses are parked."""
    for _ in range(runs):
        flow.run("devices", **COMPUTERS)


def attempts(flow: Flow, key: str = "ser2") -> int:
    """Return what the ledger counts."""
    return int(flow.ledger.read("computer").set_index("key").loc[key, "attempts"])


@pytest.fixture
def refused(tmp_path):
    """Give a flow whose second device ServiceNow has refused five times."""
    tenant, taker = Tenant(devices=[device(1), device(2)]), Taker(states={"SER2": "error"})
    with between(tmp_path, tenant, taker) as flow:
        refuse(flow, 5)
        yield flow, tenant, taker


def test_after_five_refusals_a_row_is_parked_and_reported(refused):
    """It is held with its reason, listed with what ServiceNow said, and costs ServiceNow nothing any more."""
    flow, _, _ = refused
    before = len(flow.asked)
    assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 2, "unchanged": 1, "held": 1}
    assert len(flow.asked) == before
    details = read_json(flow.last.report)["details"]["computer"]
    assert (details["parked"], details["held_because"]) == (1, {"parked after 5 refusals": 1})
    parked = flow.last.parked("computer").read().to_dict("records")
    said = "ServiceNow gave no reason (state 'error')."
    assert parked == [{"row": 1, "key": "ser2", "attempts": 5, "verdict": "error", "message": said}]


def test_the_number_of_refusals_is_a_setting(tmp_path):
    """An installation may park after the second refusal."""
    with between(tmp_path, Tenant(devices=[device(2)]), Taker(states={"SER2": "error"})) as flow:
        flow.rules = Rules(max_attempts=2)
        refuse(flow, 2)
        sent = inserts(flow)
        assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 1, "held": 1}
        assert inserts(flow) == sent


def test_a_parked_row_that_changes_goes_again_and_starts_anew(refused):
    """Whoever mends the device in Iru need not tell anybody."""
    flow, tenant, _ = refused
    tenant.devices = [device(1), device(2, os_version="15")]
    assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 2, "unchanged": 1, "error": 1}
    assert attempts(flow) == 1
    assert flow.run("devices", **COMPUTERS)["computer"]["error"] == 1


@pytest.mark.parametrize("name", ["SER2", "ser2", "all"])
def test_a_released_row_goes_again_and_starts_anew(refused, name):
    """Once ServiceNow is mended, an operator releases rows by serial number, key, or all; they get five new tries."""
    flow, _, taker = refused
    assert flow.run("devices", release_parked=[name], **COMPUTERS)["computer"]["error"] == 1
    assert attempts(flow) == 1
    taker.states = {}
    assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 2, "unchanged": 1, "inserted": 1}
    assert attempts(flow) == 0


def test_another_rows_release_and_a_full_resend_release_nothing(refused):
    """Only its own name releases a row; a resend would otherwise send what ServiceNow does not take."""
    flow, _, _ = refused
    for options in ({"release_parked": ["SER1"]}, {"full_resend": True}):
        assert flow.run("devices", **COMPUTERS, **options)["computer"]["held"] == 1


def test_a_parked_removal_is_reported_beside_the_rows(tmp_path):
    """A removal that ServiceNow refuses is parked too; it is no row of the source, so no count of these has it."""
    tenant, taker = Tenant(apps=[app(1), app(2, on=2)]), Taker(computers={"SER1", "SER2"})
    with between(tmp_path, tenant, taker) as flow:
        flow.rules = Rules(max_attempts=2)
        flow.run("apps")
        tenant.apps, taker.states = [app(1)], {"SER2": "error"}
        flow.run("apps")
        flow.run("apps")
        sent = inserts(flow)
        assert flow.run("apps")["apps"] == {"extracted": 1, "unchanged": 1}
        assert inserts(flow) == sent
        assert flow.last.parked("apps").read()["row"].tolist() == [-1]
        assert read_json(flow.last.report)["details"]["apps"]["parked"] == 1
        taker.states = {}
        assert flow.run("apps", release_parked=["SER2"])["apps"]["removed"] == 1


def test_what_is_released_is_told_by_key_or_serial_number_without_case():
    """Nothing else of a row releases it."""
    payload = {"serial_number": "Ab1", "device_name": "all"}
    assert ParkingRule(5, ("AB1",)).releases("k", payload)
    assert ParkingRule(5, ("K",)).releases("k", payload)
    assert ParkingRule(5, ("all",)).releases("k", {})
    assert not ParkingRule(5, ("b1",)).releases("k", payload)
    assert not ParkingRule(5, ()).releases("k", payload)
    assert not ParkingRule(5, ("x",)).releases("k", {})
