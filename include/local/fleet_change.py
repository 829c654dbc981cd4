"""Change the sandbox's fleet through its admin API, and tell what the change took away."""

from typing import Any

import requests

from include.local.check import IruFleet, RemovedApp

DEVICE_CHANGES = {
    "enroll": (5, "enrolled"),
    "rename": (8, "renamed"),
    "reassign": (8, "given to another user"),
    "unassign": (4, "taken from their user"),
    "move_blueprint": (3, "moved to another blueprint"),
    "update_os": (20, "with a new OS"),
}
APP_CHANGES = {
    "install_apps": (40, "installed"),
    "update_apps": (200, "updated"),
    "remove_apps": (30, "removed"),
}
"""How often each change happens, and how it reads."""


_DEVICES, _APPS = 500, 20_000
"""The fleet that the counts are meant for; a smaller one changes by the same share."""


def change_fleet(iru_url: str, *, devices: int, apps: int) -> str:
    """Change devices and apps of a fleet of that size, and return what was done in words."""
    counts = {name: _scaled(count, devices / _DEVICES) for name, (count, _) in DEVICE_CHANGES.items()}
    counts |= {name: _scaled(count, apps / _APPS) for name, (count, _) in APP_CHANGES.items()}
    with requests.Session() as session:
        session.trust_env = False
        response = session.post(f"{iru_url}/_sandbox/fleet/change", json=counts, timeout=120)
    response.raise_for_status()
    done = response.json()["changes"]
    return f"devices {_words(DEVICE_CHANGES, done)}; apps {_words(APP_CHANGES, done)}"


def removed_apps(before: IruFleet, after: IruFleet) -> list[RemovedApp]:
    """Return the apps that Iru listed before the change and no longer lists, on devices that are still there."""
    here = {device.id for device in after.devices}
    kept = {(app.device_id, app.identity, app.path) for app in after.apps if not app.removed}
    return [
        RemovedApp(device_id=app.device_id, name=app.name, path=app.path)
        for app in before.apps
        if app.device_id in here and (app.device_id, app.identity, app.path) not in kept
    ]


def _scaled(count: int, share: float) -> int:
    return max(1, round(count * min(1.0, share)))


def _words(changes: dict[str, tuple[int, str]], done: dict[str, list[Any]]) -> str:
    return ", ".join(f"{len(done[name])} {words}" for name, (_, words) in changes.items() if done.get(name)) or "none"
