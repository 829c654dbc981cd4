"""The chaos run in small, and its judge, which must see what is wrong."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.chaos import FAILURES, Plan, play
from bench.chaos_judge import Judgement, judge
from bench.chaos_run import run_to_end
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

FLEET = FleetSpec(devices=12, apps_per_device=0, seed=3)
SWITCHES = {"servicenow.transform_pickup_delay_s": 0.0}


def test_faults_and_a_kill_leave_every_row_right():
    """Two hundred devices go through faults and a kill: no verdict is wrong or missing, no record is there twice."""
    played = play(Plan(devices=200, seed=1, kills=1))
    assert {name: played[name] for name in FAILURES} == dict.fromkeys(FAILURES, 0), played["examples"]
    assert played["ended"]
    assert played["kills"] == 1
    assert played["faults"] > 0
    assert played["verdicts"] > 0


@dataclass
class Ended:
    """A flow that has ended, in files that a test can spoil."""

    sandbox: Sandbox
    root: Path
    instance: Path

    def judge(self) -> Judgement:
        """Judge it."""
        return judge(self.sandbox, self.root)

    def spoil(self, file: Path, *statements: str) -> int:
        """Change a database behind everybody's back; return how many rows the last statement changed."""
        with closing(sqlite3.connect(file)) as database, database:
            changed = [database.execute(statement).rowcount for statement in statements]
        assert changed[-1] > 0
        return changed[-1]


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[Ended]:
    """Bring a small fleet into ServiceNow."""
    with Sandbox(SandboxSpec(fleet=FLEET, switches=SWITCHES, database_dir=tmp_path / "db")) as sandbox:
        assert run_to_end(sandbox, tmp_path / "flow").ended
        yield Ended(sandbox, tmp_path / "flow", tmp_path / "db/servicenow.sqlite")


def test_the_judge_sees_what_is_wrong(ended):
    """A false verdict, a lost one, a record that differs and one that is there twice are each found, by number."""
    found = ended.judge()
    assert [getattr(found, name) for name in FAILURES] == [0, 0, 0, 0], found.examples
    assert found.verdicts > 12
    ledger = ended.root / "ledger.sqlite"
    changed = ended.spoil(ledger, "UPDATE ledger_rows SET verdict = 'error' WHERE feed = 'mdm' AND rowid % 7 = 0")
    assert ended.judge().wrong == changed
    changed = ended.spoil(ledger, "DELETE FROM ledger_rows WHERE feed = 'mdm' AND rowid % 7 = 0")
    found = ended.judge()
    assert (found.wrong, found.missing) == (0, changed)
    changed = ended.spoil(ended.instance, "UPDATE cmdb_ci_computer SET os_version = 'another' WHERE os = 'macOS'")
    found = ended.judge()
    assert (found.wrong, found.differences) == (changed, changed)
    ended.spoil(
        ended.instance,
        "CREATE TABLE copied AS SELECT * FROM x_kandj_kandji_mdm LIMIT 1",
        "UPDATE copied SET sys_id = 'a copy'",
        "INSERT INTO x_kandj_kandji_mdm SELECT * FROM copied",
    )
    assert ended.judge().duplicates == 1
