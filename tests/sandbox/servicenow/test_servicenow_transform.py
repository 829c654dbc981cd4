"""What a transform map makes of a row: coalesce, references, empty and special values, lengths."""

from typing import Any

import pytest

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
MDM = "x_kandj_kandji_kandji_import_set_mdm"
WHOLE = {
    "assigned_user": "Ann@Example.com",
    "device_capacity": "494.38",
    "device_name": "Ann's Mac",
    "discovery_source": "Kandji",
    "model_name": "MacBook Pro",
    "os_type": "macOS",
    "os_version": "15.1",
    "serial_number": "C02ABC",
    "manufacturer": "Apple",
}


def _computer(snow: Any, query: str = "", **params: Any) -> dict[str, Any]:
    (row,) = snow.rows("cmdb_ci_computer", query, **params)
    return row


def test_a_whole_computer_lands_in_the_documented_columns(snow: Any) -> None:
    """Every column of the integration's table is filled, references by what they refer to."""
    snow.post(COMPUTER, WHOLE)
    fields = (
        "name,os,os_version,serial_number,disk_space,discovery_source,assigned_to.email,model.name,manufacturer.name"
    )
    assert _computer(snow, fields=fields) == {
        "name": "Ann's Mac",
        "os": "macOS",
        "os_version": "15.1",
        "serial_number": "C02ABC",
        "disk_space": "494.38",
        "discovery_source": "Kandji",
        "assigned_to.email": "ann@example.com",
        "model.name": "MacBook Pro",
        "manufacturer.name": "Apple",
    }


def test_coalesce_does_not_look_at_case(snow: Any) -> None:
    """Keys that differ only in case are one record."""
    snow.post(COMPUTER, {"serial_number": "abc", "device_name": "one"})
    assert snow.post(COMPUTER, {"serial_number": "ABC", "device_name": "two"})["status"] == "updated"
    assert _computer(snow)["name"] == "two"


def test_case_sensitive_coalesce_by_configuration(snow: Any) -> None:
    """The field map's option keeps such keys apart."""
    snow.patch("sys_transform_entry", "target_table=cmdb_ci_computer^coalesce=true", coalesce_case_sensitive="true")
    snow.post(COMPUTER, {"serial_number": "abc"})
    assert snow.post(COMPUTER, {"serial_number": "ABC"})["status"] == "inserted"


def test_of_several_matches_only_the_first_is_updated(snow: Any) -> None:
    """A duplicate in the target table stays as it is."""
    for name in ("first", "second"):
        snow.create("cmdb_ci_computer", serial_number="S1", name=name)
    snow.post(COMPUTER, {"serial_number": "S1", "device_name": "new"})
    assert [row["name"] for row in snow.rows("cmdb_ci_computer")] == ["new", "second"]


def test_without_coalesce_every_row_inserts(snow: Any) -> None:
    """A map without a key cannot find anything."""
    snow.patch("sys_transform_entry", "target_table=cmdb_ci_computer^coalesce=true", coalesce="false")
    assert [snow.post(COMPUTER, WHOLE)["status"] for _ in range(2)] == ["inserted", "inserted"]


def test_mdm_records_coalesce_on_device_and_blueprint(snow: Any) -> None:
    """Both have to match; the switch gives the documentation's literal reading, which folds a blueprint."""
    rows = [{"device_id": device, "blueprint_id": "b1"} for device in ("d1", "d2")]
    assert [snow.post(MDM, row)["status"] for row in rows] == ["inserted", "inserted"]
    snow.switch(mdm_coalesce="blueprint")
    assert snow.post(MDM, {"device_id": "d3", "blueprint_id": "b1"})["status"] == "updated"
    assert len(snow.rows("x_kandj_kandji_mdm")) == 2


def test_create_on_empty_coalesce_by_configuration(snow: Any) -> None:
    """A map may insert rows without a key."""
    snow.patch("sys_transform_map", "name=Kandji Computer", create_new_record_on_empty_coalesce_fields="true")
    assert snow.post(COMPUTER, {"device_name": "a"})["status"] == "inserted"


def test_an_unknown_user_is_ignored_not_created(snow: Any) -> None:
    """The assigned user must exist in ServiceNow; otherwise the field keeps what it has."""
    snow.post(COMPUTER, WHOLE)
    before = len(snow.rows("sys_user"))
    assert snow.post(COMPUTER, {**WHOLE, "assigned_user": "new@example.com"})["status"] == "ignored"
    assert len(snow.rows("sys_user")) == before
    assert _computer(snow, fields="assigned_to.email") == {"assigned_to.email": "ann@example.com"}


