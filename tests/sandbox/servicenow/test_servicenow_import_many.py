"""insertMultiple: keys, import sets, the transform that comes later, and what can be read about it afterwards."""

import time
from typing import Any

import pytest

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
APPS = "x_kandj_kandji_kandji_import_set_apps"


def _records(count: int, **more: str) -> list[dict[str, str]]:
    return [{"Serial number": f"S{number}", "Device name": f"Mac {number}", **more} for number in range(count)]


def test_the_answer_holds_two_ids_and_nothing_else(snow: Any) -> None:
    """No row results, ever; each call opens an import set of its own."""
    answers = [snow.call("POST", f"import/{COMPUTER}/insertMultiple", json={"records": _records(2)}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert all(list(answer.json()) == ["import_set_id", "multi_import_set_id"] for answer in answers)
    assert answers[0].json()["import_set_id"] != answers[1].json()["import_set_id"]
    assert answers[0].json()["multi_import_set_id"] != answers[1].json()["multi_import_set_id"]


def test_keys_are_labels_without_case(snow: Any) -> None:
    """The default column mapping is by label."""
    run = snow.wait(snow.send(COMPUTER, [{"SERIAL NUMBER": "S1", "device Name": "Mac"}]))
    assert run["inserts"] == "1"
    assert [row["name"] for row in snow.rows("cmdb_ci_computer")] == ["Mac"]


def test_column_names_as_keys_land_empty_and_are_skipped(snow: Any) -> None:
    """The best-known trap: 201, rows without values, and a transform that skips them all."""
    import_set = snow.send(COMPUTER, [{"serial_number": "S1", "device_name": "Mac"}])
    run = snow.wait(import_set)
    assert (run["state"], run["total"], run["skipped"]) == ("complete", "1", "1")
    (row,) = snow.rows(COMPUTER, f"sys_import_set={import_set}")
    assert (row["serial_number"], row["device_name"], row["sys_import_state"]) == ("", "", "skipped")
    assert row["sys_import_state_comment"] == "Unable to resolve target record, coalesce values not present"


def test_names_as_keys_by_configuration_of_the_table(snow: Any) -> None:
    """A sys_rest_insert_multiple record with column mapping by name turns the keys around."""
    snow.create("sys_rest_insert_multiple", source_table=COMPUTER, column_mapping="column_name")
    run = snow.wait(snow.send(COMPUTER, [{"serial_number": "S1", "device_name": "Mac"}]))
    assert run["inserts"] == "1"


def test_names_as_keys_by_switch(serve: Any) -> None:
    """The switch sets the same for every table that has no record of its own."""
    snow = serve(insert_multiple_keys="name")
    assert snow.wait(snow.send(COMPUTER, [{"serial_number": "S1"}]))["inserts"] == "1"
    snow.create("sys_rest_insert_multiple", source_table=COMPUTER)
    assert snow.wait(snow.send(COMPUTER, [{"serial_number": "S2"}]))["skipped"] == "1"


def test_the_transform_comes_later_and_can_be_watched(serve: Any) -> None:
    """After the answer the set is loaded and its rows are pending; only after the pick-up delay it is processed."""
    snow = serve(transform_pickup_delay_s=0.4)
    import_set = snow.send(COMPUTER, _records(3))
    assert snow.state(import_set) == "loaded"
    assert {row["sys_import_state"] for row in snow.rows(COMPUTER)} == {"pending"}
    assert snow.rows("sys_import_set_run") == []
    snow.wait(import_set)
    assert snow.state(import_set) == "processed"


def test_synchronous_by_configuration(snow: Any) -> None:
    """With the table set to synchronous the answer comes after the transform, still without row results."""
    snow.create("sys_rest_insert_multiple", source_table=COMPUTER, transformation="synchronous")
    answer = snow.call("POST", f"import/{COMPUTER}/insertMultiple", json={"records": _records(2)})
    assert list(answer.json()) == ["import_set_id", "multi_import_set_id"]
    assert snow.state(answer.json()["import_set_id"]) == "processed"


def test_rows_of_many_do_not_mix_with_single_records(snow: Any) -> None:
    """A synchronous insertMultiple has its own set; single POSTs go on in theirs."""
    snow.switch(insert_multiple_synchronous=True)
    snow.post(COMPUTER, {"serial_number": "A"})
    snow.send(COMPUTER, _records(1))
    snow.post(COMPUTER, {"serial_number": "B"})
    assert sorted(row["state"] for row in snow.rows("sys_import_set")) == ["loading", "processed"]


def test_sets_are_grouped_by_multi_import_set(snow: Any) -> None:
    """multi_import_set_id adds a set to an existing group."""
    first = snow.call("POST", f"import/{COMPUTER}/insertMultiple", json={"records": _records(1)}).json()
    group = first["multi_import_set_id"]
    second = snow.call(
        "POST", f"import/{COMPUTER}/insertMultiple", params={"multi_import_set_id": group}, json={"records": []}
    ).json()
    assert second["multi_import_set_id"] == group
    assert len(snow.rows("sys_import_set", f"multi_import_set={group}")) == 2


def test_run_after_keeps_the_order(serve: Any) -> None:
    """A set that runs after another waits for it, although a worker is free."""
    snow = serve(transform_row_time_s=0.004)
    first = snow.send(COMPUTER, _records(100, **{"OS type": "x", "Os type": "slow"}))
    second = snow.send(COMPUTER, [{"Serial number": "S0", "Os type": "fast"}], run_after=first)
    snow.wait(second)
    assert snow.state(first) == "processed"
    (computer,) = snow.rows("cmdb_ci_computer", "serial_number=S0")
    assert computer["os"] == "fast"


def test_two_sets_at_a_time(serve: Any) -> None:
    """Two transformer jobs work at once, a third set waits."""
    snow = serve(transform_row_time_s=0.01, transform_pickup_delay_s=0.0)
    sets = [snow.send(COMPUTER, _records(100)) for _ in range(3)]
    deadline = time.monotonic() + 20
    highest = 0
    while snow.state(sets[-1]) != "processed" and time.monotonic() < deadline:
        highest = max(highest, len(snow.rows("sys_import_set_run", "state=running")))
    assert highest == 2


def test_counters_add_up_and_rows_tell_the_rest(snow: Any) -> None:
    """Total = inserts + updates + ignored + skipped + errors; each row names its state, run and target."""
    snow.load(COMPUTER, [{"serial_number": "S0", "device_name": "a"}, {"serial_number": "S1", "device_name": "b"}])
    mixed = [
        {"serial_number": "S0", "device_name": "a"},
        {"serial_number": "S1", "device_name": "changed"},
        {"serial_number": "S2", "device_name": "new"},
        {"device_name": "nameless"},
    ]
    run = snow.load(COMPUTER, mixed)
    counters = {name: run[name] for name in ("total", "inserts", "updates", "ignored", "skipped", "errors")}
    assert counters == {"total": "4", "inserts": "1", "updates": "1", "ignored": "1", "skipped": "1", "errors": "0"}
    assert run["state"] == "complete"
    assert run["completed"]
    assert run["run_time"].startswith("1970-01-01 00:00:")
    rows = snow.rows("sys_import_set_row", f"sys_import_set={run['set']}^ORDERBYsys_import_row")
    assert [row["sys_import_row"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["sys_import_state"] for row in rows] == ["ignored", "updated", "inserted", "skipped"]
    (target,) = snow.rows("cmdb_ci_computer", "serial_number=S2")
    assert rows[2]["sys_target_sys_id"] == target["sys_id"]
    assert rows[2]["sys_target_table"] == "cmdb_ci_computer"
    assert rows[2]["import_set_run"] == run["sys_id"]
    assert rows[2]["sys_class_name"] == COMPUTER


def test_staging_rows_are_readable_as_parent_and_as_staging_table(snow: Any) -> None:
    """The parent table shows every staging table's rows, the staging table its own columns as well."""
    run = snow.load(COMPUTER, [{"serial_number": "S0"}])
    query = f"sys_import_set={run['set']}"
    (parent,), (own,) = snow.rows("sys_import_set_row", query), snow.rows(COMPUTER, query)
    assert parent["sys_id"] == own["sys_id"]
    assert own["serial_number"] == "S0"
    assert "serial_number" not in parent


def test_a_row_over_the_maximum_size_is_left_out_and_logged(serve: Any) -> None:
    """8126 bytes, counted in UTF-8; the import log says which row."""
    snow = serve(column_lengths=(f"{COMPUTER}.device_name:9000",))
    records = [{"Serial number": "S0", "Device name": "é" * 4100}, {"Serial number": "S1", "Device name": "e" * 4100}]
    run = snow.wait(snow.send(COMPUTER, records))
    assert run["total"] == "1"
    assert [row["serial_number"] for row in snow.rows(COMPUTER)] == ["S1"]
    (entry,) = snow.rows("import_log", f"import_set={run['set']}")
    assert "Row 0" in entry["message"]
    assert "8126" in entry["message"]


def test_what_the_column_cuts_off_does_not_count_as_size(snow: Any) -> None:
    """A value is cut before the row is measured, so a long one is truncated, not lost with its row."""
    run = snow.load(COMPUTER, [{"serial_number": "S0", "device_name": "x" * 20_000}])
    assert run["inserts"] == "1"
    assert snow.rows(COMPUTER)[0]["device_name"] == "x" * 255


@pytest.mark.parametrize("body", [{}, {"records": "x"}, {"records": ["x"]}, "x", 7])
def test_a_body_of_another_shape_is_refused(snow: Any, body: Any) -> None:
    """Nothing is staged when the body is not a list of records."""
    answer = snow.call("POST", f"import/{COMPUTER}/insertMultiple", json=body)
    assert answer.status_code == 400
    assert snow.rows("sys_import_set") == []


def test_a_set_without_an_active_map_stays_loaded(snow: Any) -> None:
    """Nothing transforms it, so it never becomes processed."""
    snow.patch("sys_transform_map", "name=Kandji Computer", active="false")
    import_set = snow.send(COMPUTER, _records(1))
    time.sleep(0.3)
    assert snow.state(import_set) == "loaded"


def test_twenty_thousand_apps_arrive(snow: Any) -> None:
    """The sandbox carries a large fleet's apps; 40 sets wait in the queue, and no row is lost or doubled."""
    snow.switch(transform_row_time_s=0)
    for chunk in range(40):
        records = [{"Instance key": f"{chunk}-{number}", "Name": f"App {number}"} for number in range(500)]
        last = snow.send(APPS, records)
    snow.wait(last)
    while snow.rows("sys_import_set", "state=loaded"):
        time.sleep(0.02)
    assert snow.get("stats/cmdb_sam_sw_install", count="true").json() == {"result": {"stats": {"count": "20000"}}}


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Type": "application/xml"}, 415), ({"Content-Type": "application/json", "Accept": "text/xml"}, 406)],
)
def test_many_records_are_json_only(snow: Any, headers: dict[str, str], status: int) -> None:
    """The endpoint for many records neither reads nor writes XML, unlike the one for single records."""
    body = "<request/>" if status == 415 else '{"records": [{"Serial number": "S1"}]}'
    answer = snow.call("POST", f"import/{COMPUTER}/insertMultiple", data=body, headers=headers)
    assert answer.status_code == status
    assert snow.rows("sys_import_set") == []


@pytest.mark.parametrize("mode", ["true", "all"])
def test_a_row_shows_its_target_with_a_link(snow: Any, mode: str) -> None:
    """With display values on, the target record comes as display value and link, although its table varies."""
    import_set = snow.send(COMPUTER, [{"Serial number": "S1", "Device name": "Ann's Mac"}, {"Device name": "No key"}])
    snow.wait(import_set)
    (computer,) = snow.rows("cmdb_ci_computer")
    asked = {"query": f"sys_import_set={import_set}^ORDERBYsys_import_row", "display_value": mode}
    answer = snow.get("table/sys_import_set_row", **asked, fields="sys_target_sys_id").json()["result"]
    link = f"{snow.url}/api/now/table/cmdb_ci_computer/{computer['sys_id']}"
    value = {"value": computer["sys_id"]} if mode == "all" else {}
    assert answer[0] == {"sys_target_sys_id": {"display_value": "Ann's Mac", **value, "link": link}}
    assert answer[1]["sys_target_sys_id"] == ("" if mode == "true" else {"display_value": "", "value": ""})
