"""Hold Prism's app rows against the active installs, computer by computer."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from include.local.check.report import Difference
from include.local.check.rows import App, Device, RemovedApp, Row
from include.local.check.values import same_moment, same_text

TABLE = "cmdb_sam_sw_install"
Twins = list[App]
"""Rows of Prism that are one app: the same identity at the same path of one device."""


def compare_installs(
    apps: Sequence[App],
    devices: Sequence[Device],
    computers: Mapping[tuple[str, ...], list[Row]],
    installs: Sequence[Row],
    *,
    removed: Sequence[RemovedApp],
) -> Iterator[Difference]:
    """Yield what differs: missing, doubled and orphaned installs, fields, keys, and apps that should be inactive."""
    place = {d.id: _computer_of(d, computers) for d in devices}
    expected = _expected(apps, place)
    active: dict[str, list[Row]] = defaultdict(list)
    inactive: dict[str, list[Row]] = defaultdict(list)
    for row in installs:
        (active if row["active"] == "true" else inactive)[row["installed_on"]].append(row)
    for computer in {**expected, **active}:
        yield from _compare_computer(expected.get(computer, []), active.get(computer, []))
    yield from _doubled_keys(installs)
    yield from _still_active(removed, place, expected, inactive)


def _computer_of(device: Device, computers: Mapping[tuple[str, ...], list[Row]]) -> str:
    rows = computers.get((device.serial_number.lower(),), [])
    return rows[0]["sys_id"] if rows else f"the missing computer {device.serial_number}"


def _expected(apps: Sequence[App], place: Mapping[str, str]) -> dict[str, list[Twins]]:
    """Group the apps that are there by computer, with exact duplicates folded into one."""
    groups: dict[tuple[str, str, str], Twins] = defaultdict(list)
    for app in apps:
        if app.device_id in place and not app.removed:
            groups[(app.device_id, app.identity, app.path)].append(app)
    result: dict[str, list[Twins]] = defaultdict(list)
    for (device_id, _identity, _path), twins in groups.items():
        result[place[device_id]].append(twins)
    return result


def _compare_computer(expected: Sequence[Twins], rows: Sequence[Row]) -> Iterator[Difference]:
    """Pair the apps of one computer with its installs: the likeliest partner first."""
    missing, spare = list(expected), list(rows)
    pairs: list[tuple[Twins, Row]] = []
    for likeness in (_equal, _same_place, _same_path, _same_name):
        missing, spare = _pair(missing, spare, likeness, pairs)
    for twins, row in pairs:
        for column, wanted, found in min((_fields(app, row) for app in twins), key=len):
            yield Difference(TABLE, _label(twins[0].name, twins[0].path), column, wanted, found)
    for twins in missing:
        yield Difference(TABLE, _label(twins[0].name, twins[0].path), "rows", "1 active", "0")
    for row in spare:
        yield Difference(TABLE, _label(_name(row), row["install_location"]), "rows", "0 active", "1")


def _pair(
    missing: Sequence[Twins],
    spare: Sequence[Row],
    likeness: Callable[[App, Row], bool],
    pairs: list[tuple[Twins, Row]],
) -> tuple[list[Twins], list[Row]]:
    free = list(spare)
    alone = []
    for twins in missing:
        row = next((row for row in free if any(likeness(app, row) for app in twins)), None)
        if row is None:
            alone.append(twins)
        else:
            free.remove(row)
            pairs.append((twins, row))
    return alone, free


def _equal(app: App, row: Row) -> bool:
    return not _fields(app, row)


def _same_place(app: App, row: Row) -> bool:
    return _same_path(app, row) and _same_name(app, row)


def _same_path(app: App, row: Row) -> bool:
    return bool(app.path) and same_text(app.path, row["install_location"])


def _same_name(app: App, row: Row) -> bool:
    return same_text(app.name, _name(row))


def _fields(app: App, row: Row) -> list[tuple[str, str, str]]:
    """Return (column, expected, found) for each column that differs."""
    pairs = {
        "name": (app.name, _name(row)),
        "version": (app.version, row["version"]),
        "publisher": (app.publisher, row["publisher"]),
        "install_location": (app.path, row["install_location"]),
    }
    found = [(column, *pair) for column, pair in pairs.items() if not same_text(*pair)]
    if app.last_opened and not same_moment(app.last_opened, row["last_used"]):
        found.append(("last_used", app.last_opened, row["last_used"]))
    return found


def _name(row: Row) -> str:
    return row.get("name") or row.get("display_name") or ""


def _label(name: str, path: str) -> str:
    return f"{name} at {path}" if path else name


def _doubled_keys(installs: Sequence[Row]) -> Iterator[Difference]:
    """ServiceNow matches keys without case, so two that differ only in case are one."""
    counts = Counter(row["instance_key"].lower() for row in installs)
    for key, count in counts.items():
        if count > 1 or not key:
            yield Difference(TABLE, f"instance_key {key or '(empty)'}", "rows", "1", str(count))


def _still_active(
    removed: Sequence[RemovedApp],
    place: Mapping[str, str],
    expected: Mapping[str, Sequence[Twins]],
    inactive: Mapping[str, Sequence[Row]],
) -> Iterator[Difference]:
    """Yield removed apps that have no inactive install; one that came back since is not expected to have any."""
    for app in removed:
        computer = place.get(app.device_id)
        if computer is None or _is_back(app, expected.get(computer, [])):
            continue
        rows = inactive.get(computer, [])
        if not any(same_text(app.name, _name(r)) and same_text(app.path, r["install_location"]) for r in rows):
            yield Difference(TABLE, _label(app.name, app.path), "active", "an inactive install", "none")


def _is_back(app: RemovedApp, expected: Sequence[Twins]) -> bool:
    return any((twins[0].name, twins[0].path) == (app.name, app.path) for twins in expected)
