"""Rows as real tenants have them and tidy test data does not."""

from dataclasses import replace

from include.sandbox.fleet.model import App, AppTitle, Device
from include.sandbox.fleet.randomness import stream
from include.sandbox.fleet.spec import FleetSpec

_NAMES = ("🦄 Zoë’s MacBook – 測試", "محمد iPhone", "Лаборатория №7", "Ça va? “Studio”")  # noqa: RUF001 - as typed by people
_FEWEST_DEVICES = 100


def odd_count(spec: FleetSpec) -> int:
    """Return how many of each oddity the fleet gets."""
    scaled = round(spec.odd_rows * spec.devices / 500)
    return max(scaled, 1 if spec.odd_rows and spec.devices >= _FEWEST_DEVICES else 0)


def with_odd_devices(spec: FleetSpec, devices: list[Device]) -> list[Device]:
    """Return the devices, some with an empty serial number, some with names in other scripts."""
    count = min(odd_count(spec), len(devices) // 2)
    chosen = stream(spec.seed, "odd devices").sample(range(len(devices)), 2 * count)
    changed = list(devices)
    for position in chosen[:count]:
        changed[position] = replace(changed[position], serial_number="")
    for turn, position in enumerate(chosen[count:]):
        changed[position] = replace(changed[position], name=_NAMES[turn % len(_NAMES)])
    return changed


def odd_titles(first_key: int) -> tuple[AppTitle, ...]:
    """Return titles with gaps: no bundle id and no developer, and no developer only."""
    return (
        AppTitle(key=first_key, name="Local Script", path="/Users/Shared/Local Script.app", bundle_id=None),
        AppTitle(
            key=first_key + 1,
            name="In-house Tool",
            path="/Applications/In-house Tool.app",
            bundle_id="example.accuhive.tool",
        ),
    )


def with_odd_apps(spec: FleetSpec, apps: list[App], gaps: tuple[AppTitle, ...], macs: set[str]) -> list[App]:
    """Return as many apps, some of them replaced.

    By exact duplicates, by the same app at a second path, and by titles with gaps. Only neighbours on
    one Mac are touched, so that every device keeps its count.
    """
    count = odd_count(spec)
    pairs = [
        i
        for i in range(0, len(apps) - 1, 2)
        if apps[i].device_id == apps[i + 1].device_id and apps[i].device_id in macs
    ]
    draw = stream(spec.seed, "odd apps")
    chosen = draw.sample(pairs, min(4 * count, len(pairs)))
    changed = list(apps)
    for turn, position in enumerate(chosen):
        changed[position + 1] = _odd_app(turn % 4, apps[position], gaps)
    return changed


def _odd_app(kind: int, app: App, gaps: tuple[AppTitle, ...]) -> App:
    if kind == 0:
        return app
    if kind == 1:
        return replace(app, path=f"/Users/guest/Downloads/{app.title.name}.app")
    title = gaps[kind - 2]
    return replace(app, title=title, path=title.path)