def test_models_and_makers_are_created_once(snow: Any) -> None:
    """The default choice action creates the referenced record, and finds it again without case."""
    snow.post(COMPUTER, WHOLE)
    snow.post(COMPUTER, {**WHOLE, "serial_number": "S2", "model_name": "macbook pro", "manufacturer": "APPLE"})
    assert [row["name"] for row in snow.rows("cmdb_model")] == ["MacBook Pro"]
    assert [row["name"] for row in snow.rows("core_company")] == ["Apple"]


def test_a_rejected_reference_refuses_the_whole_row(snow: Any) -> None:
    """Choice action reject: row state error, error code 100, nothing written; the run says so."""
    snow.switch(mdm_computer_missing="reject")
    run = snow.load(MDM, [{"device_id": "d1", "blueprint_id": "b1", "serial_number": "none"}])
    assert (run["state"], run["errors"], run["total"]) == ("complete_with_errors", "1", "1")
    assert snow.rows("x_kandj_kandji_mdm") == []
    (row,) = snow.rows(MDM)
    (error,) = snow.rows("sys_import_set_row_error")
    assert (row["sys_import_state"], row["sys_row_error"]) == ("error", error["sys_id"])
    assert (error["error_code"], error["row"]) == ("100", row["sys_id"])
    (entry,) = snow.rows("import_log", f"run_history={run['sys_id']}")
    assert entry["message"] == error["message"] == row["sys_import_state_comment"]


def test_an_mdm_record_refers_to_its_computer(snow: Any) -> None:
    """The reference goes by serial number; where no computer has it, it stays empty."""
    snow.post(COMPUTER, WHOLE)
    snow.post(MDM, {"device_id": "d1", "blueprint_id": "b1", "serial_number": "c02abc"})
    snow.post(MDM, {"device_id": "d2", "blueprint_id": "b1", "serial_number": "none"})
    rows = snow.rows("x_kandj_kandji_mdm", "ORDERBYkandji_device_id", fields="computer.serial_number")
    assert rows == [{"computer.serial_number": "C02ABC"}, {"computer.serial_number": ""}]


def test_empty_values_do_not_overwrite(snow: Any) -> None:
    """Copy empty fields is off by default; turned on, an empty value clears."""
    snow.post(COMPUTER, WHOLE)
    assert snow.post(COMPUTER, {"serial_number": "C02ABC", "device_name": ""})["status"] == "ignored"
    snow.patch("sys_transform_map", "name=Kandji Computer", copy_empty_fields="true")
    assert snow.post(COMPUTER, {**WHOLE, "device_name": ""})["status"] == "updated"
    assert _computer(snow)["name"] == ""


def test_the_word_null_clears_a_field(snow: Any) -> None:
    """NULL in capitals is reserved; in any other case it is text."""
    snow.post(COMPUTER, WHOLE)
    snow.post(COMPUTER, {"serial_number": "C02ABC", "device_name": "NULL", "assigned_user": "NULL", "os_type": "Null"})
    row = _computer(snow)
    assert (row["name"], row["assigned_to"], row["os"]) == ("", "", "Null")


@pytest.mark.parametrize(("strict", "text", "stored"), [
    (True, "true", "true"), (True, "TRUE", "false"), (True, "False", "false"), (False, "TRUE", "true"),
])  # fmt: skip
def test_upper_case_booleans_become_false(snow: Any, strict: bool, text: str, stored: str) -> None:
    """glide.transform.boolean.casesensitive is on by default, so TRUE is false."""
    snow.switch(boolean_case_sensitive=strict)
    entry = next(row["map"] for row in snow.rows("sys_transform_entry", "target_table=sys_user"))
    snow.create("sys_transform_entry", map=entry, source_field="last_name", target_field="locked_out")
    snow.post("imp_user", {"user_id": "u1", "last_name": text})
    assert snow.rows("sys_user", "user_name=u1")[0]["locked_out"] == stored


