"""PATCH and DELETE of one device, and what the audit log tells of it."""

import pytest


@pytest.fixture
def tenant(start):
    """A tenant of the test's own."""
    return start()


def _assigned(tenant) -> dict:
    return next(row for row in tenant.json("/devices") if row["user"])


def test_clearing_the_user_returns_an_empty_string(tenant) -> None:
    """Null clears the assignment, and the answer is the device with "" for its user."""
    row = _assigned(tenant)
    answer = tenant.call("PATCH", f"/devices/{row['device_id']}", json={"user": None})
    assert answer.status_code == 200
    assert answer.json() == {**row, "user": ""}
    assert tenant.json(f"/devices/{row['device_id']}")["user"] == ""


def test_all_four_attributes_change(tenant) -> None:
    """User, asset tag, blueprint and tags take new values, and tags that are new come to exist."""
    row, user = _assigned(tenant), tenant.json("/users")["results"][0]
    blueprint = next(b for b in tenant.json("/blueprints")["results"] if b["id"] != row["blueprint_id"])
    body = {"user": user["id"], "asset_tag": "1040", "blueprint_id": blueprint["id"], "tags": ["new 1"]}
    shown = tenant.call("PATCH", f"/devices/{row['device_id']}", json=body).json()
    assert shown["user"]["email"] == user["email"]
    assert (shown["asset_tag"], shown["tags"]) == ("1040", ["new 1"])
    assert (shown["blueprint_id"], shown["blueprint_name"]) == (blueprint["id"], blueprint["name"])
    assert tenant.json("/tags", search="NEW")["results"][0]["name"] == "new 1"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user": 29000}, "user"),
        ({"user": "nobody"}, "user"),
        ({"user": "00000000-0000-4000-8000-000000000000"}, "user"),
        ({"blueprint_id": "x"}, "blueprint_id"),
        ({"tags": "one"}, "tags"),
        ({"asset_tag": 5}, "asset_tag"),
    ],
)
def test_bad_values_are_refused_field_by_field(tenant, body, field) -> None:
    """A value that does not fit is answered with the field and a list of messages, and changes nothing."""
    row = _assigned(tenant)
    answer = tenant.call("PATCH", f"/devices/{row['device_id']}", json=body)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert isinstance(answer.json()[field], list)
    assert tenant.json(f"/devices/{row['device_id']}") == row


def test_body_that_is_not_json_is_refused(tenant) -> None:
    """Broken JSON is a 400 that says so; another media type is a 415."""
    path = f"/devices/{_assigned(tenant)['device_id']}"
    broken = tenant.call("PATCH", path, data=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    assert broken.json()["detail"].startswith("JSON parse error - ")
    assert tenant.call("PATCH", path, data="a=b", headers={"Content-Type": "text/plain"}).status_code == 415


def test_deleted_device_is_gone_everywhere(tenant) -> None:
    """After 204 the device leaves the list, Prism and its own address."""
    device_id = tenant.json("/devices", platform="Mac", limit=1)[0]["device_id"]
    answer = tenant.call("DELETE", f"/devices/{device_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert tenant.get(f"/devices/{device_id}").status_code == 404
    assert tenant.call("DELETE", f"/devices/{device_id}").status_code == 404
    assert device_id not in {row["device_id"] for row in tenant.json("/devices")}
    assert device_id not in {row["device_id"] for row in tenant.prism("apps")}
    assert tenant.json("/prism/count", category="device_information")["count"] == 399


def test_audit_log_tells_of_blueprints_and_deletions_but_not_of_users(tenant) -> None:
    """Blueprint, asset tag and deletion are events; giving a device to somebody else is not."""
    row = _assigned(tenant)
    path, user = f"/devices/{row['device_id']}", tenant.json("/users")["results"][0]
    blueprint = next(b for b in tenant.json("/blueprints")["results"] if b["id"] != row["blueprint_id"])

    def events() -> list[tuple[str, str]]:
        newest = tenant.json("/audit/events", sort_by="-occurred_at", limit=5)["results"]
        return [(e["action"], e["target_component"]) for e in newest if e["target_id"] == row["device_id"]]

    before = events()
    tenant.call("PATCH", path, json={"user": user["id"]})
    assert events() == before
    tenant.call("PATCH", path, json={"blueprint_id": blueprint["id"]})
    tenant.call("PATCH", path, json={"asset_tag": "A-1"})
    tenant.call("DELETE", path)
    assert events()[:3] == [("delete", ""), ("update", "asset_tag"), ("update", "blueprint")]


def test_edit_moves_updated_at_in_prism(tenant) -> None:
    """A watermark on updated_at finds a device whose user changed, though it did not check in."""
    row = _assigned(tenant)
    newest = max(r["updated_at"] for r in tenant.prism("device_information"))
    tenant.call("PATCH", f"/devices/{row['device_id']}", json={"user": None})
    changed = tenant.prism("device_information", filter=f'{{"updated_at":{{"gt":"{newest}"}}}}')
    assert [r["device_id"] for r in changed] == [row["device_id"]]


def test_activity_tells_of_enrolment_and_blueprints_oldest_first(tenant) -> None:
    """A device's own history has its enrolment first and a move to another blueprint last, never a user."""
    row = _assigned(tenant)
    path, user = f"/devices/{row['device_id']}", tenant.json("/users")["results"][0]
    blueprint = next(b for b in tenant.json("/blueprints")["results"] if b["id"] != row["blueprint_id"])
    tenant.call("PATCH", path, json={"user": user["id"]})
    tenant.call("PATCH", path, json={"blueprint_id": blueprint["id"]})
    activity = tenant.json(f"{path}/activity")["activity"]
    assert [one["action_type"] for one in activity["results"]] == ["enrollment", "routing_arrival"]
    assert activity["results"][1]["blueprint"]["name"] == blueprint["name"]
    assert tenant.json(f"{path}/activity", limit=1, offset=1)["activity"]["results"] == activity["results"][1:]
    assert (activity["count"], activity["next"], activity["previous"]) == (2, None, None)
