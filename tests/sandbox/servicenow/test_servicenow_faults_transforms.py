"""Faults of whole transforms: halted, never started, slow, at odds with its counters, deleted, cancelled."""

import time
from typing import Any

import pytest

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
APPS = "x_kandj_kandji_kandji_import_set_apps"
KEYS = {COMPUTER: ("serial_number", "cmdb_ci_computer"), APPS: ("instance_key", "cmdb_sam_sw_install")}
MODES = ("single", "sync", "async")
TABLES = pytest.mark.parametrize("table", KEYS)


@pytest.fixture
def snow(shared: Any) -> Any:
    """The module's instance without faults and counts; its tables hold other tests' records under other keys."""
    shared.instance.faults.clear()
    shared.switch(transaction_quota_s=60, transform_row_time_s=0.0001, insert_multiple_synchronous=False)
    shared.call("DELETE", "/_sandbox/counters")
    return shared


def _records(table: str, prefix: str, count: int) -> list[dict[str, str]]:
    return [{KEYS[table][0]: f"{prefix}-{number}"} for number in range(count)]


def _labelled(table: str, prefix: str, count: int) -> list[dict[str, str]]:
    return [{name.replace("_", " "): v for name, v in each.items()} for each in _records(table, prefix, count)]


def _targets(snow: Any, table: str, prefix: str) -> list[str]:
    key, target = KEYS[table]
    return [row[key] for row in snow.rows(target, f"{key}STARTSWITH{prefix}-^ORDERBY{key}")]


def _states(snow: Any, table: str, prefix: str) -> list[str]:
    key = KEYS[table][0]
    rows = snow.rows(table, f"{key}STARTSWITH{prefix}-")
    return [row["sys_import_state"] for row in sorted(rows, key=lambda each: int(each[key].rpartition("-")[2]))]


def _set(snow: Any, table: str, prefix: str) -> dict[str, str]:
    (import_set,) = {row["sys_import_set"] for row in snow.rows(table, f"{KEYS[table][0]}STARTSWITH{prefix}-")}
    return snow.call("GET", f"table/sys_import_set/{import_set}").json()["result"]


def _fine(table: str) -> str:
    return "processed" if table == APPS else "inserted"


@TABLES
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_halted_transform_leaves_the_rows_after_it_pending(snow: Any, table: str, mode: str) -> None:
    """Rows before it are written, the row errs, the rest is untouched; the set ends in error, the run early."""
    prefix = f"halt-{mode}"
    snow.fault("transform_halted", match=table, at_row=2)
    snow.bring(mode, table, _records(table, prefix, 5))
    assert _targets(snow, table, prefix) == [f"{prefix}-0", f"{prefix}-1"]
    assert _states(snow, table, prefix) == [_fine(table), _fine(table), "error", "pending", "pending"]
    ended = _set(snow, table, prefix)
    assert ended["state"] == "error"
    (run,) = snow.rows("sys_import_set_run", f"set={ended['sys_id']}")
    assert (run["state"], run["total"], run["errors"]) == ("did_not_complete", "3", "1")
    assert snow.rows("sys_import_set_run", f"set={ended['sys_id']}", display_value="true")[0]["state"] == (
        "Did not complete"
    )
    assert snow.counters()["rows_by_state"] == {table: {_fine(table): 2, "error": 1}}


def test_a_halted_single_record_errs_and_the_next_one_gets_another_set(snow: Any) -> None:
    """The shared set ends in error, so that it takes no more rows."""
    snow.fault("transform_halted", match=COMPUTER)
    answers = [snow.post(COMPUTER, {"serial_number": f"halt1-{number}"}) for number in range(2)]
    assert [answer["status"] for answer in answers] == ["error", "inserted"]
    assert "halted" in answers[0]["error_message"]
    assert _targets(snow, COMPUTER, "halt1") == ["halt1-1"]
    sets = {row["sys_import_set"] for row in snow.rows(COMPUTER, "serial_numberSTARTSWITHhalt1-")}
    assert sorted(snow.state(each) for each in sets) == ["error", "loading"]


@TABLES
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_set_that_never_starts_stays_loaded_until_the_fault_is_gone(snow: Any, table: str, mode: str) -> None:
    """Its rows stay pending without any run; it is taken up again when nobody asks for the fault any more."""
    prefix = f"never-{mode}"
    snow.fault("transform_never_starts", match=table)
    snow.switch(insert_multiple_synchronous=mode == "sync")
    import_set = snow.send(table, _labelled(table, prefix, 2))
    snow.wait_for(lambda: bool(snow.instance.faults.snapshot()["strikes"]))
    assert (snow.state(import_set), _states(snow, table, prefix)) == ("loaded", ["pending", "pending"])
    assert snow.rows("sys_import_set_run", f"set={import_set}") == []
    assert _targets(snow, table, prefix) == []
    later = snow.send(table, _labelled(table, f"{prefix}b", 1))
    snow.wait_for(lambda: snow.state(later) == "processed")
    assert snow.state(import_set) == "loaded"
    snow.instance.faults.clear()
    snow.wait_for(lambda: snow.state(import_set) == "processed")
    assert len(_targets(snow, table, prefix)) == 2


