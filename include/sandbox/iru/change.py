"""The fleet over time: devices come, change and go, as their users and administrators make them.

Every change reads and writes the live tables, so it meets whatever the API shows.
"""

import random
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from include.sandbox.fleet import Device
from include.sandbox.fleet.enrolment import Surroundings, draw_device
from include.sandbox.fleet.hardware import next_release
from include.sandbox.fleet.randomness import draw_uuid, stream
from include.sandbox.iru.audit import device_enrolled, record_events
from include.sandbox.iru.change_apps import (
    copy_apps,
    install_apps,
    install_on_new,
    paste_apps,
    remove_apps,
    update_apps,
)
from include.sandbox.iru.change_plan import ChangeCounts, Deck
from include.sandbox.iru.device_edit import edit_device, remove_device
from include.sandbox.iru.device_rows import find_device
from include.sandbox.iru.fleet_reader import read_surroundings
from include.sandbox.iru.spelling import stored_time
from include.sandbox.iru.store import device_row, insert_rows
from include.sandbox.iru.tenant import Tenant

Change = dict[str, Any]


def change_fleet(tenant: Tenant, counts: ChangeCounts, *, seed: int) -> dict[str, list[Change]]:
    """Change the fleet and return, for each kind, the devices (and apps) that it met.

    The same calls on the same fleet change it alike; a call repeated with its seed changes something else.
    """
    with tenant.database.transaction() as connection:
        draw = stream(seed, "change", _count_call(connection))
        device_ids = [row[0] for row in connection.execute("SELECT id FROM devices ORDER BY seq")]
        deck = Deck(draw, device_ids)
        changes: dict[str, list[Change]] = {}
        for name, act in _ON_DEVICES.items():
            met = deck.deal(getattr(counts, name), among=_candidates(tenant, name))
            changes[name] = [act(tenant, draw, device_id) for device_id in met]
            if name in ("reenroll", "remove_devices"):
                for device_id in met:
                    deck.drop(device_id)
        changes["install_apps"] = install_apps(tenant, draw, counts.install_apps)
        changes["update_apps"] = update_apps(tenant, draw, counts.update_apps)
        changes["remove_apps"] = remove_apps(tenant, draw, counts.remove_apps)
        around = read_surroundings(tenant)
        changes["enroll"] = [_enroll(tenant, draw, around) for _ in range(counts.enroll)]
    return {name: met for name, met in changes.items() if met}


def _count_call(connection: sqlite3.Connection) -> int:
    sql = "UPDATE meta SET value = value + 1 WHERE key = 'changes' RETURNING value"
    return int(connection.execute(sql).fetchone()[0])


def _candidates(tenant: Tenant, change: str) -> set[str] | None:
    if change == "unassign":
        return _ids(tenant, "user_id IS NOT NULL")
    if change in ("update_os", "erase", "reenroll"):
        return _ids(tenant, "family IN ('Mac', 'iPhone', 'iPad', 'AppleTV')")
    return None


def _ids(tenant: Tenant, where: str) -> set[str]:
    rows = tenant.database.rows(f"SELECT id FROM devices WHERE {where}")  # noqa: S608 - own names
    return {row[0] for row in rows}


def _seen(tenant: Tenant) -> dict[str, Any]:
    return {"last_check_in": tenant.now(), "is_missing": False}


def _edit(tenant: Tenant, device_id: str, columns: dict[str, Any]) -> Change:
    before = find_device(tenant, device_id)
    edit_device(tenant, device_id, columns)
    shown = {name: value for name, value in columns.items() if name not in ("last_check_in", "is_missing")}
    fields = {name: {"from": before[name], "to": value} for name, value in shown.items()}
    return {"device_id": device_id, "serial_number": before["serial_number"], "fields": fields}


def _rename(tenant: Tenant, draw: random.Random, device_id: str) -> Change:
    name = f"{find_device(tenant, device_id)['name'].partition(' · ')[0]} · {draw.randint(100, 99_999)}"
    return _edit(tenant, device_id, {"name": name} | _seen(tenant))


def _reassign(tenant: Tenant, draw: random.Random, device_id: str) -> Change:
    current = find_device(tenant, device_id)["user_id"]
    users = tenant.database.rows("SELECT id FROM users WHERE id IS NOT ? ORDER BY number", (current,))
    return _edit(tenant, device_id, {"user_id": draw.choice(users)["id"]} if users else {})


