# ruff: noqa: RUF001 - names as people and the documentation type them
"""GET /prism/<category>: envelope, cursor, filters, count."""

import json

import pytest

from include.sandbox.fleet import Fleet


def test_envelope_has_five_keys_and_25_rows_by_default(api) -> None:
    """The envelope is offset, limit, total, data and cursor; 25 rows come unless more are asked for."""
    page = api.json("/prism/apps")
    assert list(page) == ["offset", "limit", "total", "data", "cursor"]
    assert (page["offset"], page["limit"], page["total"], len(page["data"])) == (None, 25, 3200, 25)
    assert len(api.json("/prism/apps", limit=5000)["data"]) == 300


def test_cursor_walks_every_row_once(api, fleet: Fleet) -> None:
    """Following cursors from an empty one meets each app exactly once, odd rows included."""
    rows = api.prism("apps", limit=290)
    paths = {(row["device_id"], row["name"], row["bundle_id"], row["path"], row["version"]) for row in rows}
    assert len(rows) == len(fleet.apps)
    assert paths == {(app.device_id, app.title.name, app.title.bundle_id, app.path, app.version) for app in fleet.apps}
    assert api.json("/prism/apps", limit=300)["data"] == api.json("/prism/apps", limit=300, cursor="")["data"]


def test_last_page_has_no_cursor(api) -> None:
    """A page with everything left on it ends the walk with null."""
    assert api.json("/prism/device_information", filter='{"device__name":{"in":["-"]}}')["cursor"] is None
    page = api.json("/prism/apps", limit=300, device_families="tvOS")
    assert len(page["data"]) == page["total"] < 300
    assert page["cursor"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"filter": '{"device__name":{"like":["a"]}}'},
        {"device_families": "iPad"},
        {"blueprint_ids": "b"},
        {"limit": 10},
        {"sort_by": "name"},
    ],
)
def test_cursor_of_another_query_is_refused(api, change) -> None:
    """A cursor is bound to its query: with anything altered it is a 400."""
    query = {"limit": 20, "device_families": "Mac"}
    cursor = api.json("/prism/apps", **query)["cursor"]
    assert api.get("/prism/apps", **query, cursor=cursor).status_code == 200
    assert api.get("/prism/apps", **(query | change), cursor=cursor).status_code == 400
    assert api.get("/prism/device_information", **query, cursor=cursor).status_code == 400


@pytest.mark.parametrize("cursor", ["nonsense", "MQ==", "Zm9vfDEy", "%%%"])
def test_made_up_cursor_is_refused(api, cursor) -> None:
    """A cursor that this tenant never handed out is a 400 with a detail."""
    answer = api.get("/prism/apps", cursor=cursor)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid cursor"})


def test_unknown_parameters_leave_a_cursor_valid(api) -> None:
    """What the API ignores does not count as an altered query."""
    cursor = api.json("/prism/apps", limit=20)["cursor"]
    assert api.get("/prism/apps", limit=20, cursor=cursor, source="x").status_code == 200


def test_offset_is_refused_unless_the_tenant_is_old(start) -> None:
    """Newer tenants answer offset with 400; older ones page by it and hand out no cursor."""
    tenant = start()
    refused = tenant.get("/prism/apps", offset=0)
    assert refused.status_code == 400
    assert isinstance(refused.json()["detail"], str)
    tenant.switch(prism_offset=True)
    pages = [tenant.json("/prism/device_information", limit=150, offset=o) for o in (0, 150, 300, 450)]
    assert [len(page["data"]) for page in pages] == [150, 150, 100, 0]
    assert [page["offset"] for page in pages] == [0, 150, 300, 450]
    assert {page["cursor"] for page in pages} == {None}
    assert len({row["device_id"] for page in pages for row in page["data"]}) == 400


def test_sorting_orders_a_page_and_does_not_go_with_cursors(api) -> None:
    """sort_by orders what one page shows; to walk on in that order is refused, not silently cut short."""
    page = api.json("/prism/device_information", sort_by="-serial_number", limit=300)
    serials = [row["serial_number"] for row in page["data"]]
    assert serials == sorted(serials, reverse=True)
    assert page["cursor"]
    again = api.get("/prism/device_information", sort_by="-serial_number", limit=300, cursor=page["cursor"])
    assert again.status_code == 400
    assert api.get("/prism/apps", sort_by="no_such_key").status_code == 400


