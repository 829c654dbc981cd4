"""Which application is installed on which device, and in which version."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.sandbox.fleet.model import App, AppTitle, Device
from include.sandbox.fleet.randomness import stream
from include.sandbox.fleet.spec import FleetSpec
from include.sandbox.fleet.titles import mac_titles, mobile_titles

_WEIGHTS = {"Mac": 1.0, "iPhone": 0.3, "iPad": 0.25, "AppleTV": 0.06}
_POOL_FACTOR, _POOL_FLOOR = 1.4, 90
_VARIANTS = 3


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The titles that devices can install: one list for Macs, one for the others."""

    mac: tuple[AppTitle, ...]
    mobile: tuple[AppTitle, ...]

    def titles(self, family: str) -> tuple[AppTitle, ...]:
        """Return the titles for one family of devices."""
        return self.mac if family == "Mac" else self.mobile


def build_catalogue(seed: int, *, most_on_mac: int, most_on_mobile: int) -> Catalogue:
    """Return enough titles for devices with that many apps each."""
    mac = mac_titles(seed, max(_POOL_FLOOR, int(most_on_mac * _POOL_FACTOR)))
    return Catalogue(mac, mobile_titles(len(mac) + 1, max(30, int(most_on_mobile * _POOL_FACTOR))))


def share_out(spec: FleetSpec, devices: Sequence[Device]) -> list[int]:
    """Return how many apps each device gets; together exactly devices times apps_per_device."""
    draw = stream(spec.seed, "app counts")
    weights = [_WEIGHTS.get(d.hardware.family, 0.0) * draw.uniform(0.75, 1.25) for d in devices]
    total = spec.devices * spec.apps_per_device
    if not total or not any(weights):
        return [0] * len(devices)
    exact = [weight * total / sum(weights) for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for position in by_remainder[: total - sum(counts)]:
        counts[position] += 1
    return counts


def draw_apps(
    draw: random.Random, device: Device, titles: Sequence[AppTitle], count: int, as_of: datetime
) -> Iterator[App]:
    """Yield ``count`` different apps for one device, installed before ``as_of``."""
    pool = min(len(titles), max(_POOL_FLOOR, int(count * _POOL_FACTOR)))
    for position in sorted(draw.sample(range(pool), min(count, pool))):
        yield draw_app(draw, device, titles[position], as_of)


def draw_app(draw: random.Random, device: Device, title: AppTitle, as_of: datetime) -> App:
    """Return one installation of ``title`` at most 200 days old."""
    created_at = as_of - timedelta(microseconds=draw.randrange(1, 200 * 86_400_000_000))
    version, build = version_of(title.key, draw.randrange(_VARIANTS))
    opened = device.hardware.family == "Mac" and draw.random() < 0.6
    return App(
        device_id=device.id,
        title=title,
        version=version,
        build=build,
        path=title.path,
        created_at=created_at,
        updated_at=created_at,
        last_opened=as_of - timedelta(seconds=draw.randrange(60, 90 * 86_400)) if opened else None,
    )


def version_of(title_key: int, variant: int) -> tuple[str, str]:
    """Return the short version and the build of the ``variant``-th release of a title."""
    major, minor = 1 + title_key * 7 % 23, title_key * 13 % 12
    return f"{major}.{minor}.{variant}", str(major * 10_000_000 + minor * 100_000 + variant * 11_000)
