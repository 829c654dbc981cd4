"""What a Prism category is made of: a source of rows, and one SQL expression a response key.

Keys and their order as in the documented examples: https://api-docs.kandji.io (Prism / Visibility).
Missing data is null here, where ``/devices`` says "".
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """How a column's values are shown and compared."""

    TEXT = "text"
    FLAG = "flag"
    NUMBER = "number"
    TIME = "time"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Column:
    """One response key."""

    key: str
    sql: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Category:
    """One category: where its rows come from, in which order, and what each shows."""

    name: str
    source: str
    seq: str
    columns: tuple[Column, ...]
    where: str = "1"
    count_source: str | None = None
    """A cheaper source for counting all rows, when it needs no join."""

    def column(self, key: str) -> Column | None:
        """Return the column of a response key."""
        return next((column for column in self.columns if column.key == key), None)

    @property
    def selection(self) -> str:
        """Return the SELECT list, the row's position first."""
        return ", ".join([self.seq, *(column.sql for column in self.columns)])

    def row(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """Return one selected row as the API shows it."""
        return {
            column.key: value if value is None or column.kind not in _SHOWN else _SHOWN[column.kind](value)
            for column, value in zip(self.columns, values[1:], strict=True)
        }


_SHOWN: dict[Kind, Callable[[Any], Any]] = {
    Kind.FLAG: bool,
    Kind.LIST: lambda text: json.loads(text) or None,
}
_DEVICE_JOINS = "JOIN blueprints b ON b.id = d.blueprint_id LEFT JOIN users u ON u.id = d.user_id"
_UNASSIGNED = "CASE WHEN d.user_id IS NOT NULL THEN {} WHEN d.unassigned_as_empty THEN '' END"


def common_columns(*, count: str = "NULL", created: str, updated: str, changed: str) -> tuple[Column, ...]:
    """Return the keys that every category starts with; times are given by the category."""
    return (
        Column("device_id", "d.id"),
        Column("device__name", "d.name"),
        Column("device__family", "CASE d.family WHEN 'AppleTV' THEN 'tvOS' ELSE d.family END"),
        Column("device__user_id", "CASE WHEN d.user_id IS NULL THEN '' ELSE CAST(u.number AS TEXT) END"),
        Column("device__user_name", _UNASSIGNED.format("u.name")),
        Column("device__user_email", _UNASSIGNED.format("u.email")),
        Column("blueprint_id", "d.blueprint_id"),
        Column("blueprint_name", "b.name"),
        Column("tags", "d.tags", Kind.LIST),
        Column("asset_tag", "d.asset_tag"),
        Column("serial_number", "d.serial_number"),
        Column("model_id", "d.model_id"),
        Column("count", count, Kind.NUMBER),
        Column("created_at", created, Kind.TIME),
        Column("updated_at", updated, Kind.TIME),
        Column("last_changed_at", changed, Kind.TIME),
        Column("last_collected_at", "coalesce(d.last_check_in, d.last_enrollment)", Kind.TIME),
    )


def _on_mac(value: str) -> str:
    return f"CASE WHEN d.family = 'Mac' THEN {value} END"


DEVICE_INFORMATION = Category(
    name="device_information",
    source=f"devices d {_DEVICE_JOINS}",
    seq="d.seq",
    where="d.family IN ('Mac', 'iPhone', 'iPad', 'AppleTV')",
    columns=(
        *common_columns(created="d.first_enrollment", updated="d.updated_at", changed="d.updated_at"),
        Column("device_capacity", "d.capacity_gb", Kind.NUMBER),
        Column("host_name", _on_mac("replace(d.name, ' ', '-') || '.local'")),
        Column("local_hostname", _on_mac("replace(d.name, ' ', '-')")),
        Column("apple_silicon", "d.apple_silicon", Kind.FLAG),
        Column("model", "CASE d.family WHEN 'AppleTV' THEN 'Apple TV' ELSE d.family END"),
        Column("model_name", "d.model"),
        Column("shared_ipad", "0", Kind.FLAG),
        Column("cellular_technology", "CASE WHEN d.cellular THEN 'Both' ELSE '' END"),
        Column("data_roaming", "0", Kind.FLAG),
        Column("hotspot", "0", Kind.FLAG),
        Column("first_enrollment_date", "d.first_enrollment", Kind.TIME),
        Column("last_enrollment_date", "d.last_enrollment", Kind.TIME),
        Column("agent_version", "d.agent_version"),
        Column("mdm_enabled", "d.mdm_enabled", Kind.FLAG),
        Column("agent_installed", _on_mac("1"), Kind.FLAG),
        Column("os_version", "d.os_version"),
        Column("os_build", "d.os_build"),
        Column("marketing_name", "nullif(d.os_name, '')"),
        Column("supplemental_build_version", "nullif(d.os_build, '')"),
        Column("supplemental_os_version_extra", "nullif(d.os_extra, '')"),
        Column("display_os_version", "trim(d.os_version || ' ' || d.os_extra)"),
        Column("last_checkin", "d.last_check_in", Kind.TIME),
        Column("last_checkin_agent", _on_mac("d.last_check_in"), Kind.TIME),
        Column("last_checkin_mdm", "d.last_check_in", Kind.TIME),
        Column("battery_health", _on_mac("CASE WHEN d.model LIKE 'MacBook%' THEN 'Normal' END")),
        Column("lost_mode_status", "NULL"),
    ),
)
