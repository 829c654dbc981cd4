"""Pages that drift, repeat, expire or come short."""

from typing import Any

import pytest

from include.sandbox.fleet import Fleet

LIMIT = 100


def _walk_devices(tenant, pages: int = 50, **params: Any) -> list[list[dict[str, Any]]]:
    """Page by offset as clients do: on by what came, up to the empty page."""
    read: list[list[dict[str, Any]]] = []
    offset = 0
    while len(read) < pages and (page := tenant.json("/devices", limit=LIMIT, offset=offset, **params)):
        read.append(page)
        offset += len(page)
    return read


def _walk_prism(tenant, category: str, pages: int = 50, **params: Any) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None and len(read) < pages:
        read.append(tenant.json(f"/prism/{category}", limit=LIMIT, cursor=cursor, **params))
        cursor = read[-1]["cursor"]
    return read


def _ids(rows) -> list[str]:
    return [row["device_id"] for row in rows]


def _flat(pages: list[list[dict[str, Any]]]) -> list[str]:
    return _ids(row for page in pages for row in page)


def _last_event(tenant) -> dict[str, Any]:
    return tenant.json("/audit/events", sort_by="-occurred_at", limit=1)["results"][0]


@pytest.mark.parametrize("ordering", ["", "device_id", "-serial_number"])
def test_removed_device_makes_offset_paging_skip_one(faulty, fleet: Fleet, ordering: str) -> None:
    """A device of an earlier page is gone before the third: one that is still there was never shown."""
    tenant = faulty()
    tenant.fault("device_removed_between_pages", match="GET /devices offset=200", seed=3)
    seen = _flat(_walk_devices(tenant, ordering=ordering))
    removed = _last_event(tenant)
    there = {device.id for device in fleet.devices} - {removed["target_id"]}
    assert removed["action"] == "delete"
    assert removed["target_id"] in seen[:200]
    assert tenant.get(f"/devices/{removed['target_id']}").status_code == 404
    assert len(there - set(seen)) == 1
    assert len(seen) == len(set(seen)) == len(fleet.devices) - 1
    assert tenant.struck() == ["GET /devices offset=200"]


@pytest.mark.parametrize("ordering", ["", "device_id", "-device_id", "serial_number", "-last_check_in"])
def test_enrolled_device_makes_offset_paging_repeat_one(faulty, fleet: Fleet, ordering: str) -> None:
    """A device enrolls before the second page and sorts before it: the row at the edge comes twice."""
    tenant = faulty()
    tenant.fault("device_enrolled_between_pages", match="GET /devices offset=100", seed=3)
    pages = _walk_devices(tenant, ordering=ordering)
    enrolled = _last_event(tenant)
    assert enrolled["action"] == "create"
    assert enrolled["target_id"] not in _flat(pages)
    assert pages[1][0] == pages[0][-1]
    assert len(_flat(pages)) == len(fleet.devices) + 1
    assert set(_flat(pages)) == {device.id for device in fleet.devices}
    assert enrolled["target_id"] in _flat(_walk_devices(tenant, ordering=ordering))


def test_enrolled_device_sorts_before_the_page_among_those_asked_for(faulty) -> None:
    """Where a client asks for iPads only, an iPad enrolls."""
    tenant = faulty()
    tenant.fault("device_enrolled_between_pages")
    first = tenant.json("/devices", limit=5, platform="iPad")
    second = tenant.json("/devices", limit=5, offset=5, platform="iPad")
    assert second[0] == first[-1]
    assert tenant.json(f"/devices/{_last_event(tenant)['target_id']}")["platform"] == "iPad"


def test_device_that_cannot_sort_before_enrolls_all_the_same(faulty) -> None:
    """In order of check-in nothing new comes first; the device is there nevertheless."""
    tenant = faulty()
    tenant.fault("device_enrolled_between_pages")
    pages = _walk_devices(tenant, ordering="last_check_in")
    assert _last_event(tenant)["target_id"] in _flat(pages)
    assert tenant.json("/_sandbox/fleet")["audit_events"] == 401


