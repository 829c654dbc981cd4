"""Small fleets for the other tenant, written by hand."""

import uuid
from typing import Any

SEEN_AT = "2024-05-13T20:09:27.374451+00:00"


def device(number: int, **changes: Any) -> dict[str, Any]:
    """Return a device as /devices lists it, with Prism's capacity beside it."""
    user = {"email": f"u{number}@acme.example", "name": f"User {number}", "id": "1", "is_archived": False}
    return {
        "device_id": str(uuid.UUID(int=number)), "device_name": f"mac {number}", "model": "MacBook Air",
        "serial_number": f"SER{number:05d}", "platform": ("Mac", "iPhone", "iPad", "AppleTV")[number % 4],
        "os_version": "14.4", "last_check_in": "", "user": user if number % 3 else "", "asset_tag": "",
        "blueprint_id": "bp1", "blueprint_name": "Sales", "mdm_enabled": True, "capacity": 128.0,
        "last_enrollment": "2024-05-13 20:09:27.374451+00:00", "tags": [],
    } | changes  # fmt: skip


def app(number: int, of: int, **changes: Any) -> dict[str, Any]:
    """Return an app of the device ``of`` as Prism lists it."""
    return {
        "device_id": str(uuid.UUID(int=of)), "device__family": "Mac", "serial_number": f"SER{of:05d}",
        "blueprint_id": "bp1", "blueprint_name": "Sales", "bundle_id": f"com.acme.a{number}", "name": f"App {number}",
        "path": f"/Applications/A{number}.app", "version": "1.0", "developer_name": "Acme", "updated_at": SEEN_AT,
    } | changes  # fmt: skip
