"""At most one run of a flow is under way, a dead one is taken over, and one that was taken over goes no further."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import psutil
import pytest
from factories import PAIR

from include.errors import RetryLater, RunUnsafe
from include.inventory.ledger import Pair
from include.inventory.processes import Process, is_alive, this_process
from include.inventory.run_folder import RunFolder
from include.inventory.run_registry import RunRegistry
from include.inventory.under_way import UnderWay

ROOT = Path(__file__).parents[2]


@dataclass
class Clock:
    """A clock that stands still until it is told."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.at

    def pass_(self, **time: float) -> None:
        """Let time pass."""
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that all registries of a test share."""
    return Clock()


def dead_process() -> Process:
    """Return a process of this host that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process(this_process().host, child.pid, psutil.Process(child.pid).create_time())
    assert is_alive(process)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has fetched its status yet
    assert not is_alive(process), "a zombie works no more"
    child.communicate()
    return process


def registry(folder: Path, clock: Clock, me: Process | None = None, *, name: str = "devices", pair: Pair = PAIR):
    """Open the registry as a process does."""
    return RunRegistry(f"sqlite:///{folder}/ledger.sqlite", pair, name, now=clock, me=lambda: me or this_process())


def other(**changes) -> Process:
    """Return a process of another host."""
    return replace(Process("elsewhere", 4711, 1.0), **changes)


def test_a_second_run_waits_for_the_first(tmp_path, clock):
    """While a run is under way, another one is told which, where and since when."""
    first, second = registry(tmp_path, clock), registry(tmp_path, clock, other())
    first.take("r1", "/runs/r1")
    with pytest.raises(RetryLater, match=r"Run r1 is under way \(stage prepare, since 2026-01-01 00:00:00") as caught:
        second.take("r2", "/runs/r2")
    assert caught.value.after_s is None
    first.release("r1")
    second.take("r2", "/runs/r2")


@pytest.mark.parametrize("stage", ["extract", "shape", "plan", "load-computer", "settle"])
def test_every_stage_keeps_a_rival_away(tmp_path, clock, stage):
    """Each stage renews the run's hold for as long as it lasts, however long that is on a living process."""
    mine = registry(tmp_path, clock)
    mine.take("r1", "f")
    mine.leave("r1")
    clock.pass_(seconds=59)
    mine.enter("r1", stage)
    clock.pass_(hours=5)
    with pytest.raises(RetryLater, match=stage):
        registry(tmp_path, clock).take("r2", "f")


def test_a_run_whose_process_died_in_mid_stage_is_taken_over_at_once(tmp_path, clock):
    """After a kill nobody waits: the process is gone, and so is its run."""
    registry(tmp_path, clock, dead_process()).take("r1", "f")
    registry(tmp_path, clock).take("r2", "f")
    assert [run.run_id for run in registry(tmp_path, clock).open_runs()] == ["r1", "r2"]


def test_a_number_that_another_process_got_since_is_not_the_run(tmp_path, clock):
    """A process is told by its start too, or a reboot would leave a hold for ever."""
    registry(tmp_path, clock, replace(this_process(), started_s=1.0)).take("r1", "f")
    registry(tmp_path, clock).take("r2", "f")


def test_a_run_between_stages_is_given_up_after_a_minute(tmp_path, clock):
    """A scheduler that died starts no next stage; a slow one has a minute for it."""
    mine = registry(tmp_path, clock, dead_process())
    mine.take("r1", "f")
    mine.leave("r1")
    clock.pass_(seconds=60)
    with pytest.raises(RetryLater, match="after stage prepare"):
        registry(tmp_path, clock).take("r2", "f")
    clock.pass_(seconds=1)
    registry(tmp_path, clock).take("r2", "f")


