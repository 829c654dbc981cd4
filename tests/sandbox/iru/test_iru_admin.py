"""The admin API: switches, counters, clock, and changes of the fleet."""

import pytest

from include.sandbox.fleet import Fleet, FleetSpec, generate_fleet
from include.sandbox.iru.change_plan import ChangeCounts


@pytest.fixture
def tenant(start):
    """A tenant of the test's own."""
    return start()


def _devices(tenant) -> dict[str, dict]:
    rows = tenant.json("/devices") + tenant.json("/devices", offset=300)
    return {row["device_id"]: row for row in rows}


def _apps(tenant) -> set[tuple]:
    return {(r["device_id"], r["name"], r["path"], r["version"]) for r in tenant.prism("apps")}


def test_switches_show_and_change(tenant) -> None:
    """A switch changes at once; an unknown one or a bad value is refused, naming what is known."""
    assert tenant.json("/_sandbox/switches")["prism_offset"] is False
    tenant.switch(prism_offset=True)
    assert tenant.json("/_sandbox/switches")["prism_offset"] is True
    unknown = tenant.call("PATCH", "/_sandbox/switches", json={"nope": 1})
    assert unknown.status_code == 400
    assert "prism_offset" in unknown.json()["detail"]
    assert tenant.call("PATCH", "/_sandbox/switches", json={"prism_offset": "maybe"}).status_code == 400
    bad = tenant.call("PATCH", "/_sandbox/switches", json={"limit_over_maximum": "explode"})
    assert bad.status_code == 400


def test_counters_leave_the_admin_api_out(tenant) -> None:
    """What the tenant saw is counted; looking at the counters is not."""
    tenant.call("DELETE", "/_sandbox/counters")
    tenant.get("/tags")
    tenant.get("/nowhere")
    seen = tenant.json("/_sandbox/counters")
    assert seen["requests"] == 2
    assert seen["by_status"] == {"200": 1, "404": 1}
    assert seen["by_method_and_path"]["GET /api/v1/tags"] == 1


def test_clock_only_goes_forward(tenant) -> None:
    """Time travel takes seconds, forward."""
    assert tenant.call("POST", "/_sandbox/clock", json={"advance_s": 60}).status_code == 200
    assert tenant.call("POST", "/_sandbox/clock", json={"advance_s": -1}).status_code == 400
    assert tenant.call("POST", "/_sandbox/clock", json={"advance_s": "x"}).status_code == 400


def test_summary_matches_the_api(tenant, fleet: Fleet) -> None:
    """The summary tells what the API would give."""
    summary = tenant.json("/_sandbox/fleet")
    assert (summary["devices"], summary["apps"]) == (len(fleet.devices), len(fleet.apps))
    assert summary["devices_without_serial_number"] == 2
    assert sum(summary["devices_by_family"].values()) == 400


def test_device_changes_do_exactly_what_they_report(tenant) -> None:
    """After a change of devices, the list differs by what was reported and by nothing else."""
    before = _devices(tenant)
    changes = tenant.change(
        enroll=3, rename=4, reassign=5, unassign=2, move_blueprint=2, update_os=3, remove_devices=2, reenroll=1
    )
    after = _devices(tenant)
    ids = {kind: {one["device_id"] for one in met} for kind, met in changes.items()}
    replaced = {one["replaced_device_id"] for one in changes["reenroll"]}
    assert set(before) - set(after) == ids["remove_devices"] | replaced
    assert set(after) - set(before) == ids["enroll"] | ids["reenroll"]
    changed = {one for one in set(before) & set(after) if before[one] != after[one]}
    kinds = ("rename", "reassign", "unassign", "move_blueprint", "update_os")
    assert changed == set().union(*(ids[kind] for kind in kinds))
    for kind, field in (("rename", "device_name"), ("reassign", "user"), ("update_os", "os_version")):
        assert all(before[one][field] != after[one][field] for one in ids[kind])
    assert {after[one]["user"] for one in ids["unassign"]} == {""}
    assert all(before[one]["blueprint_id"] != after[one]["blueprint_id"] for one in ids["move_blueprint"])
    again = changes["reenroll"][0]
    assert after[again["device_id"]]["serial_number"] == before[again["replaced_device_id"]]["serial_number"]
    assert tenant.json(f"/devices/{again['device_id']}/apps")["apps"]


