"""The five stages together: from Iru's answers to ServiceNow's tables, the ledger and the report."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests
from factories import MAPPING, PAIR, app, device, params, prism_device
from instance import settings as account
from scripted import Asked, Reply, Script, serving

from include.errors import CountsDisagree, RunUnsafe, SetupWrong
from include.inventory.conclude import conclude
from include.inventory.extract import extract
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import FeedMapping
from include.inventory.report import Report
from include.inventory.run import Rules
from include.inventory.run_folder import RunFolder
from include.inventory.settle import COUNTS
from include.inventory.stages import Run, Services, run_extract, run_plan, run_shape
from include.iru.client import IruClient, IruSettings
from include.loading.frames import load_frames
from include.loading.spec import LoadSpec
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow.client import ServiceNowClient
from include.storage import read_json
from include.web.retry import RetryPolicy

QUIET = RetryPolicy(attempts=2, sleep=lambda _: None)


@dataclass
class Flow:
    """One pair of services with its ledger; ``run`` takes a flow through all stages, as the DAGs do."""

    folder: Path
    iru: Callable[[], IruClient]
    servicenow: Callable[[], ServiceNowClient]
    mapping: FeedMapping = MAPPING
    pair: Pair = PAIR
    runs: int = 0
    asked: list[str] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)

    @property
    def ledger(self) -> Ledger:
        """The pair's ledger."""
        return Ledger(f"sqlite:///{self.folder}/ledger.sqlite", self.pair)

    @property
    def last(self) -> RunFolder:
        """The folder of the last run."""
        return RunFolder(self.folder / f"run{self.runs}")

    def prepare(self, source: str, **options) -> Run:
        """Extract, shape and plan; nothing is sent."""
        self.runs += 1
        feeds = tuple(feed.name for feed in self.mapping.of_source(source))
        run = Run(source, params(feeds, **options), self.mapping, self.last, self.rules)
        run_extract(run, self.iru())
        run_shape(run)
        run_plan(run, Services(self.ledger, iru=self.iru, servicenow=self.servicenow))
        return run

    def reopened(self, source: str, **options) -> Run:
        """Return the last run as a later task opens it, also when its plan stopped."""
        feeds = tuple(feed.name for feed in self.mapping.of_source(source))
        return Run(source, params(feeds, **options), self.mapping, self.last, self.rules)

    def finish(self, run: Run, *, load: bool = True) -> Report:
        """Load what was planned, and settle."""
        results = {}
        for feed in run.feeds if load and run.params.mode == "load" else []:
            if run.rows_to_send(feed.name):
                spec = LoadSpec(table=feed.staging_table, key_columns=feed.key)
                results[feed.name] = {
                    "requests": load_frames(self.servicenow(), spec, run.folder.to_send(feed.name).paths()).requests
                }
        return conclude(run, self.ledger, dag_id="d", run_id=f"r{self.runs}", loads=results)

    def run(self, source: str, **options) -> dict[str, dict[str, int]]:
        """Run a flow to its end and return the counts of each feed without zeros."""
        report = self.finish(self.prepare(source, **options))
        return {name: {k: n for k, n in feed.counts.items() if n} for name, feed in report.feeds.items()}


# --- against the sandbox -------------------------------------------------------------------------------------------

SWITCHES = {"iru.rate_limit": False, "iru.windows_android": True, "servicenow.transform_pickup_delay_s": 0.0}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Both services with a small fleet that has every oddity."""
    fleet = FleetSpec(devices=100, apps_per_device=4, seed=3)
    with Sandbox(SandboxSpec(fleet=fleet, switches=SWITCHES)) as running:
        yield running


def flow_of(sandbox: Sandbox, folder: Path) -> Flow:
    """Return a flow between the sandbox's services."""
    snow = sandbox.servicenow
    known = {
        "client_id": snow.client_id, "client_secret": snow.client_secret,
        "username": snow.username, "password": snow.password,
    }  # fmt: skip
    return Flow(
        folder,
        iru=lambda: IruClient(IruSettings(sandbox.iru.url, sandbox.iru.token)),
        servicenow=lambda: ServiceNowClient(account(snow.url, **known)),
    )


