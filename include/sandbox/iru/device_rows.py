"""A device as ``GET /devices`` and ``GET /devices/{id}`` show it.

Nothing is "" here, never null; booleans are booleans: https://api-docs.kandji.io (Devices).
"""

import json
import sqlite3
from typing import Any

from include.sandbox.iru.errors import not_found
from include.sandbox.iru.settings import IruSwitches
from include.sandbox.iru.spelling import spaced_time, zulu_time
from include.sandbox.iru.tenant import Tenant

DEVICE_SOURCE = """
SELECT d.*, b.name AS blueprint_name, u.name AS user_name, u.email AS user_email, u.archived AS user_archived
FROM devices d JOIN blueprints b ON b.id = d.blueprint_id LEFT JOIN users u ON u.id = d.user_id
"""


def find_device(tenant: Tenant, device_id: str) -> sqlite3.Row:
    """Return the stored device with its blueprint and user; raise the 404 when there is none."""
    rows = tenant.database.rows(f"{DEVICE_SOURCE} WHERE d.id = ?", (device_id.lower(),))
    if not rows:
        raise not_found()
    return rows[0]


def device_json(row: sqlite3.Row, switches: IruSwitches) -> dict[str, Any]:
    """Return one device as this tenant shows it."""
    on_mac = row["family"] == "Mac"
    shown = {
        "device_id": row["id"],
        "device_name": row["name"],
        "model": row["model"],
        "serial_number": row["serial_number"],
        "platform": row["family"],
        "os_version": row["os_version"],
        "supplemental_build_version": row["os_build"],
        "supplemental_os_version_extra": row["os_extra"],
        "last_check_in": (row["last_check_in"] or "")
        if switches.check_in_with_offset
        else zulu_time(row["last_check_in"]),
        "user": user_json(row) or "",
        "asset_tag": row["asset_tag"] or "",
        "blueprint_id": row["blueprint_id"],
        "mdm_enabled": bool(row["mdm_enabled"]),
        "agent_installed": on_mac,
        "is_missing": bool(row["is_missing"]),
        "is_removed": False,
        "agent_version": row["agent_version"] or "",
        "first_enrollment": spaced_time(row["first_enrollment"]),
        "last_enrollment": spaced_time(row["last_enrollment"]),
        "blueprint_name": row["blueprint_name"],
        "lost_mode_status": "",
        "tags": json.loads(row["tags"]),
    }
    return shown | _polymorphic_keys(row) if switches.windows_android else shown


def user_json(row: sqlite3.Row) -> dict[str, Any] | None:
    """Return the assigned user as devices carry it, or None."""
    if row["user_id"] is None:
        return None
    return {
        "email": row["user_email"],
        "name": row["user_name"],
        "id": row["user_id"],
        "is_archived": bool(row["user_archived"]),
    }


def _polymorphic_keys(row: sqlite3.Row) -> dict[str, str]:
    android, windows = row["family"] == "Android", row["family"] == "Windows"
    return {
        "api_level": "35" if android else "",
        "security_patch_level": "2025-09-05" if android else "",
        "full_software_version": f"10.0.{row['os_build']}.1742" if windows else "",
    }
