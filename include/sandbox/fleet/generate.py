"""A whole fleet from a seed."""

import random
from dataclasses import replace
from datetime import timedelta

from include.sandbox.fleet.enrolment import Surroundings, draw_device
from include.sandbox.fleet.groups import draw_blueprints, draw_tags
from include.sandbox.fleet.installs import Catalogue, build_catalogue, draw_apps, share_out
from include.sandbox.fleet.model import App, Device, Fleet
from include.sandbox.fleet.oddities import odd_titles, with_odd_apps, with_odd_devices
from include.sandbox.fleet.people import draw_users
from include.sandbox.fleet.randomness import draw_time, stream
from include.sandbox.fleet.spec import FleetSpec

_MISSING_AFTER = timedelta(days=30)


def generate_fleet(spec: FleetSpec) -> Fleet:
    """Generate users, blueprints, tags, devices and apps; the same spec gives the same fleet."""
    around = Surroundings(draw_users(spec), draw_blueprints(spec.seed), draw_tags(spec.seed))
    devices = with_odd_devices(spec, _draw_devices(spec, around))
    counts = share_out(spec, devices)
    catalogue = _catalogue(spec, devices, counts)
    gaps = odd_titles(len(catalogue.mac) + len(catalogue.mobile) + 1)
    macs = {device.id for device in devices if device.hardware.family == "Mac"}
    apps = with_odd_apps(spec, _draw_all_apps(spec, devices, counts, catalogue), gaps, macs)
    return Fleet(
        users=around.users,
        blueprints=around.blueprints,
        tags=around.tags,
        devices=tuple(devices),
        titles=(*catalogue.mac, *catalogue.mobile, *gaps),
        apps=tuple(apps),
    )


def _draw_devices(spec: FleetSpec, around: Surroundings) -> list[Device]:
    draw = stream(spec.seed, "devices")
    span = timedelta(days=300)
    step = span / max(1, spec.devices)
    devices, serials = [], set[str]()
    for number in range(spec.devices):
        enrolled_at = spec.as_of - span + number * step + timedelta(microseconds=draw.randint(1, 999_999))
        device = draw_device(draw, spec, around, enrolled_at)
        while device.serial_number in serials:
            device = draw_device(draw, spec, around, enrolled_at)
        serials.add(device.serial_number)
        devices.append(_with_check_in(draw, spec, device))
    return devices


def _with_check_in(draw: random.Random, spec: FleetSpec, device: Device) -> Device:
    if draw.random() < spec.never_checked_in_share:
        return device
    days = 90.0 if draw.random() < 0.05 else 1.0
    seen_at = max(device.last_enrollment, draw_time(draw, spec.as_of, within_days=days))
    return replace(device, last_check_in=seen_at, updated_at=seen_at, is_missing=spec.as_of - seen_at > _MISSING_AFTER)


def _catalogue(spec: FleetSpec, devices: list[Device], counts: list[int]) -> Catalogue:
    on_mac, on_mobile = 0, 0
    for device, count in zip(devices, counts, strict=True):
        if device.hardware.family == "Mac":
            on_mac = max(on_mac, count)
        else:
            on_mobile = max(on_mobile, count)
    return build_catalogue(spec.seed, most_on_mac=on_mac, most_on_mobile=on_mobile)


def _draw_all_apps(spec: FleetSpec, devices: list[Device], counts: list[int], catalogue: Catalogue) -> list[App]:
    draw = stream(spec.seed, "apps")
    apps: list[App] = []
    for device, count in zip(devices, counts, strict=True):
        apps.extend(draw_apps(draw, device, catalogue.titles(device.hardware.family), count, spec.as_of))
    return apps
