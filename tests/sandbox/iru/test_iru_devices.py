# ruff: noqa: RUF001 - names as people type them
"""GET /devices and the endpoints of one device."""

import re

import pytest

from include.sandbox.fleet import Fleet, FleetSpec, generate_fleet


def test_list_is_a_bare_array_in_pages_of_at_most_300(api, fleet: Fleet) -> None:
    """The list has no envelope, 300 is both default and maximum, and the end is an empty page."""
    first = api.json("/devices")
    second = api.json("/devices", offset=300)
    assert isinstance(first, list)
    assert [len(first), len(second), len(api.json("/devices", offset=400))] == [300, 100, 0]
    assert [d["device_id"] for d in first + second] == [d.id for d in fleet.devices]
    assert len(api.json("/devices", limit=1000)) == 300


def test_unknown_parameters_and_a_trailing_slash_are_tolerated(api) -> None:
    """Clients that add parameters of their own or end the path with a slash get the same answer."""
    plain = api.json("/devices", limit=2)
    assert api.json("/devices/", limit=2, source="iructl", sort="serial_number") == plain


def test_devices_spell_nothing_as_empty_string(api, fleet: Fleet) -> None:
    """An unassigned user, a missing asset tag and a check-in that never was are all ""."""
    shown = {row["device_id"]: row for row in api.json("/devices") + api.json("/devices", offset=300)}
    for device in fleet.devices:
        row = shown[device.id]
        assert (row["user"] == "") == (device.user_id is None)
        assert (row["last_check_in"] == "") == (device.last_check_in is None)
        assert row["asset_tag"] == (device.asset_tag or "")
        assert row["is_removed"] is False
        assert row["mdm_enabled"] is True
    assert any(row["user"] == "" for row in shown.values())
    assert any(row["last_check_in"] == "" for row in shown.values())


