"""``GET /devices/{id}/details``: booleans as words, capacities as labelled text.

Keys from the documented examples: https://api-docs.kandji.io (Device information, Get device details).
"""

import json
import sqlite3
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from include.sandbox.iru.detail_parts import (
    activation_lock,
    business_manager,
    cellular,
    filevault,
    installed_profiles,
    lost_mode,
    recovery,
)
from include.sandbox.iru.device_rows import find_device, user_json
from include.sandbox.iru.other_details import android_details, windows_details
from include.sandbox.iru.spelling import details_capacity, spaced_seconds, spaced_time, word, zulu_time
from include.sandbox.iru.tenant import TenantOf

router = APIRouter()
_OTHERS = {"Windows": windows_details, "Android": android_details}


@router.get("/devices/{device_id}/details")
def get_details(device_id: str, tenant: TenantOf) -> JSONResponse:
    """Return everything known of one device but its apps."""
    return JSONResponse(details_json(find_device(tenant, device_id)))


def details_json(row: sqlite3.Row) -> dict[str, Any]:
    """Return the details; an Apple TV lacks what it has no hardware for."""
    if row["family"] in _OTHERS:
        return _OTHERS[row["family"]](row)
    details = {
        "general": _general(row),
        "mdm": _mdm(row),
        "activation_lock": activation_lock(),
        "filevault": filevault(row),
        "lost_mode": lost_mode(),
        "automated_device_enrollment": {"auto_enrolled": True, "auto_enroll_eligible": True},
        "kandji_agent": _agent(row),
        "hardware_overview": _hardware(row),
        "volumes": _volumes(row),
        "network": _network(row),
        "recovery_information": recovery(),
        "users": {"regular_users": _local_users(row), "system_users": []},
        "installed_profiles": installed_profiles(row),
        "apple_business_manager": business_manager(row),
        "security_information": {"remote_desktop_enabled": False if row["family"] == "Mac" else None},
        "cellular": cellular(row),
        "tags": json.loads(row["tags"]),
    }
    if row["family"] == "AppleTV":
        del details["lost_mode"], details["cellular"]
    return details


def _general(row: sqlite3.Row) -> dict[str, Any]:
    on_mac = row["family"] == "Mac"
    return {
        "device_id": row["id"],
        "device_name": row["name"],
        "last_enrollment": spaced_time(row["last_enrollment"]),
        "first_enrollment": spaced_time(row["first_enrollment"]),
        "model": row["model"],
        "platform": row["family"],
        "os_version": row["os_version"],
        "supplemental_build_version": row["os_build"],
        "supplemental_os_version_extra": row["os_extra"],
        "system_version": f"{row['os_version']} ({row['os_build']})" if on_mac else "",
        "boot_volume": "Macintosh HD" if on_mac else "",
        "time_since_boot": "1 month ago" if on_mac else "",
        "last_user": "root" if on_mac else "",
        "asset_tag": row["asset_tag"] or "",
        "assigned_user": user_json(row) or "",
        "blueprint_name": row["blueprint_name"],
        "blueprint_uuid": row["blueprint_id"],
    }


def _mdm(row: sqlite3.Row) -> dict[str, Any]:
    mdm = {
        "mdm_enabled": word(row["mdm_enabled"]),
        "install_date": spaced_time(row["last_enrollment"]),
        "last_check_in": spaced_time(row["last_check_in"]),
        "mdm_enabled_user": [row["user_name"]] if row["family"] == "Mac" and row["user_id"] else [],
    }
    return mdm if row["family"] == "AppleTV" else {**mdm, "supervised": "True"}


def _agent(row: sqlite3.Row) -> dict[str, Any]:
    on_mac = row["family"] == "Mac"
    return {
        "agent_installed": word(on_mac),
        "install_date": spaced_seconds(row["last_enrollment"]) if on_mac else "",
        "last_check_in": zulu_time(row["last_check_in"]),
        "agent_version": row["agent_version"] or "",
    }


def _hardware(row: sqlite3.Row) -> dict[str, Any]:
    identity = {"serial_number": row["serial_number"], "model_identifier": row["model_id"]}
    if row["family"] != "Mac":
        return {"uuid": row["udid"], **identity}
    return {
        "model_name": row["model"].partition(" (")[0],
        **identity,
        "processor_name": row["processor"],
        "processor_speed": "",
        "number_of_processors": str(row["cores"]),
        "total_number_of_cores": str(row["cores"]),
        "memory": row["memory"],
        "udid": row["udid"],
    }


def _volumes(row: sqlite3.Row) -> list[dict[str, str]]:
    """Return the volumes; a Mac lists two that share one container, so their sizes must not be added."""
    capacity = details_capacity(row["capacity_gb"], row["family"])
    available = details_capacity(row["capacity_gb"] * 0.8, row["family"])
    if row["family"] == "AppleTV":
        return []
    shared = {"capacity": capacity, "available": available, "percent_used": "20%"}
    if row["family"] != "Mac":
        return [{"name": "", "format": "", "identifier": "", "encrypted": "", **shared}]
    encrypted = "Yes" if row["filevault_enabled"] else "No"
    return [
        {"name": name, "format": "APFS", "identifier": identifier, "encrypted": encrypted, **shared}
        for name, identifier in (("Macintosh HD", "disk3s3s1"), ("Macintosh HD - Data", "disk3s1"))
    ]


def _network(row: sqlite3.Row) -> dict[str, str]:
    if row["family"] != "Mac":
        return {}
    return {
        "local_hostname": "-".join(row["name"].split()),
        "mac_address": row["mac_address"],
        "ip_address": f"10.0.{row['seq'] // 250 % 250}.{row['seq'] % 250 + 1}",
        "public_ip": "",
    }


def _local_users(row: sqlite3.Row) -> list[dict[str, str]]:
    if row["family"] != "Mac" or not row["user_id"]:
        return []
    name = row["user_email"].partition(".")[0]
    return [{"username": name, "uid": "501", "path": f"/Users/{name}", "admin": "True", "name": row["user_name"]}]
