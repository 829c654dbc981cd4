"""``/details`` of Windows and Android devices, which have little in common with Apple's.

Only the documented keys that inventory tools read: https://api-docs.kandji.io (Get device details).
"""

import json
import sqlite3
from typing import Any

from include.sandbox.iru.device_rows import user_json
from include.sandbox.iru.spelling import spaced_time, zulu_time

_MIB_PER_GB = 1000**3 / 1024**2
_GIB_PER_GB = 1000**3 / 1024**3


def windows_details(row: sqlite3.Row) -> dict[str, Any]:
    """Return a Windows device: capacities in MiB as text, no volumes, a boolean that is one."""
    return {
        "general": _general(row)
        | {
            "manufacturer": "Dell Inc.",
            "device_model": row["model"],
            "os_name": "Windows 11",
            "os_edition": "Enterprise",
            "assigned_user": user_json(row) or "",
        },
        "hardware_overview": {
            "total_capacity": str(int(row["capacity_gb"] * _MIB_PER_GB)),
            "free_capacity": str(int(row["capacity_gb"] * _MIB_PER_GB * 0.6)),
            "total_ram": "16384",
            "smbios_serial_number": row["serial_number"],
        },
        "kandji_agent": {
            "is_agent_installed": True,
            "version": "1.0.00002.0002",
            "last_check_in_datetime": zulu_time(row["last_check_in"]),
        },
        "tags": json.loads(row["tags"]),
    }


def android_details(row: sqlite3.Row) -> dict[str, Any]:
    """Return an Android device: capacities in GiB as text, and null for nobody."""
    return {
        "general": _general(row) | {"assigned_user": user_json(row)},
        "hardware": {
            "total_capacity": f"{row['capacity_gb'] * _GIB_PER_GB:.2f}",
            "total_ram": "11.28",
            "serial_number": row["serial_number"],
        },
        "management": {"last_check_in": zulu_time(row["last_check_in"])},
        "security": {"security_patch_level": "2025-09-05"},
        "cellular": {"imei": ""},
        "tags": json.loads(row["tags"]),
    }


def _general(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "device_id": row["id"],
        "device_name": row["name"],
        "platform": row["family"],
        "os_version": row["os_version"],
        "first_enrollment": spaced_time(row["first_enrollment"]),
        "last_enrollment": spaced_time(row["last_enrollment"]),
        "asset_tag": row["asset_tag"] or "",
        "blueprint_name": row["blueprint_name"],
        "blueprint_uuid": row["blueprint_id"],
    }
