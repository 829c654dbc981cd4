"""POST and GET /api/now/import/{table}: one record, transformed at once."""

from typing import Any

import pytest
import requests

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"


def test_the_documented_example_gets_the_documented_answer(snow: Any) -> None:
    """The curl example of ServiceNow's own page, single quotes and all, works as printed there."""
    body = "{'first_name':'John','last_name':'Public','user_id':'john.public','email':'john.public@company.com'}"
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    answer = snow.call("POST", "import/imp_user", data=body, headers=headers)
    assert answer.status_code == 201
    content = answer.json()
    assert list(content) == ["import_set", "staging_table", "result"]
    assert (content["import_set"], content["staging_table"]) == ("ISET0010001", "imp_user")
    (result,) = content["result"]
    (user,) = snow.rows("sys_user", "user_name=john.public")
    assert result == {
        "transform_map": "User",
        "table": "sys_user",
        "display_name": "name",
        "display_value": "John Public",
        "record_link": f"{snow.url}/api/now/table/sys_user/{user['sys_id']}",
        "status": "inserted",
        "sys_id": user["sys_id"],
    }


@pytest.mark.parametrize("version", ["", "v1/", "v2/"])
def test_every_version_of_the_address_works(snow: Any, version: str) -> None:
    """Clients write the version or leave it out."""
    answer = snow.call("POST", f"/api/now/{version}import/{COMPUTER}", json={"serial_number": "S1"})
    assert answer.status_code == 201


def test_statuses_of_a_record_sent_again(snow: Any) -> None:
    """inserted, ignored when nothing changed, updated when something did, skipped without the key."""
    assert snow.post(COMPUTER, {"serial_number": "S1", "device_name": "A"})["status"] == "inserted"
    ignored = snow.post(COMPUTER, {"serial_number": "S1", "device_name": "A"})
    assert (ignored["status"], ignored["status_message"]) == ("ignored", "No field values changed")
    assert snow.post(COMPUTER, {"serial_number": "S1", "device_name": "B"})["status"] == "updated"
    skipped = snow.post(COMPUTER, {"device_name": "B"})
    assert skipped["status"] == "skipped"
    assert skipped["status_message"] == "Unable to resolve target record, coalesce values not present"
    staged = snow.rows(COMPUTER, f"sys_id={skipped['sys_id']}")
    assert staged[0]["sys_import_state"] == "skipped", "a skipped row is named by its own sys_id"


def test_of_an_array_only_the_first_record_is_taken(snow: Any) -> None:
    """The single-record endpoint never loads a batch, silently."""
    answer = snow.call("POST", f"import/{COMPUTER}", json=[{"serial_number": "S1"}, {"serial_number": "S2"}])
    assert len(answer.json()["result"]) == 1
    assert [row["serial_number"] for row in snow.rows("cmdb_ci_computer")] == ["S1"]


def test_values_are_stored_as_text_and_objects_as_java_maps(snow: Any) -> None:
    """Anything but a string is bent into one."""
    record = {"serial_number": 17, "device_name": {"a": "b", "c": [1, True]}, "os_version": None, "os_type": True}
    snow.post(COMPUTER, record)
    (row,) = snow.rows(COMPUTER)
    assert row["serial_number"] == "17"
    assert row["device_name"] == "{a=b, c=[1, true]}"
    assert (row["os_version"], row["os_type"]) == ("", "true")


def test_unknown_columns_are_dropped_without_a_word(snow: Any) -> None:
    """A misspelt column costs the value, not the row."""
    assert snow.post(COMPUTER, {"serial_number": "S1", "devicename": "lost", "sys_id": "x"})["status"] == "inserted"
    (row,) = snow.rows("cmdb_ci_computer")
    assert row["name"] == ""
    assert row["sys_id"] != "x"


def test_single_records_share_one_import_set(snow: Any) -> None:
    """All single POSTs to a table land in one synchronous set, with rows counted from 0 and one run."""
    for number in range(3):
        snow.post(COMPUTER, {"serial_number": f"S{number}"})
    (import_set,) = snow.rows("sys_import_set")
    assert (import_set["state"], import_set["mode"]) == ("loading", "synchronous")
    rows = snow.rows(COMPUTER, "ORDERBYsys_import_row")
    assert [row["sys_import_row"] for row in rows] == ["0", "1", "2"]
    (run,) = snow.rows("sys_import_set_run")
    assert (run["state"], run["total"], run["inserts"]) == ("running", "3", "3")


def test_a_staging_row_can_be_read_back(snow: Any) -> None:
    """GET shows the same body; a row that is gone is a 404."""
    result = snow.post(COMPUTER, {"serial_number": "S1", "device_name": "A"})
    (row,) = snow.rows(COMPUTER)
    answer = snow.call("GET", f"import/{COMPUTER}/{row['sys_id']}")
    assert answer.status_code == 200
    assert answer.json()["result"] == [result]
    missing = snow.call("GET", f"import/{COMPUTER}/{'0' * 32}")
    assert missing.status_code == 404
    assert missing.json()["status"] == "failure"


