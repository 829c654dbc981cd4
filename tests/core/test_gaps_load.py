"""Verdicts come from what ServiceNow says of each row, also where its counters and answers are misleading."""

from collections.abc import Callable

import pytest
from instance import OWN, TABLE, Instance, error
from scripted import Asked, Reply, serving
from test_load import Clock, frame, load, verdicts

from include.errors import SetupWrong

ROWS = f"/api/now/table/{TABLE}"
RUNS = "/api/now/table/sys_import_set_run"
Hook = Callable[[Asked], Reply | None]


def _second_fails(row: dict[str, str]) -> tuple[str, str]:
    return ("error", "no") if row["u_key"] == "k1" else ("inserted", "")


def _run(**counters: int) -> dict[str, str]:
    texts = {name: str(n) for name, n in counters.items()}
    return {"sys_id": "run", "set": f"set{0:029d}", "state": "complete", "total": "2"} | texts


def _with_runs(*runs: dict[str, str]) -> Hook:
    def hook(asked: Asked) -> Reply | None:
        first = asked.query.get("sysparm_offset") == "0"
        return Reply({"result": list(runs) if first else []}) if asked.path == RUNS else None

    return hook


def test_a_run_that_counts_every_row_twice_hides_no_error(tmp_path):
    """Two maps in one run count each row twice: two inserts may be one row's, and the other row failed."""
    path = frame(tmp_path, 2)
    with serving(Instance(judge=_second_fails, hook=_with_runs(_run(inserts=2, errors=2)))) as server:
        load(server, path)
    assert verdicts(path) == {0: "inserted", 1: "error"}


def test_the_success_of_one_run_hides_no_error_of_another(tmp_path):
    """An import set with two runs is judged by its rows: the first run's counters say nothing of the second."""
    path = frame(tmp_path, 2)
    runs = _run(inserts=2), _run(inserts=1, errors=1) | {"sys_id": "run2"}
    with serving(Instance(judge=_second_fails, hook=_with_runs(*runs))) as server:
        load(server, path)
    assert verdicts(path) == {0: "inserted", 1: "error"}


def _staged_late(instance: Instance, *, polls: int) -> Hook:
    """Refuse the import set's state; for some polls its rows are not staged, and its run says that all is done."""
    seen = [0]

    def hook(asked: Asked) -> Reply | None:
        if "/sys_import_set/" in asked.path:
            seen[0] += 1
            return error(403, "no role")
        early = seen[0] <= polls
        if asked.path == ROWS and early:
            return Reply({"result": []})
        if asked.path == RUNS and early and instance.runs == "one":
            return Reply({"result": [_run(inserts=0)] if asked.query["sysparm_offset"] == "0" else []})
        return None

    return hook


def test_rows_that_are_not_staged_yet_are_waited_for(tmp_path):
    """An account that sees only staging rows does not take an import set that is still filling for one that ended."""
    path = frame(tmp_path, 2)
    instance = Instance(runs="403")
    instance.hook = _staged_late(instance, polls=3)
    with serving(instance) as server:
        load(server, path)
    assert verdicts(path) == dict.fromkeys(range(2), "inserted")


def test_a_run_that_has_not_counted_every_row_has_not_ended(tmp_path):
    """A run that calls itself complete before its counters cover the rows is asked again, however long they lag."""
    path = frame(tmp_path, 2)
    instance = Instance()
    instance.hook = _staged_late(instance, polls=12)
    with serving(instance) as server:
        load(server, path)
    assert verdicts(path) == dict.fromkeys(range(2), "inserted")


def test_rows_of_other_import_sets_are_left_aside(tmp_path):
    """A server that ignores parts of a query shows too many rows: only those of the import set count, and at once."""
    path, clock = frame(tmp_path, 4), Clock()
    instance = Instance(judge=_second_fails)

    def unfiltered(asked: Asked) -> Reply | None:
        if asked.path != ROWS or asked.query["sysparm_offset"] != "0":
            return None
        shown = [{name: row.get(name, "") for name in (*OWN, "u_key", "u_name")} for row in instance.stored()]
        return Reply({"result": shown}, headers={"X-Total-Count": str(len(shown))})

    instance.hook = unfiltered
    with serving(instance) as server:
        load(server, path, clock)
    assert verdicts(path) == {0: "inserted", 1: "error", 2: "inserted", 3: "inserted"}
    assert clock.now_s == 0


@pytest.mark.parametrize("answer", [error(403, "no role"), Reply({"result": []})], ids=["refused", "hidden"])
def test_rows_that_nobody_may_see_are_told_and_do_not_stop_the_load(tmp_path, caplog, answer):
    """Where staging rows cannot be read, counters give the verdicts, and the log says that nothing was compared."""
    path = frame(tmp_path, 4)
    with serving(Instance(hook=lambda asked: answer if asked.path == ROWS else None)) as server:
        load(server, path)
    assert verdicts(path) == dict.fromkeys(range(4), "inserted")
    assert "cannot be compared with what was sent" in caplog.text


def test_single_records_with_verdicts_are_not_sent_again(tmp_path):
    """A load by single records that is started again repeats no request whose verdict is known."""
    path = frame(tmp_path, 4)
    instance = Instance()
    with serving(instance) as server:
        first = load(server, path, method="single")
        again = load(server, path, method="single")
    assert len(instance.stored()) == 4
    assert again.outcomes == first.outcomes


def test_a_finished_load_started_again_reads_no_verdict_again(tmp_path):
    """What is settled is read from the receipts, also after ServiceNow has cleaned its import sets up."""
    path = frame(tmp_path, 4)
    with serving(instance := Instance()) as server:
        first = load(server, path)
        instance.sets.clear()
        assert load(server, path).outcomes == first.outcomes


def test_a_load_that_goes_on_with_other_chunks_has_one_verdict_per_row(tmp_path):
    """Chunks of another size overlap those of the earlier try; no row is counted twice for that."""
    path = frame(tmp_path, 6)
    with serving(Instance()) as server:
        load(server, path, chunk_rows=2)
        assert sum(load(server, path, chunk_rows=4).outcomes.values()) == 6
    assert verdicts(path) == dict.fromkeys(range(6), "inserted")


def test_single_records_prove_the_set_up_before_all_threads_send(tmp_path):
    """What the first record's refusal tells is learned once, not once per thread."""
    single = f"/api/now/import/{TABLE}"
    with serving(Instance(hook=lambda asked: error(403, "no role") if asked.path == single else None)) as server:
        with pytest.raises(SetupWrong, match="no role"):
            load(server, frame(tmp_path, 8), method="single", concurrency=4)
        assert server.paths("POST").count(single) == 1
