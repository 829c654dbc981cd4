"""What a set-up check reads, who may read it, and the admin API."""

from typing import Any

import pytest

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
MDM = "x_kandj_kandji_kandji_import_set_mdm"
CONFIG = ("sys_dictionary", "sys_choice", "sys_transform_map", "sys_transform_entry", "sys_rest_insert_multiple",
          "sys_properties", "sys_user_has_role", "sys_db_object", "sys_documentation")  # fmt: skip
RIGHTS = {"error": {"message": "Insufficient rights to query records", "detail": None}, "status": "failure"}


def test_the_dictionary_describes_the_staging_columns(shared: Any) -> None:
    """Labels, types and lengths of every column can be read."""
    rows = shared.rows(
        "sys_dictionary", f"name={COMPUTER}^elementNOT LIKEsys_", fields="element,column_label,max_length"
    )
    described = {row["element"]: (row["column_label"], row["max_length"]) for row in rows}
    assert described["device_name"] == ("Device name", "255")
    assert described["serial_number"] == ("Serial number", "40")
    assert described["assigned_user"] == ("Assigned user", "100")


def test_the_dictionary_says_what_references_refer_to(shared: Any) -> None:
    """The model column is a reference to cmdb_model."""
    (row,) = shared.rows("sys_dictionary", "name=cmdb_ci_computer^element=model")
    assert (row["internal_type"], row["reference"]) == ("reference", "cmdb_model")


def test_transform_maps_and_their_keys_can_be_read(shared: Any) -> None:
    """The coalesce columns of a feed are in sys_transform_entry, for whoever may read it."""
    (chosen,) = shared.rows("sys_transform_map", f"source_table={MDM}")
    entries = shared.rows("sys_transform_entry", f"map={chosen['sys_id']}^coalesce=true", fields="target_field")
    assert [entry["target_field"] for entry in entries] == ["kandji_device_id", "kandji_blueprint_id"]


def test_roles_and_properties_follow_the_switches(snow: Any) -> None:
    """The tables tell what is in force."""
    held = snow.rows("sys_user_has_role", "user.user_name=svc^ORDERBYrole.name", fields="role.name")
    assert [row["role.name"] for row in held] == ["cmdb_read", "import_transformer", "rest_api_explorer"]
    name = "glide.oauth.inbound.client.credential.grant_type.enabled"
    assert snow.rows("sys_properties", f"name={name}")[0]["value"] == "false"
    snow.switch(roles=["import_transformer"], oauth_client_credentials=True)
    assert len(snow.rows("sys_user_has_role")) == 1
    assert snow.rows("sys_properties", f"name={name}")[0]["value"] == "true"


@pytest.mark.parametrize("table", CONFIG)
def test_configuration_tables_by_access_rule(snow: Any, table: str) -> None:
    """Readable by default; with the rule against it, 403 in a real instance's words."""
    assert snow.get(f"table/{table}", limit=1).status_code == 200
    snow.switch(config_tables_readable=False)
    answer = snow.get(f"table/{table}", limit=1)
    assert (answer.status_code, answer.json()) == (403, RIGHTS)


def test_what_an_account_without_the_set_up_roles_can_still_do(snow: Any) -> None:
    """With only the documented roles it loads, reads what became of it, and reads the CMDB."""
    snow.switch(config_tables_readable=False, tables_writable=False)
    run = snow.load(COMPUTER, [{"serial_number": "S1"}])
    assert run["inserts"] == "1"
    assert len(snow.rows("cmdb_ci_computer")) == 1
    refused = snow.call("POST", "table/core_company", json={"name": "x"})
    assert refused.status_code == 403
    assert refused.json()["status"] == "failure"


def test_the_cmdb_needs_its_role(snow: Any) -> None:
    """Without cmdb_read the target tables answer 403, for the Aggregate API too."""
    snow.switch(roles=["import_transformer"])
    for path in ("table/cmdb_ci_computer", "table/cmdb_sam_sw_install", "stats/cmdb_ci_computer"):
        assert snow.call("GET", path).json() == RIGHTS
    assert snow.get("table/sys_user").status_code == 200


def test_import_tables_by_access_rule(snow: Any) -> None:
    """Where import sets may not be read, a load has to do without them."""
    snow.switch(import_tables_readable=False)
    snow.send(COMPUTER, [{"Serial number": "S1"}])
    for table in ("sys_import_set", "sys_import_set_run", "sys_import_set_row", COMPUTER):
        assert snow.get(f"table/{table}").status_code == 403


def test_switches_can_be_read_and_changed(snow: Any) -> None:
    """A PATCH answers all switches; secrets are not among them."""
    switches = snow.call("PATCH", "/_sandbox/switches", json={"transform_row_time_s": "0.5"}).json()
    assert switches["transform_row_time_s"] == 0.5
    assert snow.call("GET", "/_sandbox/switches").json() == switches
    assert not {"password", "client_secret"} & set(switches)


@pytest.mark.parametrize("change", [{"nonsense": 1}, {"roles": ["admin"], "password": "x"}, {"column_lengths": ["x"]}])
def test_an_unknown_switch_is_refused_and_changes_nothing(snow: Any, change: dict[str, Any]) -> None:
    """400 names the known ones; none of a refused request's changes stays."""
    before = snow.call("GET", "/_sandbox/switches").json()
    answer = snow.call("PATCH", "/_sandbox/switches", json=change)
    assert answer.status_code == 400
    if "column_lengths" not in change:
        assert "insert_multiple_keys" in answer.json()["error"]["detail"]
    assert snow.call("GET", "/_sandbox/switches").json() == before


def test_counters_show_requests_and_staged_rows(snow: Any) -> None:
    """Admin requests do not count; clearing starts again from zero."""
    snow.post(COMPUTER, {"serial_number": "S1"})
    snow.wait(snow.send(COMPUTER, [{"Serial number": "S2"}, {"Serial number": "S3"}]))
    counters = snow.call("GET", "/_sandbox/counters").json()
    assert counters["staged_rows"] == {COMPUTER: 3}
    assert counters["import_sets"] == 2
    assert counters["by_method"]["POST"] == 2
    assert counters["by_method_and_path"][f"POST /api/now/import/{COMPUTER}"] == 1
    cleared = snow.call("DELETE", "/_sandbox/counters").json()
    assert (cleared["requests"], cleared["staged_rows"]) == (0, {})


def test_tables_can_be_looked_at_without_signing_in(snow: Any) -> None:
    """The admin API shows a whole table as stored."""
    snow.post(COMPUTER, {"serial_number": "S1"})
    rows = snow.call("GET", "/_sandbox/tables/cmdb_ci_computer").json()["result"]
    assert [row["serial_number"] for row in rows] == ["S1"]
    assert snow.call("GET", "/_sandbox/tables/x_none").status_code == 400


@pytest.mark.parametrize("body", [{"advance_s": -1}, {"advance_s": "x"}, {"advance_s": True}])
def test_time_only_goes_forward(shared: Any, body: dict[str, Any]) -> None:
    """A journey that makes no sense is refused."""
    assert shared.call("POST", "/_sandbox/clock", json=body).status_code == 400
