"""Is every row accounted for, once, and as it really is? Judged with no code of the pipeline.

What is held against each other: Iru's fleet, ServiceNow's target tables, the states that the sandbox gave its staging
rows, the ledger's rows (read with plain SQL), and the reports.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from include.local.check import IruFleet, ServiceNowTables, SignIn, compare, read_fleet, read_tables
from include.local.check.values import same_number, same_text
from include.sandbox.serve import Sandbox

OUTCOMES = ("inserted", "updated", "processed", "ignored", "skipped", "error")
_CONFIRMED = ("inserted", "updated", "processed")
_PARTS = ("filtered", "rejected", "unchanged", "held", *OUTCOMES)
_TARGET_KEYS = {
    "cmdb_ci_computer": ("serial_number",),
    "x_kandj_kandji_mdm": ("kandji_device_id", "kandji_blueprint_id"),
}
_STAGING = {
    "computer": ("x_kandj_kandji_kandji_import_set_computer", ("serial_number",)),
    "mdm": ("x_kandj_kandji_kandji_import_set_mdm", ("device_id", "blueprint_id")),
}
_COMPUTER_COLUMNS = {
    "device_name": "name", "os_type": "os", "os_version": "os_version", "model_name": "model",
    "manufacturer": "manufacturer", "discovery_source": "discovery_source", "serial_number": "serial_number",
}  # fmt: skip
_TIMEOUT_S = 60
_EXAMPLES = 5

Row = dict[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found; ``examples`` name some of it. ``twice``: rows were transformed more than once, which is no fault.

    ``wrong``: verdicts that tell otherwise than ServiceNow. ``missing``: source rows without one. ``duplicates``:
    keys with several records in a target table. ``differences``: fields in which Iru and ServiceNow disagree.
    """

    wrong: int
    missing: int
    duplicates: int
    differences: int
    verdicts: int
    twice: int
    examples: tuple[str, ...]


def judge(sandbox: Sandbox, root: Path) -> Judgement:
    """Judge a flow that has ended, its runs and its ledger being below ``root``; faults must have been ended before."""
    snow = sandbox.servicenow
    sign_in = SignIn(username=snow.username, password=snow.password, client_id=snow.client_id,
                     client_secret=snow.client_secret)  # fmt: skip
    fleet, tables = read_fleet(sandbox.iru.url, sandbox.iru.token), read_tables(snow.url, sign_in)
    ledger, reports = _read_ledger(root), [json.loads(p.read_text()) for p in root.glob("runs/*/*/report.json")]
    reports.sort(key=lambda report: int(report["run_id"].rpartition("-")[2]))
    states, verdicts = _states(snow.url), _verdicts(reports)
    wrong = [*_wrong(ledger, tables, snow.url), *_uncovered(verdicts, states)]
    missing = [*_without_verdict(fleet, ledger), *_unbalanced(reports[-1], _devices(sandbox))]
    doubled = list(_doubled(snow.url))
    differences = compare(fleet, tables).differences
    found = [("wrong", wrong), ("missing", missing), ("twice in a table", doubled), ("different", differences)]
    examples = tuple(f"{name}: {one}" for name, many in found for one in many[:_EXAMPLES])
    twice = states.total() - verdicts.total()
    return Judgement(len(wrong), len(missing), len(doubled), len(differences), verdicts.total(), twice, examples)


def _read_ledger(root: Path) -> list[Row]:
    with sqlite3.connect(root / "ledger.sqlite") as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM ledger_rows")]


def _devices(sandbox: Sandbox) -> int:
    return int(requests.get(f"{sandbox.iru.url}/_sandbox/fleet", timeout=_TIMEOUT_S).json()["devices"])


def _stored(url: str, table: str) -> list[Row]:
    rows: list[Row] = requests.get(f"{url}/_sandbox/tables/{table}", timeout=_TIMEOUT_S).json()["result"]
    return rows


def _states(url: str) -> Counter[tuple[str, str]]:
    """Count staging rows by feed and the state that the sandbox gave them."""
    counters = requests.get(f"{url}/_sandbox/counters", timeout=_TIMEOUT_S).json()["rows_by_state"]
    return Counter(
        {(feed, state): n for feed, (table, _) in _STAGING.items() for state, n in counters.get(table, {}).items()}
    )