def test_a_value_longer_than_the_staging_column_is_cut(serve: Any) -> None:
    """Truncation is silent: the cut value is staged, and goes on into the target."""
    snow = serve(column_lengths=(f"{COMPUTER}.device_name:10",))
    assert snow.post(COMPUTER, {"serial_number": "S1", "device_name": "0123456789abc"})["status"] == "inserted"
    assert snow.rows(COMPUTER)[0]["device_name"] == "0123456789"
    assert _computer(snow)["name"] == "0123456789"


def test_a_number_that_is_none_leaves_the_field_alone(snow: Any) -> None:
    """Text in a decimal column is dropped with a comment, the row goes on."""
    result = snow.post(COMPUTER, {"serial_number": "S1", "device_capacity": "500GB"})
    assert result["status"] == "inserted"
    assert "disk_space" in result["status_message"]
    assert _computer(snow)["disk_space"] == ""


def test_mandatory_fields_by_configuration(snow: Any) -> None:
    """With mandatory fields enforced, a row that lacks one is an error."""
    (entry,) = snow.rows("sys_dictionary", "name=cmdb_ci_computer^element=name")
    snow.call("PATCH", f"table/sys_dictionary/{entry['sys_id']}", json={"mandatory": "true"})
    assert snow.post(COMPUTER, {"serial_number": "S1"})["status"] == "inserted"
    snow.patch("sys_transform_map", "name=Kandji Computer", enforce_mandatory_fields="onlyMappedFields")
    refused = snow.post(COMPUTER, {"serial_number": "S2"})
    assert refused["status"] == "error"
    assert "name" in refused["error_message"]
    assert snow.post(COMPUTER, {"serial_number": "S2", "device_name": "a"})["status"] == "inserted"


@pytest.mark.parametrize(("action", "status", "stored"), [
    ("create", "inserted", "Plan 9"), ("ignore", "inserted", ""), ("reject", "error", None),
])  # fmt: skip
def test_choice_fields_have_the_same_three_actions(snow: Any, action: str, status: str, stored: str | None) -> None:
    """A choice that is not there is added, left out, or refuses the row."""
    (entry,) = snow.rows("sys_dictionary", "name=cmdb_ci_computer^element=os")
    snow.call("PATCH", f"table/sys_dictionary/{entry['sys_id']}", json={"internal_type": "choice"})
    snow.create("sys_choice", name="cmdb_ci_computer", element="os", value="macos", label="macOS")
    snow.patch("sys_transform_entry", "target_table=cmdb_ci_computer^target_field=os", choice_action=action)
    assert snow.post(COMPUTER, {"serial_number": "S1", "os_type": "Plan 9"})["status"] == status
    assert [row["os"] for row in snow.rows("cmdb_ci_computer")] == ([] if stored is None else [stored])
    snow.post(COMPUTER, {"serial_number": "S2", "os_type": "MACOS"})
    assert _computer(snow, "serial_number=S2")["os"] == "macos"


def test_a_staging_table_of_somebody_else(snow: Any) -> None:
    """An administrator may add tables, columns and maps through the Table API, and import into them."""
    (parent,) = snow.rows("sys_db_object", "name=sys_import_set_row")
    snow.create("sys_db_object", name="u_imp_company", label="Companies", super_class=parent["sys_id"])
    snow.create("sys_dictionary", name="u_imp_company", element="u_name", column_label="Firm", max_length="60")
    chosen = snow.create("sys_transform_map", name="C", source_table="u_imp_company", target_table="core_company")
    snow.create("sys_transform_entry", map=chosen, source_field="u_name", target_field="name", coalesce="true")
    assert snow.post("u_imp_company", {"u_name": "Acme"})["status"] == "inserted"
    run = snow.wait(snow.send("u_imp_company", [{"firm": "acme"}, {"Firm": "Other"}]))
    assert (run["ignored"], run["updates"], run["inserts"]) == ("0", "1", "1")
    assert [row["name"] for row in snow.rows("core_company")] == ["acme", "Other"]
    assert len(snow.rows("sys_import_set_row")) == 3


def test_midnight_closes_a_shared_run_with_its_errors(snow: Any) -> None:
    """A run that met an error ends as complete with errors, whenever it ends."""
    snow.switch(mdm_computer_missing="reject")
    assert snow.post(MDM, {"device_id": "d", "blueprint_id": "b", "serial_number": "none"})["status"] == "error"
    snow.travel(86_400)
    assert [run["state"] for run in snow.rows("sys_import_set_run")] == ["complete_with_errors"]
