"""Set-ups that an administrator got wrong, an expired password, and the counts that verdicts are compared with."""

from typing import Any

import pytest

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
APPS = "x_kandj_kandji_kandji_import_set_apps"
DENIED = {"error_description": "access_denied", "error": "server_error"}
COLUMN = f"{COMPUTER}.os_version"


@pytest.mark.parametrize(
    ("table", "maps", "target"),
    [(COMPUTER, "sys_transform_map", "cmdb_ci_computer"),
     (APPS, "sys_robust_import_set_transformer", "cmdb_sam_sw_install")],
)  # fmt: skip
def test_inactive_maps_transform_nothing(snow: Any, table: str, maps: str, target: str) -> None:
    """The configuration says inactive, a set stays loaded, a single POST errs, and no target is written."""
    snow.switch(maps_inactive=[table])
    assert [row["active"] for row in snow.rows(maps, f"source_table={table}")] == ["false"]
    import_set = snow.send(table, [{"Serial number": "S1", "Instance key": "K1"}])
    shown = snow.post(table, {"serial_number": "S2", "instance_key": "K2"})
    assert shown["error_message"] == "No transform entry or scripts are defined; Target record not found"
    assert snow.state(import_set) == "loaded"
    assert snow.rows(target) == []
    snow.switch(maps_inactive=[])
    assert [row["active"] for row in snow.rows(maps, f"source_table={table}")] == ["true"]
    assert snow.post(table, {"serial_number": "S2", "instance_key": "K2"})["status"] in ("inserted", "processed")


def test_a_set_that_found_no_active_map_is_taken_up_once_there_is_one(snow: Any) -> None:
    """What was loaded meanwhile is transformed later, without being sent again."""
    snow.switch(maps_inactive=[COMPUTER])
    import_set = snow.send(COMPUTER, [{"Serial number": "S1"}])
    snow.wait(snow.send(APPS, [{"Instance key": "K1"}]))  # it came later, so by now the first had its turn
    assert snow.state(import_set) == "loaded"
    assert snow.rows("cmdb_ci_computer") == []
    snow.switch(maps_inactive=[])
    snow.wait_for(lambda: snow.state(import_set) == "processed")
    assert [row["serial_number"] for row in snow.rows("cmdb_ci_computer")] == ["S1"]


def test_a_column_that_was_made_shorter_gets_its_length_back(snow: Any) -> None:
    """Once the switch is empty again the dictionary says the old length, and values are stored whole."""
    asked = {"query": f"name={COMPUTER}^element=os_version", "fields": "max_length"}
    before = snow.rows("sys_dictionary", **asked)
    snow.switch(column_lengths=[f"{COLUMN}:2"])
    assert snow.rows("sys_dictionary", **asked) == [{"max_length": "2"}]
    snow.switch(column_lengths=[])
    assert snow.rows("sys_dictionary", **asked) == before
    snow.post(COMPUTER, {"serial_number": "S1", "os_version": "15.0"})
    assert [row["os_version"] for row in snow.rows(COMPUTER)] == ["15.0"]


def test_the_switch_activates_only_what_it_had_deactivated(snow: Any) -> None:
    """A map that somebody deactivated by hand stays so when another switch changes."""
    snow.patch("sys_transform_map", "name=Kandji MDM", active="false")
    snow.switch(maps_inactive=[COMPUTER])
    snow.switch(maps_inactive=[], transform_row_time_s=0)
    active = {row["name"]: row["active"] for row in snow.rows("sys_transform_map")}
    assert active == {"Kandji Computer": "true", "Kandji MDM": "false", "User": "true"}


@pytest.mark.parametrize("mode", ["single", "sync", "async"])
def test_values_for_a_missing_column_are_dropped_without_a_word(snow: Any, mode: str) -> None:
    """Neither dictionary nor table has it; the row goes through without the value."""
    record = {"serial_number": "S1", "device_name": "Mac", "os_version": "15.0"}
    snow.bring(mode, COMPUTER, [{**record, "serial_number": "S0"}])
    snow.switch(missing_columns=[COLUMN])
    snow.bring(mode, COMPUTER, [record])
    assert snow.rows("sys_dictionary", f"name={COMPUTER}^element=os_version") == []
    assert snow.rows("sys_documentation", f"name={COMPUTER}^element=os_version") == []
    for row in snow.call("GET", f"/_sandbox/tables/{COMPUTER}").json()["result"]:
        assert "os_version" not in row
    computers = {row["serial_number"]: row["os_version"] for row in snow.rows("cmdb_ci_computer")}
    assert computers == {"S0": "15.0", "S1": ""}