def writes(sandbox: Sandbox) -> int:
    """Return how many writing requests ServiceNow has seen, token requests aside."""
    seen = requests.get(f"{sandbox.servicenow.url}/_sandbox/counters", timeout=10).json()
    return sum(n for route, n in _flat(seen).items() if "POST" in route and "import" in route)


def _flat(value: object, path: str = "") -> dict[str, int]:
    if isinstance(value, dict):
        return {k: n for name, inner in value.items() for k, n in _flat(inner, f"{path} {name}").items()}
    return {path: value} if isinstance(value, int) and not isinstance(value, bool) else {}


def table(sandbox: Sandbox, name: str) -> int:
    """Return how many records a target table holds."""
    answer = requests.get(f"{sandbox.servicenow.url}/_sandbox/tables/{name}", timeout=10).json()
    rows = answer["result"] if "result" in answer else answer["rows"]
    return len(rows)


def test_a_fleet_arrives_once_and_only_changes_follow(sandbox, tmp_path):
    """Devices, then apps; again without any write; after a change of the fleet, the change and nothing else."""
    flow = flow_of(sandbox, tmp_path)
    first = flow.run("devices")
    computer = first["computer"]
    assert computer["inserted"] == computer["extracted"] - computer["rejected"] - computer["filtered"] > 80
    assert computer["inserted"] == table(sandbox, "cmdb_ci_computer")
    apps = flow.run("apps")["apps"]
    assert apps["processed"] == table(sandbox, "cmdb_sam_sw_install") > 300
    before = writes(sandbox)
    assert before > 0
    again = flow.run("devices")
    assert again["computer"]["unchanged"] == computer["inserted"]
    assert flow.run("apps")["apps"]["unchanged"] == apps["processed"]
    assert writes(sandbox) == before
    change = {"rename": 3, "remove_apps": 5}
    url = f"{sandbox.iru.url}/_sandbox/fleet/change"
    answer = requests.post(url, json=change, headers={"Authorization": f"Bearer {sandbox.iru.token}"}, timeout=10)
    assert answer.status_code == 200, answer.text
    assert flow.run("devices")["computer"]["updated"] == 3
    second = flow.run("apps")["apps"]
    assert second["removed"] == 5
    assert apps["processed"] == table(sandbox, "cmdb_sam_sw_install")
    assert "removed" not in flow.run("apps")["apps"]


def test_a_run_that_is_repeated_after_the_ledger_was_lost_changes_nothing(sandbox, tmp_path):
    """Losing the ledger costs one resend: ServiceNow finds nothing to change, and no record is doubled."""
    flow = flow_of(sandbox, tmp_path)
    first = flow.run("devices")["computer"]["inserted"]
    flow.pair = replace(flow.pair, source="elsewhere")
    assert flow.run("devices")["computer"]["ignored"] == first
    assert table(sandbox, "cmdb_ci_computer") == first
    assert flow.run("devices")["computer"]["unchanged"] == first


def test_apps_without_their_computers_are_held_until_these_come(sandbox, tmp_path):
    """An install refers to a computer: apps that come first are held, and go once the computers are there."""
    flow = flow_of(sandbox, tmp_path)
    held = flow.run("apps")["apps"]["held"]
    assert held > 300
    assert table(sandbox, "cmdb_sam_sw_install") == 0
    flow.run("devices")
    assert flow.run("apps")["apps"]["processed"] == held