def _unassign(tenant: Tenant, _draw: random.Random, device_id: str) -> Change:
    return _edit(tenant, device_id, {"user_id": None})


def _move_blueprint(tenant: Tenant, draw: random.Random, device_id: str) -> Change:
    current = find_device(tenant, device_id)["blueprint_id"]
    others = tenant.database.rows("SELECT id FROM blueprints WHERE id <> ? ORDER BY seq", (current,))
    return _edit(tenant, device_id, {"blueprint_id": draw.choice(others)["id"]} if others else {})


def _update_os(tenant: Tenant, _draw: random.Random, device_id: str) -> Change:
    row = find_device(tenant, device_id)
    release = next_release(row["family"], row["os_version"])
    columns = {
        "os_version": release.version,
        "os_build": release.build,
        "os_name": release.name,
        "os_extra": release.extra,
    }
    return _edit(tenant, device_id, columns | _seen(tenant))


def _check_in(tenant: Tenant, _draw: random.Random, device_id: str) -> Change:
    return _edit(tenant, device_id, _seen(tenant))


def _erase(tenant: Tenant, _draw: random.Random, device_id: str) -> Change:
    row = find_device(tenant, device_id)
    removed = tenant.database.rows(
        "SELECT count(*) FROM apps WHERE device_seq = ? AND is_removed = 0 AND path NOT LIKE '/System/%'",
        (row["seq"],),
    )[0][0]
    with tenant.database.transaction() as connection:
        connection.execute(
            "UPDATE apps SET is_removed = 1, updated_at = ? "
            "WHERE device_seq = ? AND is_removed = 0 AND path NOT LIKE '/System/%'",
            (tenant.now(), row["seq"]),
        )
    columns = {"user_id": None, "name": row["model"], "last_enrollment": tenant.now()} | _seen(tenant)
    return _edit(tenant, device_id, columns) | {"apps_removed": removed}


def _remove(tenant: Tenant, _draw: random.Random, device_id: str) -> Change:
    row = find_device(tenant, device_id)
    remove_device(tenant, row)
    return {"device_id": device_id, "serial_number": row["serial_number"]}


def _reenroll(tenant: Tenant, draw: random.Random, device_id: str) -> Change:
    row = find_device(tenant, device_id)
    new_id, now = draw_uuid(draw), tenant.now()
    apps = copy_apps(tenant, row["seq"])
    remove_device(tenant, row)
    stored = {
        name: row[name]
        for name in row.keys()  # noqa: SIM118 - a Row iterates its values
        if name not in ("seq", "blueprint_name", "user_name", "user_email", "user_archived")
    }
    enrolled = {"id": new_id, "first_enrollment": now, "last_enrollment": now, "updated_at": now}
    change = _insert(tenant, stored | enrolled)
    paste_apps(tenant, new_id, apps)
    return change | {"replaced_device_id": device_id}


def _enroll(tenant: Tenant, draw: random.Random, around: Surroundings) -> Change:
    device, row = draw_new(tenant, draw, around)
    change = _insert(tenant, row)
    return change | {"apps": install_on_new(tenant, draw, device)}


def draw_new(tenant: Tenant, draw: random.Random, around: Surroundings) -> tuple[Device, dict[str, Any]]:
    """Return a device that the tenant does not have, and its row as of now."""
    now = tenant.clock.now()
    device = draw_device(draw, tenant.settings.spec, around, now - timedelta(seconds=1))
    while tenant.database.rows("SELECT 1 FROM devices WHERE serial_number = ?", (device.serial_number,)):
        device = draw_device(draw, tenant.settings.spec, around, now - timedelta(seconds=1))
    return device, device_row(device) | {"last_check_in": stored_time(now), "updated_at": stored_time(now)}


def _insert(tenant: Tenant, row: dict[str, Any]) -> Change:
    with tenant.database.transaction() as connection:
        insert_rows(connection, "devices", [row])
        record_events(connection, [device_enrolled(row, at=tenant.now())])
    return {"device_id": row["id"], "serial_number": row["serial_number"]}


_ON_DEVICES: dict[str, Callable[[Tenant, random.Random, str], Change]] = {
    "rename": _rename,
    "reassign": _reassign,
    "unassign": _unassign,
    "move_blueprint": _move_blueprint,
    "update_os": _update_os,
    "check_in": _check_in,
    "erase": _erase,
    "reenroll": _reenroll,
    "remove_devices": _remove,
}