def test_app_changes_do_exactly_what_they_report(tenant) -> None:
    """After apps came, changed version and went, Prism differs by exactly those."""
    before = _apps(tenant)
    changes = tenant.change(install_apps=4, update_apps=5, remove_apps=3)

    def keys(kind: str) -> set[tuple]:
        return {(one["device_id"], one["name"], one["path"]) for one in changes[kind]}

    after = _apps(tenant)
    came = {row[:3] for row in after - before}
    went = {row[:3] for row in before - after}
    assert (len(changes["install_apps"]), len(changes["update_apps"]), len(changes["remove_apps"])) == (4, 5, 3)
    assert came <= keys("install_apps") | keys("update_apps")
    assert keys("install_apps") - keys("remove_apps") <= came
    assert went <= keys("update_apps") | keys("remove_apps")
    assert tenant.json("/prism/count", category="apps")["count"] == 3200 + 4 - 3


def test_erased_device_keeps_its_record_and_loses_user_and_apps(tenant) -> None:
    """A wiped device enrolls again under the same id, with no user and nothing but Apple's apps."""
    met = tenant.change(erase=1)["erase"][0]
    row = tenant.json(f"/devices/{met['device_id']}")
    assert (row["user"], row["serial_number"]) == ("", met["serial_number"])
    apps = tenant.json(f"/devices/{met['device_id']}/apps")["apps"]
    assert all(app["path"].startswith("/System/") for app in apps)


def test_same_seed_makes_the_same_changes(start) -> None:
    """Two tenants with one fleet and one seed change alike."""
    counts = {"enroll": 2, "rename": 2, "reassign": 2, "install_apps": 2, "remove_apps": 2, "seed": 5}
    first, second = start().change(**counts), start().change(**counts)
    assert [(d["device_id"], d["serial_number"]) for d in first["enroll"]] == [
        (d["device_id"], d["serial_number"]) for d in second["enroll"]
    ]
    for kind in ("rename", "reassign", "install_apps", "remove_apps"):
        assert first[kind] == second[kind]


def test_repeated_call_changes_something_each_time(tenant) -> None:
    """The same body sent again enrolls other devices and renames again, instead of doing nothing."""
    for _ in range(3):
        before = _devices(tenant)
        changes = tenant.change(enroll=1, rename=2, reenroll=1, seed=4)
        after = _devices(tenant)
        assert len(set(after) - set(before)) == 2
        assert all(
            after[d["device_id"]]["device_name"] != before[d["device_id"]]["device_name"] for d in changes["rename"]
        )


def test_enrolled_device_brings_apps_and_an_event(tenant) -> None:
    """A new device shows up in the list, in Prism and in the audit log."""
    met = tenant.change(enroll=1)["enroll"][0]
    event = tenant.json("/audit/events", sort_by="-occurred_at", limit=1)["results"][0]
    assert (event["action"], event["target_id"]) == ("create", met["device_id"])
    apps = [row for row in tenant.prism("apps") if row["device_id"] == met["device_id"]]
    assert len(apps) == met["apps"]
    assert tenant.json(f"/devices/{met['device_id']}")["last_check_in"]


@pytest.mark.parametrize("body", [{"explode": 1}, {"rename": -1}, {"rename": "2"}, {"rename": True}])
def test_unreadable_change_is_refused(tenant, body) -> None:
    """A kind that does not exist or a count that is none is a 400 that names it."""
    answer = tenant.call("POST", "/_sandbox/fleet/change", json=body)
    assert answer.status_code == 400
    assert next(iter(body)) in answer.json()["detail"]


def test_more_changes_than_devices_end_with_what_there_is(start) -> None:
    """A small fleet takes as many changes as it has devices and does not fail."""
    spec = FleetSpec(devices=3, apps_per_device=2)
    tenant = start(spec=spec, fleet=generate_fleet(spec))
    changes = tenant.change(rename=10, remove_devices=10, update_apps=2)
    assert (len(changes["rename"]), len(changes["remove_devices"])) == (3, 3)
    assert tenant.json("/devices") == []


def test_state_survives_a_restart_on_the_same_file(tmp_path, start, fleet: Fleet) -> None:
    """A tenant on a file goes on where it was: changes, tokens and cursors stay."""
    from include.sandbox.iru import IruSettings, IruSwitches, create_app
    from include.sandbox.server import Server

    path = tmp_path / "iru.sqlite"
    first = start(database_path=path)
    first.change(rename=3, remove_devices=2, enroll=1)
    cursor = first.json("/prism/apps", limit=100)["cursor"]
    devices, page = _devices(first), first.json("/prism/apps", limit=100, cursor=cursor)
    settings = IruSettings(database_path=path, token=first.token, switches=IruSwitches(rate_limit=False))
    with Server(create_app(settings)) as server:
        again = type(first)(server.url)
        assert _devices(again) == devices
    second = start(database_path=path)
    assert second.json("/prism/apps", limit=100, cursor=cursor) == page


def test_every_kind_of_change_has_a_doer(tenant) -> None:
    """No count is accepted and then forgotten."""
    kinds = list(ChangeCounts.__slots__)
    assert sorted(tenant.change(**dict.fromkeys(kinds, 1))) == sorted(kinds)
