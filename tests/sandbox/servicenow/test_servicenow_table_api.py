"""/api/now/table: reading, paging, display values, writing, errors."""

import re
from typing import Any

import pytest
import requests

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
_JSON = {"Content-Type": "application/json"}


def _fill(snow: Any, count: int) -> None:
    for number in range(count):
        snow.create("core_company", name=f"C{number:02d}")


def _links(answer: requests.Response) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<([^>]+)>;rel="(\w+)"', answer.headers["Link"])}


def test_every_value_is_text(snow: Any) -> None:
    """Booleans, numbers and empty fields come as strings."""
    (user,) = snow.rows("sys_user", "email=ann@example.com")
    assert all(isinstance(value, str) for value in user.values())
    assert (user["active"], user["sys_mod_count"], user["time_zone"]) == ("true", "0", "")
    assert re.fullmatch(r"[0-9a-f]{32}", user["sys_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", user["sys_created_on"])


def test_references_by_link_value_and_display(snow: Any) -> None:
    """A reference has four forms, by sysparm_display_value and sysparm_exclude_reference_link."""
    snow.post(COMPUTER, {"serial_number": "S1", "manufacturer": "Apple"})
    (company,) = snow.rows("core_company")
    link = f"{snow.url}/api/now/table/core_company/{company['sys_id']}"

    def shown(**params: str) -> Any:
        return snow.get("table/cmdb_ci_computer", fields="manufacturer", **params).json()["result"][0]["manufacturer"]

    assert shown() == {"link": link, "value": company["sys_id"]}
    assert shown(display_value="true") == {"display_value": "Apple", "link": link}
    assert shown(display_value="all") == {"display_value": "Apple", "link": link, "value": company["sys_id"]}
    assert shown(exclude_reference_link="true") == company["sys_id"]
    assert shown(exclude_reference_link="true", display_value="true") == "Apple"
    assert snow.call("GET", link.removeprefix(snow.url)).json()["result"]["name"] == "Apple"


def test_display_values_of_choices_numbers_and_durations(snow: Any) -> None:
    """Choices show their label, numbers their thousands, durations their words."""
    run = snow.load(COMPUTER, [{"serial_number": "S1"}])
    (shown,) = snow.rows("sys_import_set_run", f"sys_id={run['sys_id']}", display_value="true")
    assert (shown["state"], shown["run_time"][-7:]) == ("Complete", "Seconds")
    (entry,) = snow.rows("sys_dictionary", f"name={COMPUTER}^element=serial_number", display_value="true")
    assert (entry["max_length"], entry["column_label"]) == ("40", "Serial number")
    (path,) = snow.rows("sys_dictionary", "name=cmdb_sam_sw_install^element=install_location", display_value="true")
    assert path["max_length"] == "1,024"


def test_fields_limits_and_dot_walks(snow: Any) -> None:
    """Only the named columns come, through references too; misspelt names are ignored."""
    snow.post(COMPUTER, {"serial_number": "S1", "assigned_user": "ann@example.com"})
    (row,) = snow.rows("cmdb_ci_computer", fields="serial_number, assigned_to.email,nonsense,assigned_to.nonsense")
    assert row == {"serial_number": "S1", "assigned_to.email": "ann@example.com"}


def test_pages_carry_total_and_links(snow: Any) -> None:
    """X-Total-Count and Link let a client walk a table without knowing its size."""
    _fill(snow, 7)
    first = snow.get("table/core_company", query="ORDERBYname", fields="name", limit=3)
    assert first.headers["X-Total-Count"] == "7"
    assert set(_links(first)) == {"first", "next", "last"}
    names, url = [], _links(first)["first"]
    while url:
        page = snow.call("GET", url.removeprefix(snow.url))
        names += [row["name"] for row in page.json()["result"]]
        url = _links(page).get("next", "")
    assert names == [f"C{number:02d}" for number in range(7)]
    assert set(_links(page)) == {"first", "prev", "last"}


def test_count_and_links_can_be_left_out(snow: Any) -> None:
    """sysparm_no_count and sysparm_suppress_pagination_header take the headers away."""
    suppressed = snow.get("table/sys_user", suppress_pagination_header="true")
    assert "Link" not in suppressed.headers
    assert "X-Total-Count" in suppressed.headers
    assert "X-Total-Count" not in snow.get("table/sys_user", no_count="true").headers


@pytest.mark.parametrize("params", [{"limit": "-1"}, {"offset": "-1"}, {"limit": "x"}])
def test_negative_limits_are_refused(shared: Any, params: dict[str, str]) -> None:
    """An offset below zero is a client's mistake."""
    assert shared.get("table/sys_user", **params).status_code == 400


def test_an_empty_result_is_404_in_version_one_only(shared: Any) -> None:
    """v1 answers 404, the newer versions 200 with an empty list."""
    params = {"sysparm_query": "name=nobody"}
    assert shared.call("GET", "/api/now/v1/table/sys_user", params=params).status_code == 404
    for version in ("", "v2/"):
        answer = shared.call("GET", f"/api/now/{version}table/sys_user", params=params)
        assert (answer.status_code, answer.json()) == (200, {"result": []})


def test_create_read_change_delete(snow: Any) -> None:
    """201 with Location, 200, 200, 204, and 404 afterwards."""
    created = snow.call("POST", "table/core_company", json={"name": "Acme", "nonsense": "x", "manufacturer": True})
    record = created.json()["result"]
    assert created.status_code == 201
    assert created.headers["Location"] == f"{snow.url}/api/now/table/core_company/{record['sys_id']}"
    assert (record["name"], record["manufacturer"], record["sys_created_by"]) == ("Acme", "true", "svc")
    path = f"table/core_company/{record['sys_id']}"
    assert snow.call("GET", path).json()["result"] == record
    for method, name in (("PATCH", "One"), ("PUT", "Two")):
        changed = snow.call(method, path, json={"name": name})
        assert (changed.status_code, changed.json()["result"]["name"]) == (200, name)
    assert changed.json()["result"]["sys_mod_count"] == "2"
    assert snow.call("DELETE", path).status_code == 204
    for method in ("GET", "DELETE", "PATCH"):
        gone = snow.call(method, path, json={} if method == "PATCH" else None)
        assert gone.status_code == 404
        assert gone.json() == {
            "error": {
                "message": "No Record found",
                "detail": "Record doesn't exist or ACL restricts the record retrieval",
            },
            "status": "failure",
        }


def test_create_without_an_answer(snow: Any) -> None:
    """X-no-response-body suppresses the body."""
    answer = snow.call("POST", "table/core_company", json={"name": "A"}, headers={"X-no-response-body": "true"})
    assert (answer.status_code, answer.content) == (201, b"")


def test_references_may_be_given_by_display_value(snow: Any) -> None:
    """sysparm_input_display_value takes a reference's name for its sys_id."""
    params = {"sysparm_input_display_value": "true", "sysparm_fields": "assigned_to.email"}
    answer = snow.call("POST", "table/cmdb_ci_computer", json={"assigned_to": "Ann Bo"}, params=params)
    assert answer.json()["result"] == {"assigned_to.email": "ann@example.com"}


def test_values_are_cut_to_the_column(snow: Any) -> None:
    """A target column's length holds for the Table API as well."""
    assert len(snow.call("POST", "table/core_company", json={"name": "x" * 99}).json()["result"]["name"]) == 80


def test_parent_tables_show_and_change_their_children(snow: Any) -> None:
    """cmdb_ci lists computers, and a change through it reaches the computer."""
    sys_id = snow.create("cmdb_ci_computer", name="Mac")
    (row,) = snow.rows("cmdb_ci", "name=MAC")
    assert row["sys_class_name"] == "cmdb_ci_computer"
    assert snow.call("PATCH", f"table/cmdb_ci/{sys_id}", json={"name": "Book"}).status_code == 200
    assert snow.rows("cmdb_ci_computer")[0]["name"] == "Book"
    assert snow.call("DELETE", f"table/cmdb_ci/{sys_id}").status_code == 204


def test_a_table_that_does_not_exist(shared: Any) -> None:
    """The body is a real instance's, for the Aggregate API too."""
    for path in ("table/x_none", "stats/x_none"):
        answer = shared.call("GET", path)
        assert answer.status_code == 400
        assert answer.json() == {"error": {"message": "Invalid table x_none", "detail": None}, "status": "failure"}


def test_methods_and_paths_that_do_not_exist(shared: Any) -> None:
    """Errors have the envelope wherever they come from."""
    assert shared.call("DELETE", "table/sys_user").status_code == 405
    assert shared.call("GET", "nonsense").status_code == 400
    assert shared.call("GET", "nonsense").json()["status"] == "failure"


def test_state_survives_a_restart_with_a_database_file(serve: Any, tmp_path: Any) -> None:
    """A file keeps records, tokens and added columns, and a loaded set is transformed by the next start."""
    path = tmp_path / "snow.sqlite"
    first = serve(database_path=path, transform_workers=0)
    first.create("sys_dictionary", name=COMPUTER, element="u_colour", column_label="Colour")
    token = first.password_token().json()["access_token"]
    import_set = first.send(COMPUTER, [{"Serial number": "S1", "Colour": "red"}])
    second = serve(database_path=path)
    assert second.wait(import_set)["inserts"] == "1"
    assert second.rows(COMPUTER)[0]["u_colour"] == "red"
    assert len(second.rows("sys_user", "email=ann@example.com")) == 1
    assert len(second.rows("sys_transform_map")) == 3
    assert second.password_token().json()["access_token"] == token


def test_a_sys_id_may_be_given_once(snow: Any) -> None:
    """A client may choose the sys_id of a new record; the second time the insert is refused."""
    record = {"sys_id": "a" * 32, "name": "Acme"}
    assert snow.create("core_company", **record) == "a" * 32
    refused = snow.call("POST", "table/core_company", json=record)
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, "Operation Failed")


def test_odd_text_is_stored_and_comes_back(snow: Any) -> None:
    """Emoji, quotes and line breaks survive; half a surrogate pair costs itself only."""
    answer = snow.call("POST", "table/core_company", data=b'{"name": "\\ud83d x"}', headers=_JSON)
    assert answer.json()["result"]["name"] == "? x"
    text = "naïve \U0001f34f \"q\" 'a'\n%_^"
    assert snow.call("POST", "table/core_company", json={"name": text}).json()["result"]["name"] == text
    assert len(snow.rows("core_company", f"name={text.replace('^', '^^')}")) == 1
