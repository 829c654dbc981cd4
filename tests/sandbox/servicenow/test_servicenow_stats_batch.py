"""The Aggregate API and the Batch API."""

import base64
import json
from typing import Any

import pytest


@pytest.fixture(scope="module")
def filled(shared: Any) -> Any:
    """Three computers of two makers."""
    apple, other = (shared.create("core_company", name=name) for name in ("Apple", "Other"))
    for maker, space in ((apple, "100"), (apple, "250"), (other, "1000")):
        shared.create("cmdb_ci_computer", manufacturer=maker, disk_space=space)
    return shared


def _stats(snow: Any, **params: str) -> Any:
    answer = snow.get("stats/cmdb_ci_computer", **params)
    assert answer.status_code == 200
    return answer.json()["result"]


def test_count(filled: Any) -> None:
    """A count is text, under result.stats."""
    assert _stats(filled, count="true") == {"stats": {"count": "3"}}
    assert _stats(filled, count="true", query="manufacturer.name=apple") == {"stats": {"count": "2"}}
    assert _stats(filled, count="true", query="name=x") == {"stats": {"count": "0"}}


def test_sum_average_and_extremes(filled: Any) -> None:
    """Each aggregate lists its fields."""
    stats = _stats(filled, sum_fields="disk_space", avg_fields="disk_space", min_fields="disk_space",
                   max_fields="disk_space")  # fmt: skip
    assert stats["stats"] == {
        "avg": {"disk_space": "450.0000"},
        "min": {"disk_space": "100"},
        "max": {"disk_space": "1000"},
        "sum": {"disk_space": "1350"},
    }


def test_large_sums_are_whole_numbers(snow: Any) -> None:
    """Whole numbers stay whole beyond a million, and fractions show no digits that nobody entered."""
    for ram, space in (("1800000", "0.1"), ("2700000", "0.2")):
        snow.create("cmdb_ci_computer", ram=ram, disk_space=space)
    stats = _stats(snow, sum_fields="ram,disk_space", max_fields="ram")
    assert stats["stats"] == {"max": {"ram": "2700000"}, "sum": {"ram": "4500000", "disk_space": "0.3"}}


def test_groups(filled: Any) -> None:
    """Groups come as a list with their fields, by value or display value."""
    groups = _stats(filled, count="true", group_by="manufacturer", display_value="true")
    named = {group["groupby_fields"][0]["value"]: group["stats"]["count"] for group in groups}
    assert named == {"Apple": "2", "Other": "1"}
    assert groups[0]["groupby_fields"][0]["field"] == "manufacturer"
    both = _stats(filled, count="true", group_by="manufacturer", display_value="all")
    assert {group["groupby_fields"][0]["display_value"] for group in both} == {"Apple", "Other"}


def test_having(filled: Any) -> None:
    """sysparm_having leaves groups out."""
    groups = _stats(filled, count="true", group_by="manufacturer", having="count^manufacturer^>^1")
    assert [group["stats"]["count"] for group in groups] == ["2"]


def _batch(snow: Any, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    body = {"batch_request_id": "7", "rest_requests": list(requests)}
    answer = snow.call("POST", "/api/now/v1/batch", json=body)
    assert answer.status_code == 200
    content = answer.json()
    assert (content["batch_request_id"], content["unserviced_requests"]) == ("7", [])
    return {each["id"]: each for each in content["serviced_requests"]}


def test_a_batch_serves_each_request(snow: Any) -> None:
    """Bodies travel as base64, statuses and headers are the inner answers' own."""
    body = base64.b64encode(json.dumps({"name": "Acme"}).encode()).decode()
    served = _batch(
        snow,
        {"id": "1", "method": "POST", "url": "/api/now/table/core_company", "body": body},
        {
            "id": "2",
            "method": "GET",
            "url": "/api/now/table/core_company?sysparm_fields=name&sysparm_query=name%3Dacme",
        },
        {"id": "3", "method": "GET", "url": "/api/now/table/x_none", "exclude_response_headers": True},
    )
    assert [served[number]["status_code"] for number in "123"] == [201, 200, 400]
    assert json.loads(base64.b64decode(served["2"]["body"])) == {"result": [{"name": "Acme"}]}
    headers = {header["name"].lower(): header["value"] for header in served["2"]["headers"]}
    assert headers["x-total-count"] == "1"
    assert "headers" not in served["3"]


def test_a_batch_needs_a_sign_in_and_a_list(snow: Any) -> None:
    """The outer request is judged before the inner ones."""
    assert snow.call("POST", "/api/now/v1/batch", json={"rest_requests": []}, auth=None).status_code == 401
    assert snow.call("POST", "/api/now/v1/batch", json={"rest_requests": "x"}).status_code == 400