def test_a_missing_column_comes_back_empty(snow: Any) -> None:
    """Once it exists again it is described as before and takes values; what it held is lost."""
    described = snow.rows("sys_dictionary", f"name={COMPUTER}^element=os_version", fields="max_length,column_label")
    snow.post(COMPUTER, {"serial_number": "S1", "os_version": "15.0"})
    snow.switch(missing_columns=[COLUMN])
    snow.switch(missing_columns=[])
    asked = {"query": f"name={COMPUTER}^element=os_version", "fields": "max_length,column_label"}
    assert snow.rows("sys_dictionary", **asked) == described
    assert [row["os_version"] for row in snow.rows(COMPUTER)] == [""]
    snow.load(COMPUTER, [{"serial_number": "S2", "os_version": "15.1"}])
    assert snow.rows("cmdb_ci_computer", "serial_number=S2")[0]["os_version"] == "15.1"


def test_a_column_can_be_missing_from_the_start(serve: Any) -> None:
    """Given as a setting, with the key column it skips every row."""
    snow = serve(missing_columns=(f"{COMPUTER}.serial_number",))
    assert snow.load(COMPUTER, [{"serial_number": "S1", "device_name": "Mac"}])["skipped"] == "1"
    assert snow.rows("cmdb_ci_computer") == []


@pytest.mark.parametrize(
    "change",
    [{"maps_inactive": ["cmdb_ci_computer"]}, {"missing_columns": ["x"]}, {"rate_limit_window_s": 0},
     {"missing_columns": [f"{COMPUTER}.sys_id"]}],
)  # fmt: skip
def test_a_set_up_that_makes_no_sense_is_refused(shared: Any, change: dict[str, Any]) -> None:
    """400 says what the switch takes, and nothing changes."""
    before = shared.call("GET", "/_sandbox/switches").json()
    answer = shared.call("PATCH", "/_sandbox/switches", json=change)
    assert answer.status_code == 400
    assert next(iter(change)) in answer.json()["error"]["detail"]
    assert shared.call("GET", "/_sandbox/switches").json() == before


def test_an_expired_password_ends_grants_but_no_living_token(snow: Any) -> None:
    """Password, refresh and Basic are refused in the documented words; the token works until it expires."""
    tokens = snow.password_token().json()
    bearer = {"auth": None, "headers": {"Authorization": f"Bearer {tokens['access_token']}"}}
    snow.switch(password_expired=True)
    refused = [snow.password_token(), snow.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])]
    assert [(answer.status_code, answer.json()) for answer in refused] == [(401, DENIED)] * 2
    basic = snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "S1"})
    assert (basic.status_code, basic.json()["error"]["message"]) == (401, "User Not Authenticated")
    living = snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "S2"}, **bearer)
    assert living.status_code == 201
    snow.travel(1801)
    assert snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "S3"}, **bearer).status_code == 401
    snow.switch(password_expired=False)
    assert [row["serial_number"] for row in snow.rows("cmdb_ci_computer")] == ["S2"]


@pytest.mark.parametrize("mode", ["single", "sync", "async"])
def test_rows_are_counted_by_the_state_they_ended_in(snow: Any, mode: str) -> None:
    """Per staging table, whatever became of the rows later; clearing starts again from zero."""
    snow.bring(mode, COMPUTER, [{"serial_number": "S1"}, {"serial_number": "S1"}, {"device_name": "No key"}])
    snow.bring(mode, APPS, [{"instance_key": "K1"}])
    expected = {COMPUTER: {"inserted": 1, "ignored": 1, "skipped": 1}, APPS: {"processed": 1}}
    assert snow.counters()["rows_by_state"] == expected
    assert snow.counters()["import_sets_by_table"] == {COMPUTER: 1, APPS: 1}
    snow.travel(9 * 86400)
    assert snow.call("GET", "/_sandbox/tables/sys_import_set").json() == {"result": []}
    assert snow.counters()["rows_by_state"] == expected
    cleared = snow.call("DELETE", "/_sandbox/counters").json()
    assert (cleared["rows_by_state"], cleared["import_sets_by_table"]) == ({}, {})


def test_a_row_of_two_maps_is_counted_once(snow: Any) -> None:
    """The second map's state replaces the first's, in the row and in the count."""
    second = snow.create(
        "sys_transform_map", name="Second", source_table=COMPUTER, target_table="cmdb_ci_computer", order="200"
    )
    snow.create(
        "sys_transform_entry", map=second, source_field="serial_number", target_field="serial_number", coalesce="true"
    )
    snow.bring("sync", COMPUTER, [{"serial_number": "S1"}])
    assert [row["sys_import_state"] for row in snow.rows(COMPUTER)] == ["ignored"]
    assert snow.counters()["rows_by_state"] == {COMPUTER: {"ignored": 1}}