def test_a_plan_sends_nothing_and_shows_everything(sandbox, tmp_path):
    """In plan mode all rows are held, and the plan says what each would change."""
    flow = flow_of(sandbox, tmp_path)
    counts = flow.run("devices", mode="plan")["computer"]
    assert writes(sandbox) == 0
    assert "inserted" not in counts
    assert len(flow.last.to_send("computer").read()) == counts["held"]
    report = read_json(flow.last.report)
    assert report["mode"] == "plan"
    assert report["details"]["computer"]["planned"] == {"create": counts["held"]}


# --- against scripted services -------------------------------------------------------------------------------------


@dataclass
class Tenant:
    """A scripted Iru tenant: its rows, and what Prism counts."""

    devices: list[dict] = field(default_factory=list)
    apps: list[dict] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    gone: tuple[str, ...] = ()

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        name = asked.path.removeprefix("/api/v1/")
        if name == "devices":
            return Reply(self.devices if asked.query["offset"] == "0" else [])
        if name.startswith("devices/"):
            return Reply({}, 404 if name.removeprefix("devices/") in self.gone else 200)
        if name == "prism/count":
            category = asked.query["category"]
            default = len(self.apps) if category == "apps" else len(self.devices)
            return Reply({"count": self.counts.get(category, default)})
        devices = [prism_device(device_id=row.get("device_id")) for row in self.devices]
        rows = self.apps if name == "prism/apps" else devices
        return Reply({"data": rows, "cursor": None, "total": len(rows), "offset": None, "limit": 300})


