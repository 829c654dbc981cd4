"""Hold both sides against each other, field by field."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from include.local.check.installs import compare_installs
from include.local.check.iru import IruFleet
from include.local.check.report import Difference, Findings
from include.local.check.rows import Device, RemovedApp, Row
from include.local.check.servicenow import ServiceNowTables
from include.local.check.values import same_number, same_text

COMPUTER, MDM = "cmdb_ci_computer", "x_kandj_kandji_mdm"


def compare(fleet: IruFleet, tables: ServiceNowTables, removed: Sequence[RemovedApp] = ()) -> Findings:
    """Return every difference; ``removed`` are apps that must be there as inactive installs."""
    devices = [device for device in fleet.devices if device.serial_number]
    computers = _by(tables.computers, "serial_number")
    differences = [
        *_compare_computers(devices, computers, tables.emails),
        *_compare_mdm(devices, computers, tables.mdm),
        *compare_installs(fleet.apps, devices, computers, tables.installs, removed=removed),
    ]
    return Findings(
        differences=differences,
        computers=len(devices),
        mdm=len(devices),
        installs=sum(row["active"] == "true" for row in tables.installs),
        inactive_installs=sum(row["active"] != "true" for row in tables.installs),
        without_serial=len(fleet.devices) - len(devices),
        left_mdm=_left_over(devices, tables.mdm),
    )


def _by(rows: Iterable[Row], *columns: str) -> dict[tuple[str, ...], list[Row]]:
    """Group rows as ServiceNow matches them: without case."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[column].lower() for column in columns)].append(row)
    return groups


def _serial(device: Device) -> tuple[str, ...]:
    return (device.serial_number.lower(),)


def _compare_computers(
    devices: Sequence[Device], computers: Mapping[tuple[str, ...], list[Row]], emails: Mapping[str, str]
) -> Iterator[Difference]:
    groups: dict[tuple[str, ...], list[Device]] = defaultdict(list)
    for device in devices:
        groups[_serial(device)].append(device)
    for serial, owners in groups.items():
        label = f"serial {owners[0].serial_number}"
        rows = computers.get(serial, [])
        if len(rows) != 1:
            yield Difference(COMPUTER, label, "rows", "1", str(len(rows)))
            continue
        found = [list(_computer_fields(device, rows[0], emails)) for device in owners]
        yield from (Difference(COMPUTER, label, *field) for field in min(found, key=len))


def _computer_fields(device: Device, row: Row, emails: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield (column, expected, found) for each column that differs; users are not named."""
    texts = {
        "name": device.name,
        "os": device.os,
        "os_version": device.os_version,
        "model": device.model,
        "manufacturer": "Apple",
        "discovery_source": "Kandji",
    }
    for column, expected in texts.items():
        if not same_text(expected, row[column]):
            yield column, expected, row[column]
    if not same_number(device.capacity_gb, row["disk_space"]):
        yield "disk_space", device.capacity_gb, row["disk_space"]
    user = emails.get(device.user_email, "")
    if row["assigned_to"] != user:
        found = "a user" if not user else "another user" if row["assigned_to"] else "nobody"
        yield "assigned_to", "the assigned user" if user else "nobody", found


def _compare_mdm(
    devices: Sequence[Device], computers: Mapping[tuple[str, ...], list[Row]], mdm: Sequence[Row]
) -> Iterator[Difference]:
    groups = _by(mdm, "kandji_device_id", "kandji_blueprint_id")
    for device in devices:
        label = f"device {device.id}"
        rows = groups.get((device.id.lower(), device.blueprint_id.lower()), [])
        if len(rows) != 1:
            yield Difference(MDM, label, "rows", "1", str(len(rows)))
            continue
        if rows[0]["computer"] not in {row["sys_id"] for row in computers.get(_serial(device), [])}:
            found = "another computer" if rows[0]["computer"] else "none"
            yield Difference(MDM, label, "computer", f"serial {device.serial_number}", found)
        if rows[0]["discovery_source"] != "Kandji":
            yield Difference(MDM, label, "discovery_source", "Kandji", rows[0]["discovery_source"])


def _left_over(devices: Sequence[Device], mdm: Sequence[Row]) -> int:
    """Count MDM rows of earlier blueprints and of devices that left: nothing is ever deleted in ServiceNow."""
    current = {(device.id.lower(), device.blueprint_id.lower()) for device in devices}
    found = {(row["kandji_device_id"].lower(), row["kandji_blueprint_id"].lower()) for row in mdm}
    return len(found - current)