def test_a_table_that_is_no_staging_table_is_refused(snow: Any) -> None:
    """400 Invalid table, for a misspelt name and for a target table alike."""
    for table in ("x_unknown", "cmdb_ci_computer"):
        answer = snow.call("POST", f"import/{table}", json={})
        assert answer.status_code == 400
        assert answer.json() == {"error": {"message": f"Invalid table {table}", "detail": None}, "status": "failure"}


def test_one_result_per_transform_map_in_their_order(snow: Any) -> None:
    """Several maps on a table each give a result; an inactive one gives none, an empty one an error."""
    empty = {"source_table": COMPUTER, "target_table": "cmdb_ci_computer"}
    snow.create("sys_transform_map", name="Later", order="200", **empty)
    snow.create("sys_transform_map", name="Never", active="false", **empty)
    first = snow.create("sys_transform_map", name="First", order="50", **empty)
    snow.create("sys_transform_entry", map=first, source_field="os_type", target_field="os")
    results = snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "S1"}).json()["result"]
    assert [result["transform_map"] for result in results] == ["First", "Kandji Computer", "Later"]
    assert [result["status"] for result in results] == ["inserted", "inserted", "error"]
    assert results[2]["error_message"] == "No transform entry or scripts are defined; Target record not found"


def test_a_table_without_a_map_answers_the_documented_error_row(snow: Any) -> None:
    """No map is a row error in a 2xx answer, as everything on row level is."""
    snow.patch("sys_transform_map", "name=Kandji Computer", active="false")
    answer = snow.call("POST", f"import/{COMPUTER}", json={"serial_number": "S1"})
    assert answer.status_code == 201
    assert answer.json()["result"] == [
        {
            "transform_map": "",
            "status": "error",
            "error_message": "No transform entry or scripts are defined; Target record not found",
        }
    ]


def test_without_the_synchronous_rule_rows_stay_pending(snow: Any) -> None:
    """KB0813776: the answer says Invalid table, and nothing was transformed."""
    snow.switch(transform_synchronously=False)
    assert snow.post(COMPUTER, {"serial_number": "S1"}) == {
        "transform_map": "",
        "status": "error",
        "error_message": "Invalid table ",
    }
    assert [row["sys_import_state"] for row in snow.rows(COMPUTER)] == ["pending"]
    assert snow.rows("cmdb_ci_computer") == []


def test_without_the_role_the_api_answers_403(snow: Any) -> None:
    """A service account needs import_transformer, for one record and for many."""
    snow.switch(roles=["cmdb_read", "rest_api_explorer"])
    for path, body in ((f"import/{COMPUTER}", {}), (f"import/{COMPUTER}/insertMultiple", {"records": []})):
        answer = snow.call("POST", path, json=body)
        assert answer.status_code == 403
        assert answer.json() == {
            "error": {"message": "User Not Authorized", "detail": "Failed API level ACL Validation"},
            "status": "failure",
        }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json", "Accept": "image/png"}, 406),
    ],
)
def test_media_types_are_checked(snow: Any, headers: dict[str, str], status: int) -> None:
    """A missing content type, one that is not supported, and an Accept that cannot be met."""
    assert snow.call("POST", f"import/{COMPUTER}", data=b"{}", headers=headers).status_code == status


def test_a_body_that_is_not_json_is_a_400(snow: Any) -> None:
    """The error envelope comes for broken bodies too."""
    answer = snow.call("POST", f"import/{COMPUTER}", data=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["status"] == "failure"


def test_xml_in_and_out(snow: Any) -> None:
    """The single-record endpoint speaks XML as well."""
    body = (
        f"<request><entry><serial_number>S1</serial_number><device_name>{'a &amp; b'}</device_name></entry></request>"
    )
    headers = {"Accept": "application/xml", "Content-Type": "application/xml"}
    answer = snow.call("POST", f"import/{COMPUTER}", data=body, headers=headers)
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert "<status>inserted</status>" in answer.text
    assert [row["name"] for row in snow.rows("cmdb_ci_computer")] == ["a & b"]


def test_more_than_ten_megabytes_are_refused_with_the_documented_body(snow: Any) -> None:
    """KB0747638: 400, and the detail states both sizes."""
    body = b'{"serial_number": "' + b"x" * (10 * 1024 * 1024) + b'"}'
    answer = requests.post(
        f"{snow.url}/api/now/import/{COMPUTER}",
        data=body,
        headers={"Content-Type": "application/json"},
        auth=("svc", "word"),
        timeout=60,
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "Exception while reading request",
        "detail": f"Rejected large REST payload with content-length = {len(body)} bytes. Max allowed: 10485760 bytes.",
    }
