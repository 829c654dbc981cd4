"""The generated fleet: size, shares, oddities, determinism."""

from collections import Counter
from dataclasses import replace

import pytest

from include.sandbox.fleet import Fleet, FleetSpec, generate_fleet


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """The fleet of the default spec."""
    return generate_fleet(FleetSpec())


def test_same_spec_gives_the_same_fleet(fleet: Fleet) -> None:
    """A seed repeats a fleet to the last app, and another seed gives another one."""
    assert generate_fleet(FleetSpec()) == fleet
    assert generate_fleet(FleetSpec(seed=8)).devices != fleet.devices


def test_size_is_exactly_what_was_asked_for(fleet: Fleet) -> None:
    """500 devices with 40 apps each on average are 20,000 rows, most of them on Macs."""
    assert (len(fleet.devices), len(fleet.apps)) == (500, 20_000)
    by_device = Counter(app.device_id for app in fleet.apps)
    family = {device.id: device.hardware.family for device in fleet.devices}
    by_family = Counter(family[device_id] for device_id in by_device.elements())
    assert set(by_family) == {"Mac", "iPhone", "iPad", "AppleTV"}
    assert by_family["Mac"] > 0.7 * 20_000


def test_identities_are_unique(fleet: Fleet) -> None:
    """Device ids, serial numbers that are not empty, users and their addresses never come twice."""
    serials = [device.serial_number for device in fleet.devices if device.serial_number]
    assert len(set(serials)) == len(serials) == 497
    assert len({device.id for device in fleet.devices}) == 500
    assert len({user.email for user in fleet.users}) == len(fleet.users)


def test_oddities_are_there(fleet: Fleet) -> None:
    """Three of each: empty serials, exact duplicates, second paths, missing bundle ids and developers."""
    macs = {device.id for device in fleet.devices if device.hardware.family == "Mac"}
    keys = Counter(fleet.apps)
    assert sum(count - 1 for count in keys.values()) == 3
    paths = Counter((app.device_id, app.title.bundle_id) for app in keys)
    assert sum(count - 1 for count in paths.values()) == 3
    assert sum(app.title.bundle_id is None for app in fleet.apps) == 3
    assert sum(app.title.developer_name is None for app in fleet.apps if app.device_id in macs) == 6
    assert any("/Contents/" in app.path for app in fleet.apps)
    assert any("🦄" in device.name for device in fleet.devices)
    assert any("’" in device.name for device in fleet.devices)  # noqa: RUF001 - Apple's own apostrophe


def test_oddities_can_be_left_out() -> None:
    """A fleet for a simple test has no odd rows."""
    fleet = generate_fleet(FleetSpec(devices=120, apps_per_device=5, odd_rows=0))
    assert all(device.serial_number for device in fleet.devices)
    assert max(Counter(fleet.apps).values()) == 1


def test_shares_are_kept(fleet: Fleet) -> None:
    """About an eighth of the devices is nobody's, and 2 % of the users do not exist in ServiceNow."""
    nobody = sum(device.user_id is None for device in fleet.devices)
    assert 0.08 < nobody / 500 < 0.17
    unknown = {user.id for user in fleet.users if not user.known_to_servicenow}
    assert len(unknown) == 8
    assert any(device.user_id in unknown for device in fleet.devices)
    assert {device.user_id for device in generate_fleet(FleetSpec(devices=9, unassigned_share=1)).devices} == {None}


def test_other_platforms_come_by_share_only(fleet: Fleet) -> None:
    """Windows and Android are absent by default, and carry no apps when present."""
    assert not {"Windows", "Android"} & {device.hardware.family for device in fleet.devices}
    mixed = generate_fleet(FleetSpec(devices=100, apps_per_device=3, non_apple_share=0.5))
    other = {d.id for d in mixed.devices if d.hardware.family in ("Windows", "Android")}
    assert other
    assert not other & {app.device_id for app in mixed.apps}
    assert len(mixed.apps) == 300


@pytest.mark.parametrize("devices", [0, 1, 2, 7])
def test_tiny_fleets_work(devices: int) -> None:
    """Any number of devices gives a fleet, none included."""
    fleet = generate_fleet(FleetSpec(devices=devices, apps_per_device=3))
    assert (len(fleet.devices), len(fleet.apps)) == (devices, devices * 3)


def test_many_apps_on_a_device_are_all_different() -> None:
    """Hundreds of apps a device find enough titles, none of them twice on one device."""
    fleet = generate_fleet(FleetSpec(devices=20, apps_per_device=300, odd_rows=0))
    assert len({(app.device_id, app.title.key) for app in fleet.apps}) == len(fleet.apps) == 6000


@pytest.mark.parametrize(
    "bad",
    [{"devices": -1}, {"unassigned_share": 1.5}, {"mac_share": 0.9, "iphone_share": 0.5}],
)
def test_impossible_spec_is_refused(bad: dict) -> None:
    """A spec that cannot be met is an error that names the field."""
    with pytest.raises(ValueError, match=next(iter(bad))):
        replace(FleetSpec(), **bad)