def _verdicts(reports: Sequence[Row]) -> Counter[tuple[str, str]]:
    """Count the verdicts of all runs by feed."""
    counts = Counter[tuple[str, str]]()
    for report in reports:
        for feed, told in report["feeds"].items():
            counts.update({(feed, name): told[name] for name in OUTCOMES})
    return counts


def _uncovered(verdicts: Counter[tuple[str, str]], states: Counter[tuple[str, str]]) -> Iterator[str]:
    """Yield each verdict that was reported more often than the sandbox gave it."""
    for (feed, outcome), n in (verdicts - states).items():
        yield from [f"{feed}: a report tells of more rows {outcome} than there were"] * n


def _wrong(ledger: Sequence[Row], tables: ServiceNowTables, url: str) -> Iterator[str]:
    """Yield each ledger row whose verdict is not what the sandbox gave the row, or not what ServiceNow holds."""
    computers = {row["serial_number"].lower(): row for row in tables.computers}
    mdm = {(row["kandji_device_id"].lower(), row["kandji_blueprint_id"].lower()): row for row in tables.mdm}
    for feed, (table, columns) in _STAGING.items():
        given = Counter(
            (row["sys_import_set"], tuple(row[name].lower() for name in columns), row["sys_import_state"])
            for row in _stored(url, table)
        )
        for row in (row for row in ledger if row["feed"] == feed):
            key = tuple(row["key"].lower().split("\x1f"))
            if not given[row["import_set"], key, row["verdict"]]:
                yield f"{feed} {key}: {row['verdict']} is not what import set {row['import_set']} says of it"
            elif feed == "computer":
                yield from _disagreeing(feed, key, row, _computer_as_sent(row, computers.get(key[0]), tables.emails))
            else:
                yield from _disagreeing(feed, key, row, _mdm_as_sent(row, mdm.get((key[0], key[1])), computers))


def _disagreeing(feed: str, key: Key, row: Row, as_sent: bool) -> Iterator[str]:
    if (row["verdict"] in _CONFIRMED) != as_sent:
        yield f"{feed} {key}: the ledger says {row['verdict']}, ServiceNow {'holds' if as_sent else 'does not hold'} it"


def _computer_as_sent(row: Row, found: Row | None, emails: Mapping[str, str]) -> bool:
    """Say whether a computer holds what the ledger calls confirmed; without such a payload, whether it is there."""
    if found is None or not row["payload"]:
        return found is not None
    sent = json.loads(row["payload"])
    texts = all(same_text(sent.get(ours, ""), found[theirs]) for ours, theirs in _COMPUTER_COLUMNS.items())
    user = emails.get(sent.get("assigned_user", "").lower(), "")
    return texts and same_number(sent.get("device_capacity", ""), found["disk_space"]) and found["assigned_to"] == user


def _mdm_as_sent(row: Row, found: Row | None, computers: Mapping[str, Row]) -> bool:
    if found is None or not row["payload"]:
        return found is not None
    computer = computers.get(json.loads(row["payload"])["serial_number"].lower(), {"sys_id": "none"})
    return bool(found["computer"] == computer["sys_id"] and found["discovery_source"] == "Kandji")


def _without_verdict(fleet: IruFleet, ledger: Sequence[Row]) -> list[str]:
    """Return the rows of the source that can be sent and have no verdict in the ledger."""
    known = {(row["feed"], row["key"]) for row in ledger}
    devices = [device for device in fleet.devices if device.serial_number]
    wanted = [("computer", device.serial_number.casefold()) for device in devices]
    wanted += [("mdm", f"{device.id}\x1f{device.blueprint_id}".casefold()) for device in devices]
    return [f"{feed} {key!r} has no verdict" for feed, key in wanted if (feed, key) not in known]


def _unbalanced(report: Row, devices: int) -> Iterator[str]:
    """Yield each row of the source for which the last report has no verdict."""
    for feed in _STAGING:
        told = report["feeds"][feed]
        ended = sum(told[name] for name in _PARTS) - told["held"]
        gap = abs(devices - told["extracted"]) + abs(told["extracted"] - ended)
        yield from [f"{feed}: the report accounts for {ended} of {devices} rows"] * gap


def _doubled(url: str) -> Iterator[str]:
    for table, columns in _TARGET_KEYS.items():
        keys = Counter(tuple(row[name].lower() for name in columns) for row in _stored(url, table))
        yield from (f"{table} {key}" for key, n in keys.items() if n > 1)