@pytest.mark.parametrize("kind", ["device_removed_between_pages", "device_enrolled_between_pages"])
def test_drift_is_the_same_for_a_seed(faulty, kind: str) -> None:
    """Two tenants with one fleet and one seed lose or gain the same devices, another seed others."""
    changed = []
    for seed in (5, 5, 6):
        tenant = faulty()
        tenant.fault(kind, count=3, seed=seed)
        _walk_devices(tenant, pages=2)
        events = tenant.json("/audit/events", sort_by="-occurred_at", limit=3)["results"]
        changed.append([event["target_id"] for event in events])
    assert changed[0] == changed[1] != changed[2]
    assert len(set(changed[0])) == 3


def test_drift_of_an_older_prism_is_the_same(faulty, fleet: Fleet) -> None:
    """Prism by offset skips a row when a device goes, and shows rows twice when one comes with its apps."""
    tenant = faulty(prism_offset=True)
    tenant.fault("device_removed_between_pages", match="GET /prism/device_information page=2")
    rows = [
        row
        for offset in range(0, 400, LIMIT)
        for row in tenant.json("/prism/device_information", limit=LIMIT, offset=offset)["data"]
    ]
    assert len(rows) == len(set(_ids(rows))) == len(fleet.devices) - 1
    tenant.fault("device_enrolled_between_pages", match="GET /prism/apps page=2")
    first = tenant.json("/prism/apps", limit=LIMIT)
    second = tenant.json("/prism/apps", limit=LIMIT, offset=LIMIT)
    came = second["total"] - first["total"]
    assert came > 0
    assert second["data"][:came] == first["data"][-came:]


def test_device_between_prism_pages_leaves_a_cursor_right(faulty, fleet: Fleet) -> None:
    """By cursor nothing else is skipped or doubled; what enrolled is missing until the next walk."""
    tenant = faulty()
    tenant.fault("device_enrolled_between_pages", match="GET /prism/device_information page=3")
    rows = [row for page in _walk_prism(tenant, "device_information") for row in page["data"]]
    new = _last_event(tenant)["target_id"]
    assert sorted(_ids(rows)) == sorted(device.id for device in fleet.devices)
    again = [row for page in _walk_prism(tenant, "device_information") for row in page["data"]]
    assert _ids(again) == [new, *_ids(rows)]
    assert tenant.json("/prism/count", category="device_information")["count"] == len(again)


def test_removed_device_is_missing_from_the_rest_of_a_prism_walk(faulty) -> None:
    """A device of an earlier page goes with all its apps, and the count says so at once."""
    tenant = faulty()
    tenant.fault("device_removed_between_pages", match="GET /prism/apps page=3")
    pages = _walk_prism(tenant, "apps", pages=3)
    removed = _last_event(tenant)["target_id"]
    assert removed in _ids(pages[0]["data"] + pages[1]["data"])
    assert removed not in _ids(pages[2]["data"])
    assert pages[2]["total"] < pages[1]["total"] == 3200


def test_first_page_does_not_drift(faulty) -> None:
    """Nothing stands before the first page, so nothing happens there and no occasion is used up."""
    tenant = faulty()
    for kind in ("device_removed_between_pages", "repeated_page", "cursor_expired"):
        tenant.fault(kind)
    _walk_devices(tenant, pages=1)
    _walk_prism(tenant, "apps", pages=1)
    assert tenant.struck() == []


def test_repeated_page_hides_the_one_asked_for(faulty) -> None:
    """Once, the page before comes again: whoever pages by offset never sees the rows that belonged there."""
    tenant = faulty()
    good = _walk_devices(tenant)
    tenant.fault("repeated_page", match="GET /devices offset=200")
    assert _walk_devices(tenant) == [good[0], good[1], good[1], good[3]]


def test_page_repeated_for_good_never_ends(faulty) -> None:
    """With times=0 the same page comes for ever, by offset and by cursor."""
    tenant = faulty()
    tenant.fault("repeated_page", times=0)
    pages = _walk_devices(tenant, pages=20)
    assert pages == [pages[0]] * 20
    bodies = _walk_prism(tenant, "apps", pages=20)
    assert bodies == [bodies[0]] * 20
    assert bodies[0]["cursor"]