def test_a_set_may_start_late(snow: Any) -> None:
    """With for_s it is picked up after so long, although the fault would strike again."""
    snow.fault("transform_never_starts", match=COMPUTER, for_s=0.3, times=0)
    begun_s = time.monotonic()
    import_set = snow.send(COMPUTER, _labelled(COMPUTER, "late", 1))
    snow.wait(import_set)
    assert time.monotonic() - begun_s > 0.3
    assert _targets(snow, COMPUTER, "late") == ["late-0"]


def test_a_single_record_whose_transform_never_starts_stays_pending(snow: Any) -> None:
    """The answer is that of an instance that does not transform synchronously (KB0813776)."""
    snow.fault("transform_never_starts", match=COMPUTER)
    shown = snow.post(COMPUTER, {"serial_number": "never1-0"})
    assert shown == {"transform_map": "", "status": "error", "error_message": "Invalid table "}
    assert (_states(snow, COMPUTER, "never1"), _targets(snow, COMPUTER, "never1")) == (["pending"], [])


def test_a_slow_transform_is_seen_running(snow: Any) -> None:
    """Its run is there and running, with nothing counted yet; afterwards everything is written."""
    snow.fault("transform_slow", match=COMPUTER, for_s=60)
    import_set = snow.send(COMPUTER, _labelled(COMPUTER, "slow", 2))
    snow.wait_for(lambda: bool(snow.rows("sys_import_set_run", f"set={import_set}")))
    (run,) = snow.rows("sys_import_set_run", f"set={import_set}")
    assert (run["state"], run["total"], snow.state(import_set)) == ("running", "0", "loaded")
    snow.instance.closing.set()
    assert snow.wait(import_set)["inserts"] == "2"
    snow.instance.closing.clear()


@pytest.mark.parametrize("mode", ["single", "sync"])
def test_a_slow_transform_keeps_the_request_waiting(snow: Any, mode: str) -> None:
    """Whoever waits for the transform waits so long."""
    snow.fault("transform_slow", match=COMPUTER, for_s=0.3)
    begun_s = time.monotonic()
    snow.bring(mode, COMPUTER, _records(COMPUTER, f"slow-{mode}", 1))
    assert time.monotonic() - begun_s > 0.3
    assert len(_targets(snow, COMPUTER, f"slow-{mode}")) == 1


@TABLES
@pytest.mark.parametrize("mode", MODES)
def test_a_run_may_claim_errors_that_no_row_has(snow: Any, table: str, mode: str) -> None:
    """Complete with errors, none counted, and every row is written."""
    prefix = f"claim-{mode}"
    snow.fault("completes_with_errors", match=table)
    snow.bring(mode, table, _records(table, prefix, 1))
    run_of = {row["import_set_run"] for row in snow.rows(table, f"{KEYS[table][0]}STARTSWITH{prefix}-")}
    run = snow.call("GET", f"table/sys_import_set_run/{run_of.pop()}").json()["result"]
    assert (run["state"], run["errors"]) == ("complete_with_errors", "0")
    assert _states(snow, table, prefix) == [_fine(table)]
    assert len(_targets(snow, table, prefix)) == 1


@TABLES
@pytest.mark.parametrize("mode", MODES)
def test_a_deleted_set_leaves_its_targets_and_its_counts(snow: Any, table: str, mode: str) -> None:
    """Set, runs and rows are gone, the targets are written, and the sandbox still knows what happened."""
    prefix = f"gone-{mode}"
    snow.fault("set_deleted", match=table)
    snow.switch(insert_multiple_synchronous=mode == "sync")
    if mode == "single":
        snow.bring(mode, table, _records(table, prefix, 1))
    else:
        import_set = snow.send(table, _labelled(table, prefix, 1))
        snow.wait_for(lambda: snow.call("GET", f"table/sys_import_set/{import_set}").status_code == 404)
        assert snow.rows("sys_import_set_run", f"set={import_set}") == []
    assert _states(snow, table, prefix) == []
    assert len(_targets(snow, table, prefix)) == 1
    counters = snow.counters()
    assert counters["rows_by_state"] == {table: {_fine(table): 1}}
    assert counters["staged_rows"] == {table: 1}
    # Where single records came before, theirs went into the set that was open.
    assert mode == "single" or counters["import_sets_by_table"] == {table: 1}


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_counters_lag_for_as_many_reads_as_asked(snow: Any, mode: str) -> None:
    """Two reads of the ended run show half, the third the truth; reads of no counters do not use the lag up."""
    snow.fault("counters_lag", match=COMPUTER, reads=2)
    snow.switch(insert_multiple_synchronous=mode == "sync")
    import_set = snow.send(COMPUTER, _labelled(COMPUTER, f"lag-{mode}", 4))
    snow.wait_for(lambda: snow.state(import_set) == "processed")
    query = f"set={import_set}"
    assert snow.rows("sys_import_set_run", query, fields="state") == [{"state": "complete"}]
    shown = [snow.rows("sys_import_set_run", query, fields="total,inserts")[0] for _ in range(3)]
    assert shown == [{"total": "2", "inserts": "2"}] * 2 + [{"total": "4", "inserts": "4"}]
    assert len(_targets(snow, COMPUTER, f"lag-{mode}")) == 4


