"""Read the whole fleet over Iru's API.

Pages: https://api-docs.iru.com/ (List devices, Prism device information, Prism applications, Prism count).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from include.local.check.http import CheckFailedError, get
from include.local.check.rows import OS_OF_PLATFORM, App, Device

_PAGE = 300


@dataclass(frozen=True, slots=True)
class IruFleet:
    """Every Apple device and every app row of the tenant."""

    devices: Sequence[Device]
    apps: Sequence[App]


def read_fleet(url: str, token: str) -> IruFleet:
    """Fetch devices and apps.

    Raises:
        CheckFailedError: a request was refused, or Prism returned other than the number of rows it counts.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {token}"
        api = f"{url.rstrip('/')}/api/v1"
        facts = {row["device_id"]: row for row in _prism(session, api, "device_information")}
        devices = [_device(row, facts.get(row["device_id"], {})) for row in _devices(session, api)]
        apps = [_app(row) for row in _prism(session, api, "apps")]
    return IruFleet([device for device in devices if device.os], apps)


def _devices(session: requests.Session, api: str) -> Iterator[Mapping[str, Any]]:
    """Yield each device once; only an empty page is the end."""
    seen: set[str] = set()
    offset = 0
    while True:
        params = {"limit": _PAGE, "offset": offset, "ordering": "device_id"}
        page = get(session, f"{api}/devices", params=params).json()
        if not page:
            return
        yield from (row for row in page if row["device_id"] not in seen)
        seen |= {row["device_id"] for row in page}
        offset += len(page)


def _prism(session: requests.Session, api: str, category: str) -> list[Mapping[str, Any]]:
    """Return every row of a Prism category: by cursor, or by offset where the tenant gives no cursor."""
    expected = get(session, f"{api}/prism/count", params={"category": category}).json()["count"]
    rows: list[Mapping[str, Any]] = []
    position: dict[str, Any] = {"cursor": ""}
    while True:
        page = get(session, f"{api}/prism/{category}", params={"limit": _PAGE, **position}).json()
        rows += page["data"]
        if not page["data"] or len(rows) >= expected or (position.get("cursor") and not page.get("cursor")):
            break
        position = {"cursor": page["cursor"]} if page.get("cursor") else {"offset": len(rows)}
    if len(rows) != expected:
        raise CheckFailedError(f"Prism {category} counts {expected} rows and returned {len(rows)}")
    return rows


def _device(row: Mapping[str, Any], facts: Mapping[str, Any]) -> Device:
    user = row["user"] or {}
    capacity = facts.get("device_capacity")
    return Device(
        id=row["device_id"],
        serial_number=_text(row["serial_number"]),
        name=_text(row["device_name"]),
        os=OS_OF_PLATFORM.get(row["platform"], ""),
        os_version=_text(row["os_version"]),
        model=_text(facts.get("model_name")) or _text(row["model"]),
        capacity_gb="" if capacity is None else str(capacity),
        user_email=_text(user.get("email")).lower(),
        blueprint_id=_text(row["blueprint_id"]),
    )


def _app(row: Mapping[str, Any]) -> App:
    return App(
        device_id=row["device_id"],
        identity=_text(row["bundle_id"]) or _text(row["name"]),
        name=_text(row["name"]),
        version=_text(row["version"]),
        publisher=_text(row["developer_name"]),
        path=_text(row["path"]),
        last_opened=_text(row.get("last_opened")),
        removed=row.get("is_removed") is True,
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
