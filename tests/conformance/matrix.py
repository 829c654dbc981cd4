"""What the conformance matrix asks of every case: two runs on the real sandbox over sockets, and a look at both sides.

The cases lie in several files only so that several test workers can share them.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from cases import Case

from bench.flow import Flow
from include.inventory.report import Report
from include.inventory.run import Rules
from include.iru.client import IruSettings
from include.loading.spec import LoadSpec
from include.local.check import SignIn, compare, read_fleet, read_tables
from include.sandbox.fleet import FleetSpec
from include.sandbox.iru.settings import IruSwitches
from include.sandbox.serve import Sandbox, SandboxSpec
from include.sandbox.servicenow.settings import ServiceNowSettings as InstanceSettings
from include.servicenow.settings import ServiceNowSettings
from include.web.retry import RetryPolicy

FLEET = FleetSpec(devices=14, apps_per_device=4, seed=5)
QUIET = {"iru.rate_limit": False, "iru.export_delay_s": 0.0, "servicenow.transform_pickup_delay_s": 0.0}
OUTCOMES = ("inserted", "updated", "processed", "ignored", "skipped", "error")
KEYS = {
    "cmdb_ci_computer": ("serial_number",),
    "x_kandj_kandji_mdm": ("kandji_device_id", "kandji_blueprint_id"),
    "cmdb_sam_sw_install": ("instance_key",),
}
OPEN_STATES = ("loading", "loaded")
SETS_END_IN_S = 20.0


def flow_of(sandbox: Sandbox, root: Path, method: str, apps_extract: str) -> Flow:
    """Return a flow between the sandbox's services that waits little and reads small pages."""
    snow = sandbox.servicenow
    return Flow(
        root,
        IruSettings(sandbox.iru.url, sandbox.iru.token, read_timeout_s=1.0, page_rows=5),
        ServiceNowSettings(
            base_url=snow.url, connection="servicenow_default", grant_type="password", client_id=snow.client_id,
            client_secret=snow.client_secret, username=snow.username, password=snow.password, read_timeout_s=1.0,
        ),
        spec=LoadSpec(
            table="-", key_columns=("-",), method=method, chunk_rows=5, concurrency=3, transform_timeout_s=2.0,
            lost_answer_wait_s=1.0,
        ),
        retry=RetryPolicy(first_wait_s=0.05, longest_wait_s=0.5),
        rules=Rules(apps_extract=apps_extract),
    )  # fmt: skip


def each_way_of_loading(cases: Iterable[Case]) -> Callable[..., Any]:
    """Run a test once per case and way of loading."""
    pairs = [(case, method) for case in cases for method in case.methods]
    return pytest.mark.parametrize(("case", "method"), pairs, ids=[f"{case.name}-{method}" for case, method in pairs])


def check(case: Case, method: str, root: Path) -> None:
    """Let a case go wrong, then run once more; assert that every row is accounted for."""
    switches = {**QUIET, **case.set_up}
    with Sandbox(SandboxSpec(fleet=FLEET, switches=switches)) as sandbox:
        flow = flow_of(sandbox, root, method, case.apps_extract)
        _let_go_wrong(sandbox, case)
        first = [flow.run(source, "first") for source in case.sources]
        _check_first(case, method, first)
        _set_right(sandbox, case)
        second = [flow.run(source, "second") for source in case.sources]
        assert [report.failed for report in second if report.failed] == []
        _check_tables(sandbox, case)
        _check_verdicts(sandbox, root, case)
        last = [flow.run(source, "third") for source in case.sources] if _made_up(case, method) else second
        assert sum(map(_sent, last)) == 0


def _let_go_wrong(sandbox: Sandbox, case: Case) -> None:
    for wanted in case.faults:
        service, _, kind = wanted["kind"].partition(".")
        plan = sandbox.iru_faults if service == "iru" else sandbox.servicenow_faults
        plan.add({**wanted, "kind": kind})
    _switch(sandbox, case.switches)


