"""Tasks that work on one run beside each other: none stands in another's way, and nothing is lost or done twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from factories import PAIR
from iru_servicenow.partitions import added_up

from include.errors import RetryLater, RunUnsafe, SetupWrong
from include.inventory.processes import Process, this_process
from include.inventory.run_registry import RunRegistry
from include.loading.frames import Share, frame_parts

ALIVE = this_process()


def registry(tmp_path: Path, *, pid: int | None = None, later_s: float = 0.0) -> RunRegistry:
    """Open the registry as this process, or as another one of this host, some time from now."""
    me = Process(ALIVE.host, pid or ALIVE.pid, ALIVE.started_s if pid is None else 1.0)
    now = datetime.now(UTC) + timedelta(seconds=later_s)
    return RunRegistry(f"sqlite:///{tmp_path}/ledger.sqlite", PAIR, "apps", me=lambda: me, now=lambda: now)


def begun(tmp_path: Path) -> RunRegistry:
    """Return the registry of a run that has planned."""
    runs = registry(tmp_path)
    runs.take("r1", "folder")
    runs.leave("r1")
    return runs


def test_partitions_are_at_work_beside_each_other(tmp_path):
    """Two processes hold two partitions of one stage, and neither is refused."""
    begun(tmp_path).enter_part("r1", "load-apps-0")
    registry(tmp_path, pid=2**22 - 1).enter_part("r1", "load-apps-1")


def test_a_partition_has_one_process(tmp_path):
    """A second process waits while the first one lives, and goes on once it is dead."""
    begun(tmp_path).enter_part("r1", "load-apps-0")
    with pytest.raises(RetryLater, match="load-apps-0"):
        registry(tmp_path, pid=2**22 - 1).enter_part("r1", "load-apps-0")
    registry(tmp_path, pid=2**22 - 1).enter_part("r1", "load-apps-1")
    registry(tmp_path).enter_part("r1", "load-apps-1")


def test_no_other_run_begins_while_a_partition_is_at_work(tmp_path):
    """However long the load takes, a run is under way until its last partition has ended."""
    runs = begun(tmp_path)
    runs.enter_part("r1", "load-apps-0")
    runs.enter_part("r1", "load-apps-1")
    runs.leave_part("r1", "load-apps-0")
    with pytest.raises(RetryLater, match="load-apps-1"):
        registry(tmp_path, later_s=600).take("r2", "folder")
    runs.leave_part("r1", "load-apps-1")
    registry(tmp_path, later_s=600).take("r2", "folder")
    with pytest.raises(RunUnsafe, match="r2"):
        runs.enter_part("r1", "load-apps-0")


def test_a_released_run_leaves_no_partitions(tmp_path):
    """The next run begins at once, whatever the partitions of the last one were."""
    runs = begun(tmp_path)
    runs.enter_part("r1", "load-apps-0")
    runs.release("r1")
    runs.take("r2", "folder")


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_every_file_has_one_share(tmp_path, of):
    """The shares of a frame are all its files, each once."""
    for number in range(5):
        (tmp_path / f"part-{number:06d}.parquet").touch()
    shares = [frame_parts(tmp_path, Share(number, of)) for number in range(of)]
    assert sorted(path for share in shares for path in share) == frame_parts(tmp_path)
    with pytest.raises(SetupWrong, match="partition"):
        Share(of, of)


def test_a_load_has_ended_once_each_of_its_tasks_has():
    """Counts and costs of all tasks add up; a task that returned nothing is missed."""
    one = {"rows": 2, "requests": 3, "retries": 1, "waited_s": 0.5, "outcomes": {"processed": 2}}
    other = {"rows": 1, "requests": 2, "retries": 0, "waited_s": 0.0, "outcomes": {"error": 1}}
    both = added_up([one, other], of=2)
    assert (both["rows"], both["requests"], both["outcomes"]) == (3, 5, {"processed": 2, "error": 1})
    assert both["ended"]
    assert not added_up([one, None], of=2)["ended"]
    assert not added_up(one, of=2)["ended"]
    assert added_up(one, of=1)["ended"]
