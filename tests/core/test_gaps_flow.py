"""What a run decides beyond the straight road: whom it waits for, what it clears, removes, retires and refuses."""

from dataclasses import replace

import pytest
from factories import MAPPING, app, device
from scripted import Asked, Reply, Script
from test_flow import RETIRE, Taker, Tenant

from include.errors import SetupWrong
from include.inventory.mapping import FeedMapping
from include.storage import read_json
from include.web.retry import RetryPolicy

QUIET = RetryPolicy(attempts=2, sleep=lambda _: None)
COMPUTERS = ["computer"]


def _answering(path_end: str, reply: Reply, otherwise: Script) -> Script:
    return lambda asked: reply if asked.path.endswith(path_end) else otherwise(asked)


def test_a_full_resend_sends_what_is_unchanged(start_flow):
    """An operator who mistrusts the ledger gets every row sent, once."""
    flow = start_flow(Tenant(devices=[device(1), device(2)]), Taker())
    flow.run("devices", feeds=COMPUTERS)
    again = flow.run("devices", feeds=COMPUTERS, full_resend=True)
    assert again["computer"] == {"extracted": 2, "inserted": 2}
    assert flow.run("devices", feeds=COMPUTERS)["computer"] == {"extracted": 2, "unchanged": 2}


def test_a_plan_already_names_a_missing_staging_column(start_flow):
    """In plan mode nothing is loaded, yet a column that ServiceNow lacks is told."""
    rows = [{"name": MAPPING.feeds["computer"].staging_table, "element": "serial_number", "max_length": "40"}]
    flow = start_flow(
        Tenant(devices=[device()]), _answering("sys_dictionary", Reply({"result": rows}, headers=_total(1)), Taker())
    )
    with pytest.raises(SetupWrong, match=r"no column .*device_name"):
        flow.run("devices", feeds=COMPUTERS, mode="plan")


def _total(rows: int) -> dict[str, str]:
    return {"X-Total-Count": str(rows)}


def test_a_computer_that_moves_to_an_unknown_user_loses_the_old_ones_name(start_flow):
    """The transform would keep the earlier user where it does not know the new one, so the field is emptied."""
    tenant, taker = Tenant(devices=[device(1), device(2)]), Taker()
    users = Reply({"result": [{"sys_id": "u1", "email": "u1@example.com"}]}, headers=_total(1))
    flow = start_flow(tenant, _answering("sys_user", users, taker))
    flow.run("devices", feeds=COMPUTERS)
    tenant.devices = [device(1, user={"email": "new@example.com", "name": "N", "id": "9"}), device(2)]
    flow.run("devices", feeds=COMPUTERS)
    assert [(row["serial_number"], row["assigned_user"]) for row in taker.sets[-1]] == [("SER1", "NULL")]
    assert read_json(flow.last.report)["details"]["computer"]["not_in_servicenow"] == {"assigned_user": 1}


def test_a_move_is_sent_where_nobody_may_ask_for_users(start_flow):
    """An account that may not read users cannot tell whom ServiceNow knows; the row goes as Iru has it."""
    tenant, taker = Tenant(devices=[device(1)]), Taker()
    denied = Reply({"error": {"message": "no role", "detail": None}}, 403)
    flow = start_flow(tenant, _answering("sys_user", denied, taker))
    flow.run("devices", feeds=COMPUTERS)
    tenant.devices = [device(1, user={"email": "new@example.com", "name": "N", "id": "9"})]
    assert flow.run("devices", feeds=COMPUTERS)["computer"] == {"extracted": 1, "inserted": 1}
    assert taker.sets[-1][0]["assigned_user"] == "new@example.com"


def test_a_value_that_just_fits_is_sent_as_it_is(start_flow):
    """A staging column's length is what it holds, not one less: nothing is cut, rejected or counted."""
    taker = Taker(lengths={"device_name": 10, "os_version": 5})
    flow = start_flow(Tenant(devices=[device(device_name="x" * 10, os_version="1" * 5)]), taker)
    assert flow.run("devices", feeds=COMPUTERS)["computer"] == {"extracted": 1, "inserted": 1}
    assert taker.sets[0][0]["device_name"] == "x" * 10
    assert read_json(flow.last.report)["details"]["computer"]["cut_to_fit"] == {}


def test_a_removal_that_no_longer_fits_is_no_row_of_iru(start_flow):
    """A row that Iru no longer lists is in no count of what it lists, also where its removal cannot be sent."""
    tenant, taker = Tenant(apps=[app(1), app(2)]), Taker(computers={"SER1"})
    flow = start_flow(tenant, taker)
    flow.run("apps")
    tenant.apps, taker.lengths = [app(1)], {"serial_number": 3}
    assert flow.run("apps")["apps"] == {"extracted": 1, "unchanged": 1}


# --- devices that are gone -----------------------------------------------------------------------------------------