def test_devices_use_two_spellings_of_time(api) -> None:
    """Check-ins end in Z with a T inside; enrolments have a space and an offset."""
    row = next(r for r in api.json("/devices") if r["last_check_in"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["last_check_in"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00", row["first_enrollment"])


def test_check_in_may_end_in_an_offset(start) -> None:
    """Some tenants were seen to spell check-ins with an offset instead of Z; never stays ""."""
    rows = start(switches={"check_in_with_offset": True}).json("/devices")
    assert {row["last_check_in"][-6:] for row in rows} == {"+00:00", ""}


@pytest.mark.parametrize(
    ("parameter", "value", "holds"),
    [
        ("model", "macbook air", lambda row: "macbook air" in row["model"].lower()),
        ("platform", "appletv", lambda row: row["platform"] == "AppleTV"),
        ("platform", "iPad", lambda row: row["platform"] == "iPad"),
        ("os_version", "18.", lambda row: "18." in row["os_version"]),
        ("user_name", "ada", lambda row: row["user"] and "ada" in row["user"]["name"].lower()),
        ("user", "SMITH", lambda row: row["user"] and "smith" in row["user"]["name"].lower()),
        ("user_email", "smith.", lambda row: row["user"] and "smith." in row["user"]["email"]),
        ("asset_tag", "AT-1", lambda row: "AT-1" in row["asset_tag"]),
        ("tag_name", "loaner", lambda row: "loaner" in row["tags"]),
        ("tag_name_in", "loaner, pilot", lambda row: {"loaner", "pilot"} & set(row["tags"])),
        ("device_name", "’s MacBook", lambda row: "’s MacBook" in row["device_name"]),
    ],
)
def test_filters_return_what_they_say(api, parameter, value, holds) -> None:
    """Each documented filter returns exactly the rows that match, and some do."""
    everything = api.json("/devices") + api.json("/devices", offset=300)
    wanted = {row["device_id"] for row in everything if holds(row)}
    assert wanted
    assert {row["device_id"] for row in api.json("/devices", **{parameter: value})} == wanted


def test_serial_number_filter_is_partial_and_case_sensitive_tags_are_not(api) -> None:
    """A part of a serial number is enough, so a client must compare again; tag names keep their case."""
    row = next(r for r in api.json("/devices") if r["serial_number"])
    found = api.json("/devices", serial_number=row["serial_number"][2:7].lower())
    assert row["device_id"] in {one["device_id"] for one in found}
    assert api.json("/devices", tag_name="LOANER") == []


def test_ids_of_users_blueprints_and_tags_filter(api) -> None:
    """The ids that other endpoints give out lead to the devices that refer to them."""
    row = next(r for r in api.json("/devices") if r["user"] and r["tags"])
    tag = next(t for t in api.json("/tags")["results"] if t["name"] == row["tags"][0])
    for parameter, value in (
        ("user_id", row["user"]["id"]),
        ("user_email_exact", row["user"]["email"]),
        ("blueprint_id", row["blueprint_id"]),
        ("device_id", row["device_id"]),
        ("tag_id", tag["id"]),
        ("tag_id_in", f"{tag['id']},nonsense"),
    ):
        assert row["device_id"] in {r["device_id"] for r in api.json("/devices", **{parameter: value})}
    assert api.json("/devices", user_email_exact=row["user"]["email"][:-1]) == []


def test_filevault_filter_meets_macs_only(api) -> None:
    """FileVault is a matter of Macs: on and off together are all Macs and nothing else."""
    on, off = (api.json("/devices", filevault_enabled=value) for value in ("true", "false"))
    assert on
    assert off
    assert {row["platform"] for row in on + off} == {"Mac"}
    assert len(on) + len(off) == len(api.json("/devices", platform="Mac"))


def test_mac_address_finds_one_device(api, fleet: Fleet) -> None:
    """A MAC address leads to its device although the list does not show it."""
    device = fleet.devices[5]
    assert [row["device_id"] for row in api.json("/devices", mac_address=device.mac_address)] == [device.id]


def test_ordering_takes_a_list_with_descending_keys(api) -> None:
    """Orders combine, a dash reverses one, and unknown names are left out."""
    rows = api.json("/devices", ordering="-platform,serial_number,nonsense")
    assert rows == sorted(
        sorted(rows, key=lambda row: row["serial_number"]), key=lambda row: row["platform"], reverse=True
    )
    newest = api.json("/devices", ordering="-last_check_in", limit=5)
    assert newest == sorted(newest, key=lambda row: row["last_check_in"], reverse=True)


def test_count_headers_come_by_switch_with_none_in_links(start) -> None:
    """Recordings of older tenants carry totals and links in which a missing page reads None."""
    tenant = start(switches={"total_count_headers": True})
    first = tenant.get("/devices", limit=150)
    assert first.headers["X-Total-Count"] == "400"
    assert first.headers["X-Total-Pages"] == "3"
    assert first.headers["Link"].endswith('<None>; rel="prev"')
    assert tenant.get("/devices", offset=300).headers["Link"].startswith('<None>; rel="next"')


def test_limit_above_the_maximum_can_be_refused(start) -> None:
    """The documentation leaves open what happens above 300, so both answers can be had."""
    assert start(switches={"limit_over_maximum": "refuse"}).get("/devices", limit=301).status_code == 400


def test_single_device_is_a_row_of_the_list(api) -> None:
    """One device looks exactly as in the list, and a device that is not there is a 404."""
    row = api.json("/devices", limit=1)[0]
    assert api.json(f"/devices/{row['device_id']}") == row
    gone = api.get("/devices/00000000-0000-4000-8000-000000000000")
    assert (gone.status_code, gone.json()) == (404, {"detail": "Not found."})


def test_details_spell_booleans_as_words_and_times_in_their_own_ways(api) -> None:
    """What is a boolean in the list is a word in the details, which use three spellings of time."""
    row = next(r for r in api.json("/devices", platform="Mac") if r["last_check_in"] and r["user"])
    details = api.json(f"/devices/{row['device_id']}/details")
    assert details["mdm"]["mdm_enabled"] == "True"
    assert details["kandji_agent"]["agent_installed"] == "True"
    assert details["general"]["blueprint_uuid"] == row["blueprint_id"]
    assert details["general"]["assigned_user"] == row["user"]
    assert details["mdm"]["last_check_in"] == row["last_check_in"].replace("T", " ").replace("Z", "+00:00")
    assert re.fullmatch(r"[\d-]{10} [\d:]{8}\+00:00", details["kandji_agent"]["install_date"])
    assert re.fullmatch(r"[\d-]{10} [\d:]{8} \+0000", details["installed_profiles"][0]["install_date"])


def test_capacity_of_a_mac_is_labelled_wrongly_in_details_only(api) -> None:
    """A Mac of 245 decimal GB reads 228 GB in the details (GiB), an iPad the same in both places."""
    by_id = {row["device_id"]: row for row in api.prism("device_information")}
    for platform, ratio in (("Mac", 1.073741824), ("iPad", 1.0)):
        device_id = api.json("/devices", platform=platform, limit=1)[0]["device_id"]
        volumes = api.json(f"/devices/{device_id}/details")["volumes"]
        shown = float(volumes[0]["capacity"].removesuffix(" GB"))
        assert shown * ratio == pytest.approx(by_id[device_id]["device_capacity"], rel=1e-3)
        assert len(volumes) == (2 if platform == "Mac" else 1)


def test_details_differ_by_family(api) -> None:
    """An Apple TV has no volumes, no lost mode and no cellular section; FileVault is null off Macs."""
    device_id = api.json("/devices", platform="AppleTV", limit=1)[0]["device_id"]
    details = api.json(f"/devices/{device_id}/details")
    assert details["volumes"] == []
    assert not {"lost_mode", "cellular"} & set(details)
    assert "supervised" not in details["mdm"]
    assert details["filevault"]["filevault_enabled"] is None
    assert details["network"] == {}


def test_unassigned_device_has_an_empty_user_in_details(api) -> None:
    """Nobody is "" in the details of an Apple device, as in the list."""
    row = next(r for r in api.json("/devices") if r["user"] == "")
    assert api.json(f"/devices/{row['device_id']}/details")["general"]["assigned_user"] == ""


def test_apps_of_a_device_are_all_strings(api, fleet: Fleet) -> None:
    """Every value is a string; ids are numbers on a Mac and UUIDs elsewhere; the list has no pages."""
    for family, app_id in (("Mac", r"\d+"), ("iPhone", r"[0-9a-f-]{36}")):
        device = next(d for d in fleet.devices if d.hardware.family == family)
        answer = api.get(f"/devices/{device.id}/apps")
        apps = answer.json()["apps"]
        assert len(apps) == sum(app.device_id == device.id for app in fleet.apps)
        assert answer.headers["X-Total-Count"] == str(len(apps))
        assert all(isinstance(value, str) for app in apps for value in app.values())
        assert all(re.fullmatch(app_id, app["app_id"]) for app in apps)


def test_windows_and_android_come_with_polymorphic_keys(start) -> None:
    """Tenants that manage other platforms show three more keys on every device, "" where they do not apply."""
    spec = FleetSpec(devices=60, apps_per_device=2, non_apple_share=0.3)
    tenant = start(spec=spec, fleet=generate_fleet(spec), switches={"windows_android": True})
    rows = tenant.json("/devices")
    assert {"Windows", "Android", "Mac"} <= {row["platform"] for row in rows}
    assert all({"api_level", "security_patch_level", "full_software_version"} <= set(row) for row in rows)
    assert {row["api_level"] for row in rows if row["platform"] == "Mac"} == {""}
    families = {row["device__family"] for row in tenant.prism("device_information")}
    assert families <= {"Mac", "iPhone", "iPad", "tvOS"}


def test_details_of_other_platforms_are_other_trees(start) -> None:
    """Windows states MiB and no volumes, Android GiB and null for nobody."""
    spec = FleetSpec(devices=60, apps_per_device=2, non_apple_share=0.5, unassigned_share=1)
    tenant = start(spec=spec, fleet=generate_fleet(spec))
    shown = {}
    for platform in ("Windows", "Android"):
        device_id = tenant.json("/devices", platform=platform, limit=1)[0]["device_id"]
        shown[platform] = tenant.json(f"/devices/{device_id}/details")
    windows, android = shown["Windows"], shown["Android"]
    assert "volumes" not in windows
    assert int(windows["hardware_overview"]["total_capacity"]) == pytest.approx(509_000 / 1.048576, rel=1e-3)
    assert windows["kandji_agent"]["is_agent_installed"] is True
    assert windows["general"]["assigned_user"] == ""
    assert android["general"]["assigned_user"] is None
