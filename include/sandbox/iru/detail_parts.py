"""Sections of ``/details`` that hold little more than what every device has."""

import sqlite3
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from include.sandbox.iru.spelling import profile_time, spaced_seconds


def activation_lock() -> dict[str, bool]:
    """Return a lock that is possible and off."""
    return {
        "bypass_code_failed": False,
        "user_activation_lock_enabled": False,
        "device_activation_lock_enabled": False,
        "activation_lock_allowed_while_supervised": False,
        "activation_lock_supported": True,
    }


def filevault(row: sqlite3.Row) -> dict[str, Any]:
    """Return the state of disk encryption; null where the system has no FileVault."""
    on = row["filevault_enabled"]
    return {
        "filevault_enabled": None if on is None else bool(on),
        "filevault_recoverykey_type": "Personal" if on else "",
        "filevault_prk_escrowed": bool(on),
        "filevault_next_rotation": "",
        "filevault_regen_required": False,
    }


def lost_mode() -> dict[str, Any]:
    """Return a device that is not lost."""
    names = (
        "lost_mode_status", "enabled_by", "enable_status_at", "last_location_status",
        "last_location_status_at", "last_location_at", "lock_screen_message", "lock_screen_phone_number",
        "lock_screen_footnote", "sound_status", "sound_status_at", "disable_status", "disabled_by",
        "disable_status_at",
    )  # fmt: skip
    return {**dict.fromkeys(names, ""), "last_location": {"latitude": "", "longitude": ""}}


def recovery() -> dict[str, Any]:
    """Return a device without a recovery password."""
    return {
        "recovery_lock_enabled": False,
        "firmware_password_exist": False,
        "firmware_password_pending": False,
        "password_rotation_scheduled": None,
    }


def cellular(row: sqlite3.Row) -> dict[str, Any]:
    """Return the radio; technology 0 is none."""
    return {
        "cellular_technology": 3 if row["cellular"] else 0,
        "data_roaming": False,
        "voice_roaming": False,
        "subscriptions": None,
    }


def business_manager(row: sqlite3.Row) -> dict[str, str]:
    """Return the entry in Apple Business Manager, empty for a device bought elsewhere."""
    if row["model"] == "Virtual Machine":
        return {}
    systems = {"Mac": "OSX", "iPhone": "iOS", "iPad": "iOS", "AppleTV": "tvOS"}
    return {
        "device_assigned_by": "procurement@accuhive.example",
        "device_assigned_date": spaced_seconds(row["first_enrollment"]),
        "device_family": row["family"],
        "model": row["model"],
        "color": "SILVER",
        "description": f"{row['model']} {row['capacity_gb']:.0f}GB SILVER".upper(),
        "os": systems[row["family"]],
        "serial_number": row["serial_number"],
    }


def installed_profiles(row: sqlite3.Row) -> list[dict[str, Any]]:
    """Return the enrolment profile of a Mac, with yet another spelling of time."""
    if row["family"] != "Mac":
        return []
    return [
        {
            "name": "MDM Profile",
            "uuid": str(uuid5(NAMESPACE_OID, f"profile/{row['id']}")),
            "install_date": profile_time(row["last_enrollment"]),
            "verified": "verified",
            "identifier": "io.kandji.mdm.profile",
            "organization": "accuhive",
            "payload_types": ["com.apple.mdm"],
        }
    ]
