"""Applications over time: installed, updated, removed.

A removed app stays in the table, marked; whether anybody sees it is a switch.
"""

import random
import sqlite3
from typing import Any

from include.sandbox.fleet import AppTitle, Device
from include.sandbox.fleet.installs import draw_apps, version_of
from include.sandbox.iru.fleet_reader import read_titles
from include.sandbox.iru.store import app_row, insert_rows
from include.sandbox.iru.tenant import Tenant

_INSTALLED = """
SELECT a.seq, a.device_seq, a.title_key, a.version, a.path, d.id AS device_id, d.serial_number,
       t.name, t.bundle_id
FROM apps a JOIN devices d ON d.seq = a.device_seq JOIN titles t ON t.key = a.title_key
WHERE a.is_removed = 0 AND a.seq >= ? ORDER BY a.seq LIMIT 1
"""
_SHARES = {"Mac": 1.4, "iPhone": 0.42, "iPad": 0.35, "AppleTV": 0.1}


def install_on_new(tenant: Tenant, draw: random.Random, device: Device) -> int:
    """Give a device that just enrolled its apps and return how many."""
    family = device.hardware.family
    count = round(tenant.settings.spec.apps_per_device * _SHARES.get(family, 0))
    titles = read_titles(tenant, on_mac=family == "Mac")
    seq = tenant.database.rows("SELECT seq FROM devices WHERE id = ?", (device.id,))[0][0]
    now = tenant.now()
    rows = [
        app_row(app, seq) | {"created_at": now, "updated_at": now}
        for app in draw_apps(draw, device, titles, count, tenant.clock.now())
    ]
    with tenant.database.transaction() as connection:
        insert_rows(connection, "apps", rows)
    return len(rows)


def copy_apps(tenant: Tenant, device_seq: int) -> list[dict[str, Any]]:
    """Return what is installed on a device, as stored."""
    rows = tenant.database.rows(
        "SELECT title_key, version, build, path, created_at, updated_at, last_opened "
        "FROM apps WHERE device_seq = ? AND is_removed = 0 ORDER BY seq",
        (device_seq,),
    )
    return [dict(row) for row in rows]


def paste_apps(tenant: Tenant, device_id: str, apps: list[dict[str, Any]]) -> None:
    """Install copies on a device that just enrolled."""
    seq = tenant.database.rows("SELECT seq FROM devices WHERE id = ?", (device_id,))[0][0]
    now = tenant.now()
    with tenant.database.transaction() as connection:
        fresh = {"device_seq": seq, "created_at": now, "updated_at": now}
        insert_rows(connection, "apps", (app | fresh for app in apps))


def install_apps(tenant: Tenant, draw: random.Random, count: int) -> list[dict[str, Any]]:
    """Install ``count`` apps, each on a Mac that does not have it."""
    macs = tenant.database.rows("SELECT seq, id, serial_number FROM devices WHERE family = 'Mac' ORDER BY seq")
    titles = read_titles(tenant, on_mac=True) if count else []
    changes: list[dict[str, Any]] = []
    for _ in range(count * 20 if macs and titles else 0):
        if len(changes) == count:
            break
        mac, title = draw.choice(macs), draw.choice(titles)
        if _install(tenant, mac, title):
            changes.append(_app(mac["id"], mac["serial_number"], title.name, title.bundle_id, title.path))
    return changes


def _install(tenant: Tenant, mac: sqlite3.Row, title: AppTitle) -> bool:
    with tenant.database.transaction() as connection:
        known = connection.execute(
            "SELECT 1 FROM apps WHERE device_seq = ? AND title_key = ?", (mac["seq"], title.key)
        ).fetchone()
        if known:
            return False
        version, build = version_of(title.key, 0)
        now = tenant.now()
        row = {"device_seq": mac["seq"], "title_key": title.key, "version": version, "build": build}
        insert_rows(connection, "apps", [row | {"path": title.path, "created_at": now, "updated_at": now}])
    return True


def update_apps(tenant: Tenant, draw: random.Random, count: int) -> list[dict[str, Any]]:
    """Update ``count`` installed apps to a next version."""
    changes = []
    for row in _pick(tenant, draw, count):
        head, _, last = row["version"].rpartition(".")
        version = f"{head}.{int(last) + 1}"
        with tenant.database.transaction() as connection:
            connection.execute(
                "UPDATE apps SET version = ?, build = build + 11000, updated_at = ? WHERE seq = ?",
                (version, tenant.now(), row["seq"]),
            )
        changes.append(_picked(row) | {"version": {"from": row["version"], "to": version}})
    return changes


def remove_apps(tenant: Tenant, draw: random.Random, count: int) -> list[dict[str, Any]]:
    """Remove ``count`` installed apps."""
    changes = []
    for row in _pick(tenant, draw, count):
        with tenant.database.transaction() as connection:
            connection.execute(
                "UPDATE apps SET is_removed = 1, updated_at = ? WHERE seq = ?", (tenant.now(), row["seq"])
            )
        changes.append(_picked(row))
    return changes


def _pick(tenant: Tenant, draw: random.Random, count: int) -> list[sqlite3.Row]:
    """Return up to ``count`` different installed apps, without reading the whole table."""
    last = tenant.database.rows("SELECT max(seq) FROM apps")[0][0] or 0
    picked: dict[int, sqlite3.Row] = {}
    for _ in range(count * 20):
        if len(picked) == count or not last:
            break
        for row in tenant.database.rows(_INSTALLED, (draw.randint(1, last),)):
            picked.setdefault(row["seq"], row)
    return list(picked.values())


def _picked(row: sqlite3.Row) -> dict[str, Any]:
    return _app(row["device_id"], row["serial_number"], row["name"], row["bundle_id"], row["path"])


def _app(device_id: str, serial: str, name: str, bundle_id: str | None, path: str) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "serial_number": serial,
        "name": name,
        "bundle_id": bundle_id,
        "path": path,
    }