def test_prism_page_repeated_once_comes_again_whole(faulty) -> None:
    """The repeated answer carries its own cursor again, so the walk then goes on where it was."""
    tenant = faulty()
    good = _walk_prism(tenant, "apps", pages=4)
    tenant.fault("repeated_page", match="GET /prism/apps page=3")
    assert _walk_prism(tenant, "apps", pages=5) == [good[0], good[1], good[1], good[2], good[3]]
    tenant = faulty(prism_offset=True)
    tenant.fault("repeated_page", match="GET /prism/apps page=2")
    pages = [tenant.json("/prism/apps", limit=LIMIT, offset=offset)["data"] for offset in (0, LIMIT, 2 * LIMIT)]
    assert pages[0] == pages[1] != pages[2]


def test_cursor_expires_in_mid_walk(faulty) -> None:
    """A cursor that was good is refused as the documentation words it, and is good again afterwards."""
    tenant = faulty()
    cursor = tenant.json("/prism/apps", limit=LIMIT)["cursor"]
    tenant.fault("cursor_expired", match="GET /prism/apps page=2")
    refused = tenant.get("/prism/apps", limit=LIMIT, cursor=cursor)
    assert (refused.status_code, refused.json()) == (400, {"detail": "Invalid cursor"})
    assert tenant.get("/prism/apps", limit=LIMIT, cursor=cursor).status_code == 200
    assert tenant.struck() == ["GET /prism/apps page=2"]


@pytest.mark.parametrize(("rows", "shown"), [(0, 50), (7, 7)])
def test_short_pages_lose_nothing_for_who_goes_on_by_what_came(faulty, fleet: Fleet, rows: int, shown: int) -> None:
    """A short page in the middle is not the end, by offset and by cursor."""
    tenant = faulty()
    for match in ("GET /devices offset=100", "GET /prism/device_information page=2"):
        tenant.fault("short_page", match=match, rows=rows)
    devices, prism = _walk_devices(tenant), _walk_prism(tenant, "device_information")
    assert [len(page) for page in devices[:3]] == [len(page["data"]) for page in prism[:3]] == [100, shown, 100]
    expected = sorted(device.id for device in fleet.devices)
    assert sorted(_flat(devices)) == expected
    assert sorted(_ids(row for page in prism for row in page["data"])) == expected


def test_every_page_can_be_short(faulty, fleet: Fleet) -> None:
    """Short pages up to the end still end, with one row on the last."""
    tenant = faulty(prism_total=False)
    tenant.fault("short_page", times=0)
    devices, prism = _walk_devices(tenant), _walk_prism(tenant, "device_information")
    assert len(_flat(devices)) == len(set(_flat(devices))) == len(fleet.devices)
    assert sum(len(page["data"]) for page in prism) == len(fleet.devices)
    assert len(devices[-1]) == len(prism[-1]["data"]) == 1
    assert {page["total"] for page in prism} == {None}


def test_pages_keep_their_numbers_behind_short_ones(faulty) -> None:
    """A page's number counts the pages that came, not the rows."""
    tenant = faulty()
    tenant.fault("short_page", match="GET /prism/apps page=[123]", times=0, rows=10)
    tenant.fault("cursor_expired", match="GET /prism/apps page=5")
    pages = _walk_prism(tenant, "apps", pages=4)
    assert [len(page["data"]) for page in pages] == [10, 10, 10, 100]
    assert tenant.get("/prism/apps", limit=LIMIT, cursor=pages[3]["cursor"]).status_code == 400


def test_counts_can_be_approximate_or_wrong(faulty) -> None:
    """Once an exact number that is off, once a number that says that it is approximate, then the truth."""
    tenant = faulty()
    tenant.fault("count_wrong", match="apps", delta=-5)
    tenant.fault("count_approximate", match="apps", delta=12)
    answers = [tenant.json("/prism/count", category="apps") for _ in range(3)]
    assert [(answer["count"], answer["approximate"]) for answer in answers] == [
        (3195, False),
        (3212, True),
        (3200, False),
    ]
    tenant.fault("count_wrong", delta=-9999)
    assert tenant.json("/prism/count", category="apps")["count"] == 0