def test_short_pages_are_not_the_end(start, fleet: Fleet) -> None:
    """With the switch on, pages may come half full; whoever follows the cursor still gets everything."""
    tenant = start(switches={"prism_short_pages": True})
    first = tenant.json("/prism/apps", limit=300)
    assert len(first["data"]) == 150
    assert first["cursor"]
    assert len(tenant.prism("apps")) == len(fleet.apps)


def test_walk_may_end_with_an_empty_page(start, fleet: Fleet) -> None:
    """Some tenants end with an empty page instead of a null cursor, and some state no total."""
    tenant = start(switches={"prism_empty_last_page": True, "prism_total": False})
    page = tenant.json("/prism/apps", device_families="tvOS", limit=300)
    assert page["total"] is None
    last = tenant.json("/prism/apps", device_families="tvOS", limit=300, cursor=page["cursor"])
    assert (last["data"], last["cursor"]) == ([], None)
    assert len(tenant.prism("apps")) == len(fleet.apps)


def test_families_are_named_as_prism_names_them(api, fleet: Fleet) -> None:
    """An Apple TV is tvOS here; AppleTV, the name of the other endpoint, finds nothing."""
    tv = sum(device.hardware.family == "AppleTV" for device in fleet.devices)
    assert api.json("/prism/device_information", device_families="tvOS")["total"] == tv > 0
    assert api.json("/prism/device_information", device_families="AppleTV")["total"] == 0
    both = api.prism("device_information", device_families="Mac,tvOS")
    assert {row["device__family"] for row in both} == {"Mac", "tvOS"}


def test_blueprints_restrict(api) -> None:
    """Rows of the named blueprints come, and no others."""
    first, second = api.json("/blueprints")["results"][:2]
    rows = api.prism("apps", blueprint_ids=f"{first['id']},{second['id']}")
    assert {row["blueprint_name"] for row in rows} == {first["name"], second["name"]}


_EVENING, _NIGHT, _MORNING = (f"2025-10-{moment}:00:00.000Z" for moment in ("14T20", "15T02", "15T04"))
_FILTERS = [
    ({"apple_silicon": {"eq": True}}, lambda row: row["apple_silicon"] is True),
    ({"model_name": {"in": ["iPhone 14", "iPad"]}}, lambda row: row["model_name"] == "iPhone 14"),
    ({"model_name": {"not_in": ["iPhone 14"]}}, lambda row: row["model_name"] != "iPhone 14"),
    (
        {"device__name": {"like": ["macbook", "ipad"]}},
        lambda row: any(word in row["device__name"].lower() for word in ("macbook", "ipad")),
    ),
    ({"device__name": {"not_like": ["MacBook"]}}, lambda row: "macbook" not in row["device__name"].lower()),
    ({"device_capacity": {"gte": 494}}, lambda row: row["device_capacity"] >= 494),
    ({"updated_at": {"lt": _EVENING}}, lambda row: row["updated_at"] < "2025-10-14T20"),
    (
        {"updated_at": {"gte": _EVENING, "lte": _NIGHT}},
        lambda row: "2025-10-14T20" <= row["updated_at"] <= "2025-10-15T02",
    ),
    (
        {"last_changed_at": {"or": {"gt": _MORNING, "lt": _EVENING}}},
        lambda row: not "2025-10-14T20" <= row["last_changed_at"] <= "2025-10-15T04",
    ),
    ({"tags": {"in": ["loaner"]}}, lambda row: row["tags"] and "loaner" in row["tags"]),
    (
        {"last_checkin": {"gt": _MORNING}, "model": {"in": ["Mac"]}},
        lambda row: (row["last_checkin"] or "") > "2025-10-15T04" and row["model"] == "Mac",
    ),
]


@pytest.mark.parametrize(("wanted", "holds"), _FILTERS)
def test_filter_operators_do_what_they_say(api, wanted, holds) -> None:
    """Each documented operator returns exactly the rows that match, which are some and not all."""
    everything = api.prism("device_information")
    expected = [row["device_id"] for row in everything if holds(row)]
    assert 0 < len(expected) < len(everything)
    found = api.prism("device_information", filter=json.dumps(wanted))
    assert [row["device_id"] for row in found] == expected
    assert api.json("/prism/device_information", filter=json.dumps(wanted))["total"] == len(expected)