def test_a_run_that_waits_for_its_retry_is_not_given_up(tmp_path, clock):
    """Whoever looks at a plan while a load waits for ServiceNow to come back does not end the load."""
    mine = registry(tmp_path, clock, other())
    mine.take("r1", "f")
    failing = UnderWay(RunFolder(tmp_path), mine, "r1", "plan", pause_s=lambda error: 600.0 if error.args else 0.0)
    with pytest.raises(RetryLater, match="down"), failing:
        raise RetryLater("down")
    clock.pass_(seconds=659)
    with pytest.raises(RetryLater, match="stage plan failed and is tried again within 600 s"):
        registry(tmp_path, clock).take("r2", "f")
    clock.pass_(seconds=2)
    registry(tmp_path, clock).take("r2", "f")


def test_a_run_in_one_process_that_died_between_stages_is_taken_over_at_once(tmp_path, clock):
    """A run of `make dag` lives in one process, so that its death ends it also between two stages."""
    mine = registry(tmp_path, clock, dead_process())
    mine.take("r1", "f")
    mine.enter("r1", "extract")
    mine.leave("r1")
    registry(tmp_path, clock).take("r2", "f")


def test_a_stage_on_another_host_is_dead_after_two_hours_without_a_beat(tmp_path, clock):
    """Nobody can look at a process elsewhere, so the longest time that a stage may take decides."""
    registry(tmp_path, clock, other()).take("r1", "f")
    clock.pass_(hours=2)
    with pytest.raises(RetryLater):
        registry(tmp_path, clock).take("r2", "f")
    clock.pass_(seconds=1)
    registry(tmp_path, clock).take("r2", "f")


def test_a_run_that_was_taken_over_goes_no_further(tmp_path, clock):
    """A worker that comes back after its run was given up would send what is out of date."""
    late = registry(tmp_path, clock, other())
    late.take("r1", "f")
    late.leave("r1")
    clock.pass_(minutes=2)
    registry(tmp_path, clock).take("r2", "f")
    with pytest.raises(RunUnsafe, match="r1 of devices goes no further: run r2 has begun"):
        late.enter("r1", "load-computer")
    assert late.lost_to("r1") == "r2"


def test_a_finished_run_goes_on_where_none_began_since(tmp_path, clock):
    """An operator may clear a load of the last run, and of no earlier one."""
    mine = registry(tmp_path, clock)
    mine.take("r1", "f")
    mine.close("r1")
    mine.release("r1")
    mine.enter("r1", "load-computer")
    assert [run.run_id for run in mine.open_runs()] == ["r1"]
    mine.release("r1")
    mine.take("r2", "f")
    mine.release("r2")
    with pytest.raises(RunUnsafe, match="r2"):
        mine.enter("r1", "load-computer")


def test_a_run_cleared_from_its_start_takes_a_new_turn(tmp_path, clock):
    """Started again from its first task, a run is the newest, and what came between is older than it."""
    mine = registry(tmp_path, clock)
    for run_id in ("r1", "r2", "r1"):
        mine.take(run_id, "f")
        mine.release(run_id)
    assert mine.newer_than("r2") == {"r1"}
    assert mine.newer_than("r1") == set()
    mine.enter("r1", "extract")