def _switch(sandbox: Sandbox, switches: Any) -> None:
    for service, url in (("iru", sandbox.iru.url), ("servicenow", sandbox.servicenow.url)):
        own = {name.partition(".")[2]: value for name, value in switches.items() if name.startswith(f"{service}.")}
        if own:
            requests.patch(f"{url}/_sandbox/switches", json=own, timeout=10).raise_for_status()


def _set_right(sandbox: Sandbox, case: Case) -> None:
    struck = sandbox.iru_faults.snapshot()["strikes"] + sandbox.servicenow_faults.snapshot()["strikes"]
    assert bool(struck) == bool(case.faults), "the fault did not strike: the case proves nothing"
    sandbox.iru_faults.clear()
    sandbox.servicenow_faults.clear()
    defaults = {"iru": IruSwitches(), "servicenow": InstanceSettings()}
    parts = {name: name.partition(".") for name in case.switches}
    _switch(sandbox, {name: getattr(defaults[service], own) for name, (service, _, own) in parts.items()})
    _await_transforms(sandbox)


def _await_transforms(sandbox: Sandbox) -> None:
    """Wait until every set that was held back is transformed: the next run is a later one."""
    url, deadline_s = f"{sandbox.servicenow.url}/_sandbox/tables/sys_import_set", time.monotonic() + SETS_END_IN_S
    while True:
        rows = requests.get(url, timeout=10).json()["result"]
        waiting = [row["sys_id"] for row in rows if row["mode"] == "asynchronous" and row["state"] in OPEN_STATES]
        if not waiting:
            return
        assert time.monotonic() < deadline_s, f"import sets are not transformed: {waiting}"
        time.sleep(0.1)


def _made_up(case: Case, method: str) -> bool:
    """Say whether the second run still had something to send."""
    return bool(case.refused or case.drifts or case.says.get(method, case.says.get("*")))


def _check_first(case: Case, method: str, reports: list[Report]) -> None:
    said = case.says.get(method, case.says.get("*", ""))
    failed = " ".join(report.failed for report in reports).strip()
    assert said.lower() in failed.lower() if said else not failed, failed
    refused = Counter[str]()
    for report in reports:
        for feed in report.feeds.values():
            refused.update({name: n for name in ("skipped", "error") if (n := feed.counts[name])})
            refused.update({"ignored": feed.counts["ignored"]} if case.refused.get("ignored") else {})
    if not said:
        assert dict(refused) == dict(case.refused)


def _check_tables(sandbox: Sandbox, case: Case) -> None:
    snow = sandbox.servicenow
    sign_in = SignIn(client_id=snow.client_id, client_secret=snow.client_secret, username=snow.username,
                     password=snow.password)  # fmt: skip
    fleet = read_fleet(sandbox.iru.url, sandbox.iru.token)
    fleet = fleet if "apps" in case.sources else replace(fleet, apps=[])
    found = compare(fleet, read_tables(snow.url, sign_in))
    assert found.agree, found.lines()
    for table, columns in KEYS.items():
        rows = requests.get(f"{snow.url}/_sandbox/tables/{table}", timeout=10).json()["result"]
        keys = Counter(tuple(row[name].lower() for name in columns) for row in rows)
        assert [key for key, n in keys.items() if n > 1] == [], f"{table} holds a row twice"


def _check_verdicts(sandbox: Sandbox, root: Path, case: Case) -> None:
    """Compare the verdicts in the reports with the states that the sandbox gave its rows."""
    verdicts = Counter[str]()
    for path in root.glob("runs/*/*/report.json"):
        for counts in json.loads(path.read_text())["feeds"].values():
            verdicts.update({name: counts[name] for name in OUTCOMES})
            verdicts.update({"processed": counts["removed"]})
    verdicts.subtract({"error": case.unstored})
    counters = requests.get(f"{sandbox.servicenow.url}/_sandbox/counters", timeout=10).json()
    states = Counter[str]()
    for by_state in counters["rows_by_state"].values():
        states.update({state: n for state, n in by_state.items() if state in OUTCOMES})
    if case.twice:
        assert states.total() >= verdicts.total()
    else:
        assert +states == +verdicts


def _sent(report: Report) -> int:
    return sum(feed.counts[name] for feed in report.feeds.values() for name in OUTCOMES)