def test_counters_tell_the_truth_again_when_the_fault_is_gone(snow: Any) -> None:
    """A lag that was not read out ends with its fault."""
    snow.fault("counters_lag", match=COMPUTER, reads=100)
    run = snow.load(COMPUTER, _records(COMPUTER, "lagged", 4))
    assert run["total"] == "2"
    snow.instance.faults.clear()
    assert snow.rows("sys_import_set_run", f"set={run['set']}")[0]["total"] == "4"


def _assert_cancelled(answer: Any) -> None:
    assert answer.status_code == 500
    assert answer.json()["status"] == "failure"
    assert "TransactionCancelledException" in answer.json()["error"]["detail"]


def _send(snow: Any, table: str, prefix: str, count: int) -> Any:
    snow.switch(insert_multiple_synchronous=True)
    return snow.call("POST", f"import/{table}/insertMultiple", json={"records": _labelled(table, prefix, count)})


@TABLES
def test_the_quota_cancels_a_synchronous_load_half_way(snow: Any, table: str) -> None:
    """500 after the first half is written; the rest stays pending, the run is cancelled, the set loaded for good."""
    snow.fault("quota_cancelled", match=table)
    _assert_cancelled(_send(snow, table, "half", 4))
    assert _targets(snow, table, "half") == ["half-0", "half-1"]
    assert _states(snow, table, "half") == [_fine(table)] * 2 + ["pending"] * 2
    left = _set(snow, table, "half")
    assert left["state"] == "loaded"
    (run,) = snow.rows("sys_import_set_run", f"set={left['sys_id']}")
    assert (run["state"], run["total"]) == ("cancelled", "2")
    assert snow.counters()["rows_by_state"] == {table: {_fine(table): 2}}


def test_the_quota_may_cancel_after_all_rows(snow: Any) -> None:
    """The answer is lost although everything is written: whoever asks must read, not believe the 500."""
    snow.fault("quota_cancelled", match=COMPUTER, after_rows=9)
    _assert_cancelled(_send(snow, COMPUTER, "whole", 3))
    assert _states(snow, COMPUTER, "whole") == ["inserted"] * 3
    assert len(_targets(snow, COMPUTER, "whole")) == 3


@TABLES
@pytest.mark.parametrize(("after_rows", "written"), [(0, False), (1, True)])
def test_the_quota_cancels_a_single_record(snow: Any, table: str, after_rows: int, *, written: bool) -> None:
    """Before its transform or after it; the next record goes into the same set with a run of its own."""
    prefix = f"one{after_rows}"
    first, second = _records(table, prefix, 2)
    snow.fault("quota_cancelled", match=table, after_rows=after_rows)
    _assert_cancelled(snow.call("POST", f"import/{table}", json=first))
    assert snow.post(table, second)["status"] == _fine(table)
    assert _states(snow, table, prefix) == [_fine(table) if written else "pending", _fine(table)]
    assert len(_targets(snow, table, prefix)) == 1 + written
    runs = snow.rows("sys_import_set_run", f"set={_set(snow, table, prefix)['sys_id']}")
    assert {"cancelled", "running"} <= {run["state"] for run in runs}


def test_a_transform_that_takes_too_long_is_cancelled_by_the_clock(snow: Any) -> None:
    """Without any fault: 200 rows of 2 ms within a quota of 0.1 s come to their fiftieth."""
    snow.switch(transaction_quota_s=0.1, transform_row_time_s=0.002)
    begun_s = time.monotonic()
    _assert_cancelled(_send(snow, COMPUTER, "clock", 200))
    assert time.monotonic() - begun_s > 0.1
    assert len(_targets(snow, COMPUTER, "clock")) == 50
    assert snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "clock2-0"}).status_code == 201


def test_a_slow_single_record_meets_the_quota_too(snow: Any) -> None:
    """It is cancelled when the quota ends, its row staged and pending."""
    snow.switch(transaction_quota_s=0.1)
    snow.fault("transform_slow", match=COMPUTER, for_s=60)
    _assert_cancelled(snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "slow1-0"}))
    assert (_states(snow, COMPUTER, "slow1"), _targets(snow, COMPUTER, "slow1")) == (["pending"], [])


def test_the_quota_does_not_touch_what_nobody_waits_for(snow: Any) -> None:
    """Asynchronous transforms have no transaction to cancel."""
    snow.switch(transaction_quota_s=0.01, transform_row_time_s=0.002)
    snow.fault("quota_cancelled", match=COMPUTER, times=0)
    assert snow.load(COMPUTER, _records(COMPUTER, "background", 20))["inserts"] == "20"
