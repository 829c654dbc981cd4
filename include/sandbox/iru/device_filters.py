"""Query parameters of ``GET /devices`` as SQL.

Most texts match when they contain the value, whatever its case; unknown parameters and unknown
orderings are ignored: https://api-docs.kandji.io (Devices, List devices).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_CONTAINS = {
    "asset_tag": "d.asset_tag",
    "blueprint_id": "d.blueprint_id",
    "device_id": "d.id",
    "device_name": "d.name",
    "mac_address": "d.mac_address",
    "model": "d.model",
    "os_version": "d.os_version",
    "serial_number": "d.serial_number",
    "user": "u.name",
    "user_name": "u.name",
    "user_email": "u.email",
}
_EXACT = {"user_email_exact": "u.email", "user_id": "u.id"}
_ORDERS = {
    "asset_tag": "coalesce(d.asset_tag, '')",
    "blueprint_id": "d.blueprint_id",
    "device_id": "d.id",
    "device_name": "d.name",
    "last_check_in": "coalesce(d.last_check_in, '')",
    "model": "d.model",
    "platform": "d.family",
    "os_version": "d.os_version",
    "serial_number": "d.serial_number",
    "user": "coalesce(u.name, '')",
}
_TAG_NAME = "EXISTS (SELECT 1 FROM json_each(d.tags) WHERE value IN ({marks}))"
_TAG_ID = "EXISTS (SELECT 1 FROM json_each(d.tags) j JOIN tags t ON t.name = j.value WHERE t.id IN ({marks}))"


@dataclass(frozen=True, slots=True)
class Condition:
    """One part of a WHERE clause with its values."""

    sql: str
    values: tuple[object, ...] = ()


def device_condition(query: Mapping[str, str]) -> Condition:
    """Return what ``query`` asks for; an empty value asks for nothing."""
    parts = [condition for condition in (_one(name, query[name]) for name in query) if condition]
    sql = " AND ".join(part.sql for part in parts) or "1"
    return Condition(sql, tuple(value for part in parts for value in part.values))


def device_order(query: Mapping[str, str]) -> str:
    """Return the ORDER BY of ``?ordering=-last_check_in,serial_number``; enrolment order breaks ties."""
    parts = []
    for name in query.get("ordering", "").split(","):
        key = name.strip()
        column = _ORDERS.get(key.removeprefix("-"))
        if column:
            parts.append(f"{column} DESC" if key.startswith("-") else column)
    return ", ".join([*parts, "d.seq"])


def _one(name: str, value: str) -> Condition | None:
    if not value:
        return None
    if name in _CONTAINS:
        return Condition(f"{_CONTAINS[name]} LIKE ? ESCAPE '\\'", (_pattern(value),))
    if name in _EXACT:
        return Condition(f"{_EXACT[name]} = ?", (value,))
    special = _SPECIAL.get(name)
    return special(value) if special else None


def _pattern(value: str) -> str:
    for character in "\\%_":
        value = value.replace(character, f"\\{character}")
    return f"%{value}%"


def _platform(value: str) -> Condition:
    return Condition("d.family = ? COLLATE NOCASE", (value,))


def _filevault(value: str) -> Condition | None:
    if value.lower() not in ("true", "false"):
        return None
    return Condition("d.family = 'Mac' AND d.filevault_enabled = ?", (value.lower() == "true",))


def _tags(template: str, values: list[str]) -> Condition:
    return Condition(template.format(marks=", ".join("?" * len(values))), tuple(values))


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


_SPECIAL: dict[str, Callable[[str], Condition | None]] = {
    "platform": _platform,
    "filevault_enabled": _filevault,
    "tag_name": lambda value: _tags(_TAG_NAME, [value]),
    "tag_name_in": lambda value: _tags(_TAG_NAME, _split(value)),
    "tag_id": lambda value: _tags(_TAG_ID, [value]),
    "tag_id_in": lambda value: _tags(_TAG_ID, _split(value)),
}
