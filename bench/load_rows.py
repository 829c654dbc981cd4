"""The rows of part "load", and the records that they must become."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import pandas as pd

COMPUTERS_IN = "x_kandj_kandji_kandji_import_set_computer"
COMPUTER_TABLE = "cmdb_ci_computer"
STAGING = "x_kandj_kandji_kandji_import_set_apps"
TARGET = "cmdb_sam_sw_install"
KEY = "instance_key"

APPS_PER_DEVICE = 60
_FIELDS = {
    "instance_key": "instance_key", "name": "name", "developer_name": "publisher", "version": "version",
    "path": "install_location", "serial_number": "installed_on", "last_opened": "last_used", "active": "active",
    "discovery_source": "discovery_source",
}  # fmt: skip
"""Target columns by staging columns; ``display_name`` is the name once more."""

Row = dict[str, str]


def app_rows(count: int) -> list[Row]:
    """Return so many app rows under the names of the staging columns, about 400 bytes each."""
    return [_app_row(*divmod(number, APPS_PER_DEVICE)) for number in range(count)]


def computer_rows(apps: Sequence[Mapping[str, str]]) -> list[Row]:
    """Return the computers that the app rows refer to, under the labels of their staging columns."""
    serials = dict.fromkeys(row["serial_number"] for row in apps)
    return [{"serial number": serial, "device name": f"Mac {serial}", "os type": "macOS"} for serial in serials]


def frame_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as the frame that a plan leaves for a load."""
    return pd.DataFrame(rows).astype("str").assign(_row=range(len(rows)))


def target_record(row: Mapping[str, str], computers: Mapping[str, str]) -> Row:
    """Return the record that a row must become; ``computers`` are sys_ids by serial number."""
    record = {_FIELDS[name]: value for name, value in row.items()}
    return record | {"display_name": row["name"], "installed_on": computers[row["serial_number"]]}


def differences(rows: Iterable[Row], stored: Iterable[Mapping[str, Any]], computers: Mapping[str, str]) -> int:
    """Count the records that are there and should not be, and those that should be and are not."""
    names = ("display_name", *_FIELDS.values())
    wanted = Counter(_values(target_record(row, computers), names) for row in rows)
    found = Counter(_values(record, names) for record in stored)
    return (wanted - found).total() + (found - wanted).total()


def _app_row(device: int, app: int) -> Row:
    name = f"Application number {app} for everybody"
    return {
        "instance_key": blake2b(f"{device}/{app}".encode(), digest_size=16).hexdigest(),
        "name": name,
        "developer_name": f"Example Software Company {app % 12} Incorporated",
        "version": f"{app % 9 + 1}.{device % 7}.{app % 5} (build {app:06d})",
        "path": f"/Applications/Vendor {app % 12}/{name}.app",
        "serial_number": f"C02{device:09d}",
        "last_opened": f"2026-{app % 12 + 1:02d}-{device % 28 + 1:02d} 08:{app % 60:02d}:00",
        "active": "true",
        "discovery_source": "Kandji",
    }


def _values(record: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(record.get(name, "")) for name in names)
