"""What a run had sent before it was killed gets its verdicts, and nothing is sent twice without need."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from between import between, inserts
from factories import PAIR, device
from scripted import Asked, Reply
from test_flow import Flow, Taker, Tenant

from include.errors import RetryLater
from include.inventory.conclude import conclude
from include.inventory.recover import recover
from include.inventory.run import Run, Services
from include.inventory.run_registry import RunRegistry
from include.inventory.stages import run_extract, run_plan, run_shape
from include.inventory.sync_tables import RUNS
from include.inventory.under_way import UnderWay
from include.loading.frames import load_frames
from include.loading.spec import LoadSpec
from include.storage import read_json

ROOT = Path(__file__).parents[2]
COMPUTERS = {"feeds": ["computer"]}


@dataclass
class Slow(Taker):
    """A ServiceNow that transforms nothing while ``asleep``."""

    asleep: bool = False
    hook: Callable[[Asked], Reply | None] = field(default=lambda asked: None)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if self.asleep and "sys_import_set/" in asked.path:
            return Reply({"result": {"sys_id": "x", "state": "loaded"}})
        return self.hook(asked) or super().__call__(asked)


def begin(flow: Flow, run_id: str, **options) -> tuple[Run, RunRegistry]:
    """Take a run through prepare, extract, shape and plan, as the tasks do."""
    flow.runs += 1
    run = flow.reopened("devices", **(COMPUTERS | options))
    registry = RunRegistry(f"sqlite:///{flow.folder}/ledger.sqlite", PAIR, "devices")
    registry.take(run_id, str(run.folder.root))
    run.note(dag_id="iru_devices", run_id=run_id, pair=(PAIR.source, PAIR.target))
    run_extract(run, flow.iru())
    run_shape(run)
    plan(flow, run, registry, run_id)
    return run, registry


def plan(flow: Flow, run: Run, registry: RunRegistry, run_id: str) -> None:
    """Run the plan stage."""
    services = Services(flow.ledger, iru=flow.iru, servicenow=flow.servicenow)
    with UnderWay(run.folder, registry, run_id, "plan"):
        in_flight = recover(run, services, registry, run_id=run_id, open_folder=Path)
        run_plan(run, services, in_flight=in_flight)


def load(flow: Flow, run: Run, **spec) -> None:
    """Run the load stage."""
    feed = run.feeds[0]
    if run.rows_to_send(feed.name):
        of_feed = LoadSpec(table=feed.staging_table, key_columns=feed.key, **spec)
        load_frames(flow.servicenow(), of_feed, run.folder.to_send(feed.name).paths())


def finish(flow: Flow, run: Run, registry: RunRegistry, run_id: str) -> dict[str, int]:
    """Run load and settle; return the counts without zeros."""
    load(flow, run)
    report = conclude(run, flow.ledger, dag_id="d", run_id=run_id, loads={"computer": {"requests": 1}})
    registry.close(run_id)
    registry.release(run_id)
    return {name: n for name, n in report.feeds["computer"].counts.items() if n}


def entry(flow: Flow, key: str) -> dict:
    """Return an entry of the ledger."""
    return flow.ledger.read("computer").set_index("key").loc[key].to_dict()


def test_verdicts_that_a_killed_run_had_are_in_the_ledger_before_the_next_plan(tmp_path):
    """A run that was killed between load and settle costs nothing: its rows are confirmed and not sent again."""
    with between(tmp_path, Tenant(devices=[device(1), device(2)]), Slow()) as flow:
        run, registry = begin(flow, "r1")
        load(flow, run)
        registry.release("r1")
        sent = inserts(flow)
        run, registry = begin(flow, "r2")
        assert finish(flow, run, registry, "r2") == {"extracted": 2, "unchanged": 2}
        assert inserts(flow) == sent
        assert entry(flow, "ser1")["run_id"] == "r1"
        assert registry.open_runs() == []


def test_a_killed_run_gets_its_report_from_the_next(tmp_path):
    """The equation holds in every run, also in one that could not write its own report."""
    with between(tmp_path, Tenant(devices=[device(1), device(2)]), Slow(states={"SER2": "error"})) as flow:
        run, registry = begin(flow, "r1")
        load(flow, run)
        registry.release("r1")
        begin(flow, "r2")
        report = read_json(run.folder.report)
        assert (report["dag_id"], report["run_id"]) == ("iru_devices", "r1")
        counts = {name: n for name, n in report["feeds"]["computer"].items() if n}
        assert counts == {"extracted": 2, "inserted": 1, "error": 1}
        assert "did not come to its end; run r2 took care" in report["failed"]
        with flow.ledger.engine.connect() as connection:
            noted = connection.execute(sa.select(RUNS.c["dag_id", "run_id", "failed", "rows_sent"])).one()
        assert tuple(noted) == ("iru_devices", "r1", report["failed"], 2)


def test_rows_whose_import_set_is_not_transformed_yet_wait(tmp_path):
    """What is in flight is held, its run stays open, and once it is transformed its verdict counts for that run."""
    tenant, taker = Tenant(devices=[device(1), device(2)]), Slow(asleep=True)
    with between(tmp_path, tenant, taker) as flow:
        run1, registry = begin(flow, "r1")
        with pytest.raises(RetryLater):
            load(flow, run1, transform_timeout_s=0)
        report = conclude(run1, flow.ledger, dag_id="d", run_id="r1", loads={})
        assert report.feeds["computer"].counts["held"] == 2
        registry.release("r1")
        sent, tenant.devices = inserts(flow), [device(1), device(2), device(3)]
        run2, registry = begin(flow, "r2")
        assert run2.folder.to_send("computer").read()["_key"].tolist() == ["ser3"]
        held = report_held(run2)
        assert held == {"what run r1 sent of it is not transformed yet": 2}
        assert [known.run_id for known in registry.open_runs()] == ["r1", "r2"]
        taker.asleep = False
        assert finish(flow, run2, registry, "r2") == {"extracted": 3, "inserted": 1, "held": 2}
        run3, registry = begin(flow, "r3")
        assert finish(flow, run3, registry, "r3") == {"extracted": 3, "unchanged": 3}
        assert inserts(flow) == sent + 1
        told = read_json(run1.folder.report)
        assert told["feeds"]["computer"]["inserted"] == 2
        assert told["failed"] == report.failed
        assert registry.open_runs() == []


def report_held(run: Run) -> dict[str, int]:
    """Return why rows of a plan wait."""
    return run.folder.told_by("plan-computer")["held_because"]


def test_a_late_verdict_does_not_undo_what_a_newer_run_wrote(tmp_path):
    """A run that stays open is asked again and again; what others confirmed since is not set back."""
    fleet = [device(n) for n in range(1, 502)]  # a canary, and a chunk that is not transformed
    tenant, taker = Tenant(devices=fleet), Slow()
    late = {"sys_id": "set1", "state": "loaded"}
    states = {"/sys_import_set": [{"sys_id": "set0", "state": "processed"}, late], "/sys_import_set/set1": late}
    taker.hook = lambda asked: next(
        (Reply({"result": s}) for end, s in states.items() if asked.path.endswith(end)), None
    )
    with between(tmp_path, tenant, taker) as flow:
        run, registry = begin(flow, "r1")
        with pytest.raises(RetryLater):
            load(flow, run, transform_timeout_s=0, concurrency=1)
        registry.release("r1")
        ahead = taker.sets[0][0]["serial_number"]
        tenant.devices = [row | {"os_version": "99"} if row["serial_number"] == ahead else row for row in fleet]
        run, registry = begin(flow, "r2")
        assert finish(flow, run, registry, "r2") == {"extracted": 501, "inserted": 1, "held": 500}
        newest = entry(flow, ahead.lower())
        assert newest["run_id"] == "r2"
        begin(flow, "r3")
        assert entry(flow, ahead.lower()) == newest
        assert [known.run_id for known in registry.open_runs()] == ["r1", "r3"]


def test_a_plan_is_not_replaced_while_its_own_rows_are_in_flight(tmp_path):
    """A plan task that is cleared after its load began waits until the verdicts are known, then plans the rest."""
    taker = Slow(asleep=True)
    with between(tmp_path, Tenant(devices=[device(1)]), taker) as flow:
        run, registry = begin(flow, "r1")
        with pytest.raises(RetryLater):
            load(flow, run, transform_timeout_s=0)
        before = run.folder.to_send("computer").path(0).read_bytes()
        with pytest.raises(RetryLater, match="earlier try of this run"):
            plan(flow, run, registry, "r1")
        assert run.folder.to_send("computer").path(0).read_bytes() == before
        taker.asleep, sent = False, inserts(flow)
        plan(flow, run, registry, "r1")
        assert finish(flow, run, registry, "r1") == {"extracted": 1, "unchanged": 1}
        assert inserts(flow) == sent


def test_a_run_that_sent_nothing_costs_nothing(tmp_path):
    """Runs that ended before their load are closed without asking ServiceNow for anything."""
    with between(tmp_path, Tenant(devices=[device(1)]), Slow()) as flow:
        run, registry = begin(flow, "r1")
        finish(flow, run, registry, "r1")
        for run_id in ("r2", "r3"):
            begin(flow, run_id)[1].release(run_id)
        asked = len(flow.asked)
        _, registry = begin(flow, "r4")
        assert len(flow.asked) == asked
        assert [known.run_id for known in registry.open_runs()] == ["r4"]


def test_a_run_whose_files_are_gone_stops_nobody(tmp_path):
    """An operator may delete old run folders; such a run is closed, and its rows are simply planned again."""
    with between(tmp_path, Tenant(devices=[device(1)]), Slow()) as flow:
        registry = RunRegistry(f"sqlite:///{tmp_path}/ledger.sqlite", PAIR, "devices")
        registry.take("r0", str(tmp_path / "deleted"))
        registry.release("r0")
        run, registry = begin(flow, "r1")
        assert finish(flow, run, registry, "r1") == {"extracted": 1, "inserted": 1}


_VICTIM = """
import sys
from pathlib import Path
import test_recover as t
from factories import PAIR
from instance import settings as account
from include.iru.client import IruClient, IruSettings
from include.servicenow.client import ServiceNowClient