def test_a_try_beside_a_living_one_waits(tmp_path, clock):
    """Where Airflow starts a task again although the first try still works, the second does not load beside it."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    alive = Process(this_process().host, child.pid, psutil.Process(child.pid).create_time())
    try:
        registry(tmp_path, clock, alive).take("r1", "f")
        with pytest.raises(RetryLater, match="r1 is under way"):
            registry(tmp_path, clock).enter("r1", "prepare")
    finally:
        child.communicate()
    registry(tmp_path, clock).enter("r1", "prepare")


def test_a_run_that_moves_on_in_the_moment_of_a_takeover_keeps_its_turn(tmp_path, clock, monkeypatch):
    """A rival judges by what it read; if the run has begun its next stage since, the rival stays away."""
    slow = registry(tmp_path, clock, other())
    slow.take("r1", "f")
    slow.leave("r1")
    clock.pass_(minutes=2)
    rival = registry(tmp_path, clock)
    judge = rival._refuse_while_at_work

    def judging(last):
        judge(last)
        slow.enter("r1", "plan")

    monkeypatch.setattr(rival, "_refuse_while_at_work", judging)
    with pytest.raises(RetryLater, match="r1"):
        rival.take("r2", "f")
    slow.enter("r1", "plan")


def test_of_runs_that_begin_at_once_one_begins(tmp_path, clock):
    """However many start at the same moment, exactly one is under way."""
    for turn in range(3):
        folder = tmp_path / f"{turn}"
        registries = [registry(folder, clock) for _ in range(6)]
        barrier = Barrier(6)

        def begin(number: int, registries=registries, barrier=barrier) -> bool:
            barrier.wait()
            try:
                registries[number].take(f"r{number}", "f")
            except RetryLater:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(begin, range(6))) == 1


def test_flows_and_pairs_do_not_wait_for_each_other(tmp_path, clock):
    """Apps may load beside devices, and one installation may serve two tenants."""
    registry(tmp_path, clock).take("r1", "f")
    registry(tmp_path, clock, name="apps").take("r1", "f")
    registry(tmp_path, clock, pair=Pair("other", PAIR.target)).take("r1", "f")


def test_runs_of_long_ago_are_forgotten(tmp_path, clock, monkeypatch):
    """A run every five minutes does not fill the database, but what is open stays."""
    monkeypatch.setattr("include.inventory.run_registry._KEPT_RUNS", 2)
    mine = registry(tmp_path, clock)
    for number in range(6):
        mine.take(f"r{number}", "f")
        mine.release(f"r{number}")
        if number:
            mine.close(f"r{number}")
    assert mine.newer_than("r0") == {"r3", "r4", "r5"}
    assert [run.run_id for run in mine.open_runs()] == ["r0"]


def test_a_stage_that_fails_leaves_its_reason_and_ends(tmp_path, clock):
    """The report can say why; an error that is not ours leaves its kind alone, since its text may hold anything."""
    folder, mine = RunFolder(tmp_path / "run"), registry(tmp_path, clock)
    mine.take("r1", "f")
    for error, said in [(RetryLater("Iru is down."), "Iru is down."), (ValueError("ann@example.com"), "ValueError")]:
        with pytest.raises(type(error)), UnderWay(folder, registry(tmp_path, clock), "r1", "extract"):
            raise error
        assert said in folder.failure_of("extract")
        assert "ann@" not in folder.failure_of("extract")
        assert not mine.open_runs()[0].in_stage


def test_a_stage_that_begins_anew_forgets_what_it_and_later_ones_told(tmp_path, clock):
    """A report never takes an earlier try's numbers for this one's."""
    folder, mine = RunFolder(tmp_path / "run"), registry(tmp_path, clock)
    mine.take("r1", "f")
    for stage in ("extract", "shape-computer", "shape", "plan-computer", "plan"):
        folder.note(stage, {"a": 1})
    folder.note_failure("load-mdm", RetryLater("x"))
    with UnderWay(folder, mine, "r1", "shape"):
        pass
    told = [s for s in ("extract", "shape-computer", "shape", "plan-computer", "plan") if folder.told_by(s)]
    assert told == ["extract"]
    assert folder.failure_of("load-mdm") == ""


_HOLDER = """
import sys
from include.inventory.run_registry import RunRegistry
from factories import PAIR
RunRegistry(sys.argv[1], PAIR, "devices").take("r1", "f")
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_run_that_is_killed_is_taken_over(tmp_path, clock):
    """With real processes: a rival waits while the holder lives, and begins as soon as it was killed."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    path = f"{ROOT}:{ROOT / 'tests/core'}"
    child = subprocess.Popen([sys.executable, "-c", _HOLDER, url], env=os.environ | {"PYTHONPATH": path}, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdout.readline() == "taken\n"
    rival = RunRegistry(url, PAIR, "devices")
    with pytest.raises(RetryLater, match=f"process {child.pid}"):
        rival.take("r2", "f")
    child.send_signal(signal.SIGKILL)
    child.communicate()
    rival.take("r2", "f")
    assert rival.lost_to("r1") == "r2"