def _retiring() -> FeedMapping:
    computer = MAPPING.feeds["computer"]
    columns = (*computer.columns, replace(computer.column("os_version"), name="install_status", fields=("asset_tag",)))
    computer = replace(computer, columns=columns, removed_values={"install_status": "7"})
    return replace(MAPPING, feeds={**MAPPING.feeds, "computer": computer})


def test_a_device_row_without_a_key_does_not_stop_retirement(start_flow):
    """A device is asked about by its own id, so an unreadable neighbour casts no doubt on it."""
    tenant, taker = Tenant(devices=[device(1), device(2)]), Taker()
    flow = start_flow(tenant, taker)
    flow.mapping = _retiring()
    flow.run("devices", **RETIRE)
    tenant.devices, tenant.gone = [device(1), device(3, serial_number="")], ("d2",)
    flow.run("devices", **RETIRE)
    counts = flow.run("devices", **RETIRE)["computer"]
    assert counts == {"extracted": 2, "unchanged": 1, "rejected": 1, "removed": 1}


def test_a_retired_device_is_not_asked_about_again(start_flow):
    """Each retired device would otherwise cost every later run one more request."""
    tenant, asked = Tenant(devices=[device(1), device(2)]), []

    def noting(request: Asked) -> Reply:
        asked.append(request.path)
        return tenant(request)

    flow = start_flow(noting, Taker())
    flow.mapping = _retiring()
    flow.run("devices", **RETIRE)
    tenant.devices, tenant.gone = [device(1)], ("d2",)
    flow.run("devices", **RETIRE)
    flow.run("devices", **RETIRE)
    assert asked.count("/api/v1/devices/d2") == 1


def test_a_device_whose_id_is_not_known_is_not_retired(start_flow):
    """Without an id nobody can ask Iru for the device, so nothing proves that it is gone."""
    tenant = Tenant(devices=[device(1), device(2)])
    flow = start_flow(tenant, Taker())
    flow.mapping = _retiring()
    options = {"missing_devices": "retire", "feeds": COMPUTERS}
    flow.run("devices", **options)  # without the feed that keeps device ids
    tenant.devices, tenant.gone = [device(1)], ("d2",)
    assert flow.run("devices", **options)["computer"] == {"extracted": 1, "unchanged": 1}


# --- apps and their computers --------------------------------------------------------------------------------------


def test_apps_go_where_the_computers_arrival_was_confirmed(start_flow):
    """ServiceNow's own confirmation counts, also where the account cannot find the computer afterwards."""
    flow = start_flow(Tenant(devices=[device(1)], apps=[app(1)]), Taker(computers=set()))
    flow.run("devices")
    assert flow.run("apps")["apps"] == {"extracted": 1, "inserted": 1}


def test_apps_of_a_refused_computer_are_held(start_flow):
    """A computer that ServiceNow refused is known to the ledger, but it is not there."""
    taker = Taker(states={"SER1": "error"})
    flow = start_flow(Tenant(devices=[device(1)], apps=[app(1)]), taker)
    flow.run("devices")
    taker.states = {}
    assert flow.run("apps")["apps"] == {"extracted": 1, "held": 1}


def test_a_serial_number_in_another_case_is_the_same_computer(start_flow):
    """ServiceNow matches without case, so an app does not wait for a computer that is there in other letters."""
    flow = start_flow(Tenant(apps=[app(1)]), Taker(computers={"ser1"}))
    assert flow.run("apps")["apps"] == {"extracted": 1, "inserted": 1}


def test_apps_go_where_nobody_may_ask_for_computers(start_flow):
    """An account that may not read computers cannot tell what is missing; ServiceNow decides."""
    denied = Reply({"error": {"message": "no role", "detail": None}}, 403)
    flow = start_flow(Tenant(apps=[app(1)]), _answering("cmdb_ci_computer", denied, Taker()))
    assert flow.run("apps")["apps"] == {"extracted": 1, "inserted": 1}


# --- counts and reports --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count",
    [
        Reply({"detail": "Not found."}, 404),
        Reply({"detail": "no permission"}, 403),
        Reply({"count": 9, "approximate": True}),
        Reply({"count": 0}),
    ],
    ids=["not offered", "not permitted", "approximate", "fewer than arrived"],
)
def test_a_count_that_proves_nothing_missing_stops_no_run(start_flow, count):
    """Only an exact count that is higher than what arrived says that rows are missing."""
    flow = start_flow(_answering("prism/count", count, Tenant(apps=[app(1)])), Taker(computers={"SER1"}))
    assert flow.run("apps")["apps"] == {"extracted": 1, "inserted": 1}


def test_the_log_tells_what_the_report_tells(start_flow):
    """Who reads only the task's log learns of reasons and of a failure, not of numbers alone."""
    tenant = Tenant(devices=[device(1), device(2, platform="Windows")])
    flow = start_flow(tenant, Taker())
    text = flow.finish(flow.prepare("devices", feeds=COMPUTERS), load=False).to_text()
    assert "FAILED: 1 planned rows have no verdict" in text
    assert "filtered because: platform Windows is out of scope (1)" in text