@dataclass
class Taker:
    """A scripted ServiceNow that takes every row; ``computers`` are the serial numbers that it holds."""

    computers: set[str] = field(default_factory=set)
    lengths: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    sets: list[list[dict]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        name = asked.path.rpartition("/")[2]
        if name == "oauth_token.do":
            return Reply({"access_token": "t", "token_type": "Bearer", "expires_in": 1800})
        if name == "insertMultiple":
            return self._store(asked.json["records"])
        if "sys_import_set/" in asked.path:
            return Reply({"result": {"sys_id": name, "state": "processed"}})
        if name == "sys_import_set":
            wanted = asked.query["sysparm_query"].split("^")[0].removeprefix("sys_idIN").split(",")
            return self._list([{"sys_id": sys_id, "state": "processed"} for sys_id in wanted])
        if name == "sys_import_set_run":
            return Reply({"error": {"message": "no"}}, 403)
        if name == "sys_dictionary":
            feed = next(f for f in MAPPING.feeds.values() if f.staging_table in asked.query["sysparm_query"])
            names = [*feed.column_names, "install_status"]
            rows = [{"name": feed.staging_table, "element": c, "max_length": self.lengths.get(c, 255)} for c in names]
            return self._list(rows)
        if name in ("sys_transform_map", "sys_robust_import_set_transformer"):
            return Reply({"error": {"message": "no"}}, 403)
        if name == "cmdb_ci_computer":
            return self._list([{"sys_id": s, "serial_number": s} for s in self.computers])
        position = int(asked.query["sysparm_query"].split("^")[0].removeprefix("sys_import_set=set"))
        return self._list(self.sets[position])

    def _store(self, records: list[dict]) -> Reply:
        rows = [{name.replace(" ", "_"): value for name, value in record.items()} for record in records]
        state = [self.states.get(row.get("serial_number", ""), "inserted") for row in rows]
        self.sets.append([row | {"sys_import_state": s} for row, s in zip(rows, state, strict=True)])
        return Reply({"import_set_id": f"set{len(self.sets) - 1}", "multi_import_set_id": "m"}, 201)

    @staticmethod
    def _list(rows: list[dict]) -> Reply:
        return Reply({"result": rows}, headers={"X-Total-Count": str(len(rows))})


@pytest.fixture
def scripted(tmp_path) -> Iterator[Callable[[Script, Script], Flow]]:
    """Start a flow between scripted services."""
    running = []

    def start(tenant: Script, taker: Script) -> Flow:
        servers = [serving(tenant), serving(taker)]
        running.extend(servers)
        iru, snow = (server.__enter__() for server in servers)
        flow = Flow(
            tmp_path,
            iru=lambda: IruClient(IruSettings(iru.url, "t"), retry=QUIET),
            servicenow=lambda: ServiceNowClient(account(snow.url), retry=QUIET),
        )
        flow.asked = snow.asked
        return flow

    yield start
    for server in running:
        server.__exit__(None, None, None)


def test_an_incomplete_extract_stops_the_run(scripted):
    """When fewer rows arrive than Iru counts, nothing goes on, and the message says how to lift the guard."""
    flow = scripted(Tenant(apps=[app()], counts={"apps": 2}), Taker(computers={"SER1"}))
    with pytest.raises(RunUnsafe, match=r"1 rows arrived, Iru counts 2.*incomplete_extract"):
        flow.run("apps")
    assert flow.asked == []


def test_a_lifted_guard_sends_what_is_there_and_removes_nothing(scripted):
    """With the guard lifted, rows that are missing from the extract are not taken for removed."""
    tenant = Tenant(apps=[app(1), app(2)])
    flow = scripted(tenant, Taker(computers={"SER1"}))
    flow.run("apps")
    tenant.apps, tenant.counts = [app(1, version="2")], {"apps": 2}
    assert flow.run("apps", lift_guards=["incomplete_extract"])["apps"] == {"extracted": 1, "inserted": 1}
    tenant.counts = {}
    assert flow.run("apps")["apps"] == {"extracted": 1, "unchanged": 1, "removed": 1}


@pytest.mark.parametrize("unreadable", [{"device_id": None}, {"path": ["x"]}, {"bundle_id": {"a": 1}}], ids=str)
def test_an_app_row_whose_key_cannot_be_told_stops_removals(scripted, unreadable):
    """The unreadable row may be the very install that seems to be missing."""
    tenant = Tenant(apps=[app(1), app(2)])
    flow = scripted(tenant, Taker(computers={"SER1"}))
    flow.run("apps")
    tenant.apps = [app(1), app(2, **unreadable)]
    assert flow.run("apps")["apps"] == {"extracted": 2, "unchanged": 1, "rejected": 1}


def test_an_app_that_comes_back_is_sent_again(scripted):
    """Removed once, silent while it is gone, active again when it is back."""
    taker, tenant = Taker(computers={"SER1"}), Tenant(apps=[app(1), app(2)])
    flow = scripted(tenant, taker)
    seen = []
    for apps in ([app(1), app(2)], [app(1)], [app(1)], [app(1), app(2)]):
        tenant.apps = apps
        stored = len(taker.sets)
        flow.run("apps")
        seen.append([row["active"] for rows in taker.sets[stored:] for row in rows])
    assert seen == [["true", "true"], ["false"], [], ["true"]]


def test_values_that_are_too_long_are_cut_or_rejected_and_counted(scripted):
    """A value longer than its staging column is cut where the mapping allows it, else its row is rejected."""
    tenant = Tenant(devices=[device(1, device_name="x" * 50), device(2, os_version="1" * 50), device(3)])
    taker = Taker(lengths={"device_name": 10, "os_version": 10})
    flow = scripted(tenant, taker)
    assert flow.run("devices", feeds=["computer"])["computer"] == {"extracted": 3, "rejected": 1, "inserted": 2}
    assert sorted(row["device_name"] for row in taker.sets[0]) == ["Mac 3", "x" * 10]
    assert read_json(flow.last.report)["details"]["computer"]["cut_to_fit"] == {"device_name": 1}
    again = flow.run("devices", feeds=["computer"])["computer"]
    assert again == {"extracted": 3, "rejected": 1, "unchanged": 2}


def test_a_refused_row_is_an_error_once_per_run_and_sent_again(scripted):
    """ServiceNow's refusal is the row's verdict; the next run sends that row and no other."""
    taker = Taker(states={"SER2": "error"})
    flow = scripted(Tenant(devices=[device(1), device(2)]), taker)
    assert flow.run("devices", feeds=["computer"])["computer"] == {"extracted": 2, "inserted": 1, "error": 1}
    taker.states = {}
    assert flow.run("devices", feeds=["computer"])["computer"] == {"extracted": 2, "unchanged": 1, "inserted": 1}


def test_rows_that_were_not_sent_fail_the_run_and_are_held(scripted):
    """When a load ended early, the report says so, counts still add up, and the next run sends the rows."""
    flow = scripted(Tenant(devices=[device(1), device(2)]), Taker())
    report = flow.finish(flow.prepare("devices", feeds=["computer"]), load=False)
    assert "2 planned rows" in report.failed
    assert report.feeds["computer"].counts["held"] == 2
    assert read_json(flow.last.report)["failed"] == report.failed
    assert flow.run("devices", feeds=["computer"])["computer"]["inserted"] == 2


def test_the_ledger_of_another_pair_is_not_consulted(scripted):
    """A connection that points to another tenant sends everything, whatever the first pair's ledger knows."""
    flow = scripted(Tenant(devices=[device()]), Taker())
    flow.run("devices")
    flow.pair = Pair("other", "servicenow")
    assert flow.run("devices")["computer"]["inserted"] == 1


def test_an_unchanged_fleet_costs_servicenow_no_request(scripted):
    """When nothing changed, ServiceNow is not asked anything at all, not even for a token."""
    flow = scripted(Tenant(devices=[device()]), Taker())
    flow.run("devices")
    before = len(flow.asked)
    flow.run("devices")
    assert len(flow.asked) == before
    assert read_json(flow.last.report)["requests"]["servicenow"] == 0


def test_the_report_has_the_documented_names(scripted):
    """Checks and people rely on the report's names, and its counts satisfy the equation."""
    flow = scripted(Tenant(devices=[device(), device(2, serial_number=""), device(3, platform="Windows")]), Taker())
    flow.run("devices")
    report = json.loads(flow.last.report.read_bytes())
    assert (report["dag_id"], report["run_id"], report["mode"]) == ("d", "r1", "load")
    assert list(report["feeds"]["computer"]) == list(COUNTS)
    assert report["feeds"]["computer"]["filtered"] == report["feeds"]["computer"]["rejected"] == 1
    assert report["requests"]["iru"] > 0
    assert report["requests"]["servicenow"] == len(flow.asked)


def test_counts_that_do_not_add_up_fail_the_run_and_leave_the_report(scripted):
    """A defect that loses a row is not hidden: the run fails, and its numbers are there to look at."""
    flow = scripted(Tenant(devices=[device()]), Taker())
    run = flow.prepare("devices", feeds=["computer"])
    told = flow.last.told_by("shape-computer")
    flow.last.note("shape-computer", told | {"extracted": 2})
    with pytest.raises(CountsDisagree, match="2 rows were extracted"):
        flow.finish(run)
    assert flow.last.report.exists()


RETIRE = {"missing_devices": "retire", "feeds": ["computer", "mdm"]}


@pytest.mark.parametrize(("policy", "reported"), [("ignore", 0), ("report", 1)])
def test_a_missing_device_is_ignored_or_reported(scripted, policy, reported):
    """Without the policy "retire" a device that Iru no longer has changes nothing in ServiceNow."""
    tenant = Tenant(devices=[device(1), device(2)])
    flow = scripted(tenant, Taker())
    flow.run("devices")
    tenant.devices, tenant.gone = [device(1)], ("d2",)
    flow.run("devices", missing_devices=policy)
    counts = flow.run("devices", missing_devices=policy)
    assert counts["computer"] == {"extracted": 1, "unchanged": 1}
    assert read_json(flow.last.report)["details"]["computer"]["missing_devices"] == reported
    assert len(flow.last.missing("computer").read()) == reported


def test_retiring_needs_values_that_say_how(scripted):
    """The policy "retire" without values to send is one clear error that says what to put into the mapping."""
    flow = scripted(Tenant(devices=[device(1)]), Taker())
    with pytest.raises(SetupWrong, match=r"how a computer is retired.*removed"):
        flow.run("devices", **RETIRE)


def _retiring() -> FeedMapping:
    computer = MAPPING.feeds["computer"]
    columns = (*computer.columns, replace(computer.column("os_version"), name="install_status", fields=("asset_tag",)))
    computer = replace(computer, columns=columns, removed_values={"install_status": "7"})
    return replace(MAPPING, feeds={**MAPPING.feeds, "computer": computer})


def test_a_device_is_retired_only_after_a_404_of_its_own(scripted):
    """A device that the list lacks but that Iru still knows is left alone; one that is gone is retired once."""
    tenant, taker = Tenant(devices=[device(1), device(2), device(3)]), Taker()
    flow = scripted(tenant, taker)
    flow.mapping = _retiring()
    flow.run("devices", **RETIRE)
    tenant.devices, tenant.gone = [device(1)], ("d2",)
    assert flow.run("devices", **RETIRE)["computer"] == {"extracted": 1, "unchanged": 1}, "missed for the first time"
    assert flow.run("devices", **RETIRE)["computer"] == {"extracted": 1, "unchanged": 1, "removed": 1}
    assert [(row["serial_number"], row["install_status"]) for row in taker.sets[-1]] == [("SER2", "7")]
    assert flow.run("devices", **RETIRE)["computer"] == {"extracted": 1, "unchanged": 1}


def test_a_device_that_was_enrolled_anew_is_not_retired(scripted):
    """A serial number had two device ids: while Iru knows one of them, the computer is in use."""
    tenant = Tenant(devices=[device(2), device(4, serial_number="SER2", device_name="New")])
    flow = scripted(tenant, Taker())
    flow.mapping = _retiring()
    flow.run("devices", **RETIRE)
    for gone in ("d2", "d4"):
        tenant.devices, tenant.gone = [], (gone,)
        flow.run("devices", lift_guards=["shrunk_source"], **RETIRE)
        assert flow.run("devices", lift_guards=["shrunk_source"], **RETIRE)["computer"] == {}


def test_pages_of_an_earlier_try_are_not_read_again(scripted, tmp_path):
    """An extract that is tried again keeps nothing of the try before."""
    tenant = Tenant(apps=[app(1)])
    flow = scripted(tenant, Taker())
    folder = RunFolder(tmp_path / "again")
    leftover = folder.pages("apps") / "pages-000007-3.json.zst"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"old")
    extract(flow.iru(), "apps", folder)
    assert [path.name[:12] for path in folder.pages("apps").iterdir()] == ["pages-000000"]


def test_rows_that_shrink_while_they_are_read_are_no_incomplete_extract(scripted, tmp_path):
    """The fleet may change under the walk: only rows that were there before and after it have to arrive."""
    counts = iter([5, 1])
    tenant = Tenant(apps=[app(1)])

    def shrinking(asked: Asked) -> Reply:
        return Reply({"count": next(counts)}) if asked.path.endswith("count") else tenant(asked)

    found = extract(scripted(shrinking, Taker()).iru(), "apps", RunFolder(tmp_path / "x"))
    assert found.collections["apps"].complete


def test_the_plan_of_a_run_is_the_same_when_it_is_made_again(scripted):
    """A stage that is run again on the same inputs writes the same files, so that a load can go on."""
    flow = scripted(Tenant(devices=[device(n) for n in range(1, 6)]), Taker())
    run = flow.prepare("devices")
    before = run.folder.to_send("computer").path(0).read_bytes()
    run_shape(run)
    run_plan(run, Services(flow.ledger, iru=flow.iru, servicenow=flow.servicenow))
    assert run.folder.to_send("computer").path(0).read_bytes() == before
    assert len(run.folder.to_send("computer").read()) == 5
