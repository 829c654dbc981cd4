"""A fleet into the tenant's tables."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from include.sandbox.common.database import Database
from include.sandbox.fleet import App, AppTitle, Blueprint, Device, Fleet, User, generate_fleet
from include.sandbox.iru.audit import Event, device_enrolled, record_events
from include.sandbox.iru.schema import TABLES
from include.sandbox.iru.settings import IruSettings
from include.sandbox.iru.spelling import stored_time


def open_store(settings: IruSettings) -> Database:
    """Open the tenant's storage; a new one is filled with the fleet, an old one is left as it is."""
    database = Database(settings.database_path)
    if database.rows("SELECT 1 FROM sqlite_master WHERE name = 'meta'"):
        return database
    fleet = settings.fleet or generate_fleet(settings.spec)
    with database.transaction() as connection:
        for statement in TABLES.split(";"):
            connection.execute(statement)
        _fill(connection, fleet)
    return database


def _fill(connection: sqlite3.Connection, fleet: Fleet) -> None:
    insert_rows(connection, "meta", [{"key": "organization", "value": fleet.organization}])
    insert_rows(connection, "meta", [{"key": "integration_id", "value": fleet.integration_id}])
    insert_rows(connection, "meta", [{"key": "changes", "value": "0"}])
    insert_rows(connection, "users", map(user_row, fleet.users))
    insert_rows(connection, "blueprints", map(blueprint_row, fleet.blueprints))
    insert_rows(connection, "tags", ({"id": tag.id, "name": tag.name} for tag in fleet.tags))
    insert_rows(connection, "devices", map(device_row, fleet.devices))
    insert_rows(connection, "titles", map(title_row, fleet.titles))
    device_seqs = {row["id"]: row["seq"] for row in connection.execute("SELECT id, seq FROM devices")}
    insert_rows(connection, "apps", (app_row(app, device_seqs[app.device_id]) for app in fleet.apps))
    record_events(connection, _history(fleet))


def _history(fleet: Fleet) -> Iterator[Event]:
    for device in fleet.devices:
        yield device_enrolled(device_row(device), at=stored_time(device.last_enrollment))


def insert_rows(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows that all have the same keys; names come from this package, never from outside."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    marks = ", ".join(f":{name}" for name in first)
    sql = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({marks})"  # noqa: S608 - own names
    connection.execute(sql, first)
    connection.executemany(sql, rows)


def user_row(user: User) -> dict[str, Any]:
    """Return a user as stored."""
    return {
        "number": user.number,
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "department": user.department,
        "job_title": user.job_title,
        "archived": user.archived,
        "created_at": stored_time(user.created_at),
        "updated_at": stored_time(user.updated_at),
    }


def blueprint_row(blueprint: Blueprint) -> dict[str, Any]:
    """Return a blueprint as stored."""
    return {
        "id": blueprint.id,
        "name": blueprint.name,
        "type": blueprint.type,
        "description": blueprint.description,
        "color": blueprint.color,
        "icon": blueprint.icon,
        "enrollment_code": blueprint.enrollment_code,
    }


def device_row(device: Device) -> dict[str, Any]:
    """Return a device as stored."""
    return {
        "id": device.id,
        "name": device.name,
        "serial_number": device.serial_number,
        **_hardware_columns(device),
        "os_version": device.os.version,
        "os_build": device.os.build,
        "os_name": device.os.name,
        "os_extra": device.os.extra,
        "blueprint_id": device.blueprint_id,
        "user_id": device.user_id,
        "asset_tag": device.asset_tag,
        "tags": json.dumps(device.tags, ensure_ascii=False),
        "mac_address": device.mac_address,
        "udid": device.udid,
        "mdm_enabled": device.mdm_enabled,
        "agent_version": device.agent_version,
        "filevault_enabled": device.filevault_enabled,
        "is_missing": device.is_missing,
        "first_enrollment": stored_time(device.first_enrollment),
        "last_enrollment": stored_time(device.last_enrollment),
        "last_check_in": stored_time(device.last_check_in) if device.last_check_in else None,
        "updated_at": stored_time(device.updated_at),
        "unassigned_as_empty": device.unassigned_as_empty,
    }


def _hardware_columns(device: Device) -> dict[str, Any]:
    hardware = device.hardware
    return {
        "family": hardware.family,
        "model": hardware.name,
        "model_id": hardware.identifier,
        "capacity_gb": hardware.capacity_gb,
        "processor": hardware.processor,
        "cores": hardware.cores,
        "memory": hardware.memory,
        "apple_silicon": hardware.apple_silicon,
        "cellular": hardware.cellular,
    }


def title_row(title: AppTitle) -> dict[str, Any]:
    """Return a title as stored."""
    return {name: getattr(title, name) for name in AppTitle.__slots__}


def app_row(app: App, device_seq: int) -> dict[str, Any]:
    """Return an installation as stored."""
    return {
        "device_seq": device_seq,
        "title_key": app.title.key,
        "version": app.version,
        "build": app.build,
        "path": app.path,
        "created_at": stored_time(app.created_at),
        "updated_at": stored_time(app.updated_at),
        "last_opened": stored_time(app.last_opened) if app.last_opened else None,
    }
