"""Audit events, users, blueprints, tags and licensing."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from include.sandbox.fleet import Fleet


def test_audit_walk_by_next_meets_every_event_once(api, fleet: Fleet) -> None:
    """Following next, a whole address on the same host, meets every enrolment once, oldest first."""
    events, address = [], "/audit/events?limit=150"
    while address:
        page = api.json(address)
        assert list(page) == ["results", "previous", "next"]
        events, address = events + page["results"], page["next"]
        assert address is None or address.startswith(f"{api.url}/api/v1/audit/events?limit=150&cursor=")
    assert [event["target_id"] for event in events] == [device.id for device in fleet.devices]
    assert len({event["id"] for event in events}) == len(events)
    assert {len(event["id"]) for event in events} == {26}
    assert [e["occurred_at"] for e in events] == sorted(e["occurred_at"] for e in events)
    assert all(e["occurred_at"].endswith("Z") for e in events)


def test_audit_cursor_names_the_last_time(api) -> None:
    """The cursor is base64 of ">dt:" and the last event's time with a space, as in the documentation."""
    page = api.json("/audit/events", limit=2)
    cursor = parse_qs(urlsplit(page["next"]).query)["cursor"][0]
    shown = page["results"][-1]["occurred_at"].replace("T", " ").replace("Z", "+00:00")
    assert base64.b64decode(cursor).decode() == f">dt:{shown}"
    assert api.json("/audit/events", limit=2, cursor=cursor) == api.json(page["next"])


def test_audit_sorts_both_ways_and_by_id(api) -> None:
    """Newest first reverses the walk, pages included, and ids sort as times do."""
    down = api.json("/audit/events", limit=3, sort_by="-occurred_at")
    more = api.json(down["next"])
    times = [event["occurred_at"] for event in down["results"] + more["results"]]
    assert times == sorted(times, reverse=True)
    ids = api.json("/audit/events", sort_by="id", limit=50)
    assert [event["id"] for event in ids["results"]] == sorted(event["id"] for event in ids["results"])
    assert api.json(ids["next"])["results"][0]["id"] > ids["results"][-1]["id"]


def test_audit_keys_come_in_the_documented_order(api) -> None:
    """The page and its events read as the published example does, key by key."""
    page = api.json("/audit/events", limit=1)
    assert list(page) == ["results", "previous", "next"]
    assert list(page["results"][0]["metadata"]) == ["source_id", "source"]


def test_audit_period(api) -> None:
    """Both ends take a moment or a day, and both are included."""
    events = api.json("/audit/events")["results"]
    first, last = events[10]["occurred_at"], events[20]["occurred_at"]
    assert api.json("/audit/events", start_date=first, end_date=last)["results"] == events[10:21]
    day = events[50]["occurred_at"][:10]
    of_day = [event for event in events if event["occurred_at"].startswith(day)]
    assert api.json("/audit/events", start_date=day, end_date=day)["results"] == of_day != []


@pytest.mark.parametrize(
    "query", [{"start_date": "soon"}, {"sort_by": "action"}, {"cursor": "x"}, {"cursor": "PmlkOjE="}]
)
def test_audit_refuses_what_it_cannot_read(api, query) -> None:
    """A bad date, order or cursor is a 400."""
    assert api.get("/audit/events", **query).status_code == 400


def test_audit_limit_is_500(api) -> None:
    """Up to 500 events come at once, which is also the default."""
    assert len(api.json("/audit/events", limit=5000)["results"]) == 400
    assert api.json("/audit/events", limit=399)["next"]


def test_users_page_by_a_cursor_on_another_host(api, fleet: Fleet) -> None:
    """next names another host than the API's; its cursor, sent to the API, leads on to every user."""
    first = api.json("/users")
    address = urlsplit(first["next"])
    assert len(first["results"]) == 300
    assert address.netloc not in api.url
    cursor = parse_qs(address.query)["cursor"][0]
    assert base64.b64decode(cursor).decode().startswith("p=")
    second = api.json("/users", cursor=cursor)
    assert second["next"] is None
    ids = [user["id"] for user in first["results"] + second["results"]]
    assert sorted(ids) == sorted(user.id for user in fleet.users)


def test_users_next_host_is_a_switch(start) -> None:
    """The other host can be one that does not exist, to catch clients that follow it."""
    tenant = start(switches={"users_next_host": "tenant.web.invalid"})
    assert urlsplit(tenant.json("/users")["next"]).netloc == "tenant.web.invalid"


def test_users_filter(api, fleet: Fleet) -> None:
    """E-mail contains, id is exact, archived and integration select."""
    user = fleet.users[3]
    assert [u["id"] for u in api.json("/users", email=user.email.upper())["results"]] == [user.id]
    assert [u["name"] for u in api.json("/users", id=user.id)["results"]] == [user.name]
    archived = api.json("/users", archived="true")["results"]
    assert [u["id"] for u in archived] == [u.id for u in reversed(fleet.users) if u.archived] != []
    assert not any(u["active"] for u in archived)
    assert api.json("/users", integration_id="nope")["results"] == []
    assert len(api.json("/users", integration_id=fleet.integration_id, archived="false")["results"]) == 300


def test_one_user_counts_devices(api, fleet: Fleet) -> None:
    """A user is the same alone as in the list, and tells how many devices are assigned."""
    user = next(u for u in fleet.users if sum(d.user_id == u.id for d in fleet.devices) == 2)
    shown = api.json(f"/users/{user.id}")
    assert shown["device_count"] == 2
    assert shown == api.json("/users", id=user.id)["results"][0]
    assert api.get("/users/nobody").status_code == 404
    assert api.get("/users", cursor="bad").status_code == 404


def test_blueprints_page_by_offset_with_addresses(api, fleet: Fleet) -> None:
    """count, next and previous as Django REST framework makes them; beyond the end it is empty."""
    page = api.json("/blueprints", limit=2, offset=2)
    assert page["count"] == len(fleet.blueprints)
    assert parse_qs(urlsplit(page["next"]).query) == {"limit": ["2"], "offset": ["4"]}
    assert parse_qs(urlsplit(page["previous"]).query) == {"limit": ["2"]}
    assert [b["id"] for b in page["results"]] == [b.id for b in fleet.blueprints[2:4]]
    assert api.json("/blueprints", offset=400)["results"] == []


def test_blueprints_filter_and_count_computers(api, fleet: Fleet) -> None:
    """Name contains, id and id__in select, and each blueprint counts its devices."""
    one, two = fleet.blueprints[:2]
    assert [b["id"] for b in api.json("/blueprints", name=one.name[:4].upper())["results"]] == [one.id]
    assert len(api.json("/blueprints", id__in=f"{one.id},{two.id}")["results"]) == 2
    shown = api.json(f"/blueprints/{one.id}")
    assert api.json("/blueprints", id=one.id)["results"] == [shown]
    assert shown["computers_count"] == sum(d.blueprint_id == one.id for d in fleet.devices)
    assert api.get("/blueprints/none").status_code == 404


def test_tags_search(api, fleet: Fleet) -> None:
    """All tags come without a search, and those that contain it with one."""
    assert api.json("/tags")["count"] == len(fleet.tags)
    found = api.json("/tags", search="ACCU")["results"]
    assert [tag["name"] for tag in found] == ["accuhive_01", "accuhive_02"]


def test_licensing_adds_up(api, fleet: Fleet) -> None:
    """The counts by platform add up to all devices."""
    counts = api.json("/settings/licensing")["counts"]
    assert counts.pop("computers_count") == sum(counts.values()) == len(fleet.devices)