def test_documented_app_filter(api) -> None:
    """The documentation's own example leaves out the named app on the named device's rows."""
    wanted = {"name": {"not_in": ["Okta Verify"]}, "device__name": {"not_in": ["testuser’s MacBook Air"]}}
    rows = api.prism("apps", filter=json.dumps(wanted, ensure_ascii=False))
    assert rows
    assert "Okta Verify" not in {row["name"] for row in rows}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"x"',
        '{"blueprint__id":{"in":["x"]}}',
        '{"device__family":{"in":["Mac"]}}',
        '{"no_such_key":{"in":["x"]}}',
        '{"device__name":{"is":["x"]}}',
        '{"device__name":{"in":"x"}}',
        '{"device__name":["x"]}',
        '{"device__name":{}}',
        '{"updated_at":{"gt":"yesterday"}}',
        '{"device__name":{"gt":"a"}}',
        '{"updated_at":{"or":[]}}',
    ],
)
def test_malformed_filter_is_refused(api, text) -> None:
    """A filter that cannot be read is a 400 with a detail, never an unfiltered answer."""
    answer = api.get("/prism/device_information", filter=text)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


def test_unassigned_users_are_null_or_empty(api, fleet: Fleet) -> None:
    """Nobody is "" for the deprecated id, and null on some devices and "" on others for name and e-mail."""
    free = {device.id for device in fleet.devices if device.user_id is None}
    rows = [row for row in api.prism("device_information") if row["device_id"] in free]
    assert {row["device__user_id"] for row in rows} == {""}
    assert {row["device__user_email"] for row in rows} == {None, ""}
    assert all(row["device__user_name"] == row["device__user_email"] for row in rows)


def test_user_is_the_deprecated_number_as_text(api) -> None:
    """Prism names a user by the number that /users calls deprecated."""
    row = next(r for r in api.prism("device_information") if r["device__user_email"])
    user = api.json("/users", email=row["device__user_email"])["results"][0]
    assert row["device__user_id"] == user["deprecated_user_id"]


def test_count_is_the_number_of_rows(api, fleet: Fleet) -> None:
    """The count of a category equals what its pages hold; an unknown category is a 400."""
    assert api.json("/prism/count", category="apps") == {"count": len(fleet.apps), "approximate": False}
    assert api.json("/prism/count", category="device_information")["count"] == 400
    assert api.json("/prism/count", category="filevault")["count"] == 0
    bad = api.get("/prism/count", category="application_firewal")
    assert (bad.status_code, bad.json()) == (400, {"detail": "Invalid category: application_firewal"})


def test_other_categories_are_empty_and_unlisted_ones_unknown(api) -> None:
    """Categories without rows here answer with an empty envelope; names that do not exist are a 404."""
    assert api.json("/prism/local_users")["data"] == []
    assert api.get("/prism/no_such_category").status_code == 404


def test_last_use_and_removal_come_by_switch_under_any_key(start) -> None:
    """Neither is published: off by default, on under names that the tenant chooses."""
    tenant = start()
    assert not {"last_opened", "is_removed"} & set(tenant.json("/prism/apps")["data"][0])
    tenant.switch(prism_last_opened=True, prism_is_removed=True, prism_last_opened_key="last_used_at")
    removed = tenant.change(remove_apps=3)["remove_apps"]
    rows = tenant.prism("apps")
    assert any(row["last_used_at"] for row in rows)
    assert not any(row["last_used_at"] for row in rows if row["device__family"] != "Mac")
    gone = {(row["device_id"], row["name"], row["path"]) for row in rows if row["is_removed"] is True}
    assert gone == {(app["device_id"], app["name"], app["path"]) for app in removed}
    tenant.switch(prism_is_removed=False)
    assert len(tenant.prism("apps")) == len(rows) - 3


def test_walk_survives_changes_in_between(start, fleet: Fleet) -> None:
    """Rows that are there all the time come exactly once although others go and come during the walk."""
    tenant = start()
    first = tenant.json("/prism/apps", limit=300, cursor="")
    changes = tenant.change(remove_devices=5, enroll=5)
    rows, cursor = list(first["data"]), first["cursor"]
    while cursor:
        page = tenant.json("/prism/apps", limit=300, cursor=cursor)
        rows, cursor = rows + page["data"], page["cursor"]
    moved = {one["device_id"] for kind in changes.values() for one in kind}
    seen = [row["device_id"] for row in rows if row["device_id"] not in moved]
    assert len(seen) == sum(app.device_id not in moved for app in fleet.apps)