folder, iru, snow = sys.argv[1:]
flow = t.Flow(Path(folder), iru=lambda: IruClient(IruSettings(iru, "t")),
              servicenow=lambda: ServiceNowClient(account(snow)))
run, registry = t.begin(flow, "r1")
with t.UnderWay(run.folder, registry, "r1", "load-computer"):
    t.load(flow, run)
"""


@pytest.mark.parametrize("asked_for", ["import_set_computer", "sys_import_set"])
def test_a_killed_process_leaves_a_run_that_the_next_one_completes(tmp_path, asked_for):
    """SIGKILL in mid-load: the next run starts at once, and sends only what was not acknowledged before."""
    tenant, taker = Tenant(devices=[device(n) for n in range(1, 1101)]), Slow()
    victim: list[subprocess.Popen] = []

    def killing(asked: Asked) -> Reply | None:
        if asked.method == "GET" and asked.path.endswith(asked_for):
            victim[0].send_signal(signal.SIGKILL)
        return None

    taker.hook = killing
    with between(tmp_path, tenant, taker) as flow:
        command = [sys.executable, "-c", _VICTIM, str(tmp_path)]
        command += [flow.iru().settings.base_url, flow.servicenow().settings.base_url]
        victim.append(subprocess.Popen(command, env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/core'}"}))
        assert victim[0].wait() == -signal.SIGKILL
        assert sum(map(len, taker.sets)) == (1 if asked_for == "import_set_computer" else 1100)  # the canary, or all
        taker.hook, flow.runs = (lambda asked: None), 1
        run, registry = begin(flow, "r2")
        finish(flow, run, registry, "r2")
        assert flow.ledger.read("computer")["row_hash"].notna().sum() == 1100
        assert registry.open_runs() == []
    serials = [row["serial_number"] for rows in taker.sets for row in rows]
    assert sorted(serials) == sorted(f"SER{n}" for n in range(1, 1101))
