"""Standing conditions: pages that point elsewhere, and an hour that others have used up."""

import time
from urllib.parse import urlsplit

import pytest

FOREIGN = "collector.invalid:8443"


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users", {}),
        ("/audit/events", {"limit": 5}),
        ("/blueprints", {"limit": 1}),
        ("/blueprints", {"limit": 1, "offset": 1}),
    ],
)
def test_next_points_at_a_foreign_host(start, path: str, params) -> None:
    """With the switch on, every address of another page names that host and never the API's own."""
    tenant = start(switches={"next_host": FOREIGN})
    body = tenant.json(path, **params)
    addresses = [urlsplit(body[name]) for name in ("next", "previous") if body[name]]
    assert addresses
    assert body["next"]
    for address in addresses:
        assert (address.netloc, address.path) == (FOREIGN, f"/api/v1{path}")
        assert address.netloc != urlsplit(tenant.url).netloc
        assert address.query


def test_query_of_a_foreign_next_leads_on_at_the_api_itself(start) -> None:
    """Only the host is foreign: what is asked for, sent to the API, is the next page."""
    tenant = start(switches={"next_host": FOREIGN})
    first = tenant.json("/audit/events", limit=5)
    query = urlsplit(first["next"]).query
    second = tenant.json(f"/audit/events?{query}")
    assert second["results"] == tenant.json("/audit/events", limit=10)["results"][5:]
    assert first["results"] == tenant.json("/audit/events", limit=10)["results"][:5]


def test_next_is_foreign_even_where_the_switch_names_the_api(start) -> None:
    """A switch that names the API's own host still yields another one."""
    tenant = start()
    own = urlsplit(tenant.url)
    tenant.switch(next_host=own.netloc)
    for path in ("/users", "/audit/events", "/blueprints"):
        address = tenant.json(path, limit=1)["next"]
        assert urlsplit(address).netloc == f"localhost:{own.port}"


def test_users_can_point_elsewhere_than_the_rest(start) -> None:
    """The switch of the users' list goes before the common one."""
    tenant = start(switches={"next_host": FOREIGN, "users_next_host": "web.invalid"})
    assert urlsplit(tenant.json("/users")["next"]).netloc == "web.invalid"
    assert urlsplit(tenant.json("/blueprints", limit=1)["next"]).netloc == FOREIGN


def test_links_of_the_device_list_are_foreign_too(start) -> None:
    """Link headers point where next does."""
    tenant = start(switches={"next_host": FOREIGN, "total_count_headers": True})
    link = tenant.get("/devices", limit=100, offset=100).headers["Link"]
    assert link.count(f"//{FOREIGN}/api/v1/devices?") == 2


def _go_to_the_start_of_an_hour(tenant) -> None:
    tenant.call("POST", "/_sandbox/clock", json={"advance_s": 3601 - time.time() % 3600})


def test_hour_that_is_nearly_used_up_is_told_and_enforced(start) -> None:
    """Of 10,000 requests 9,990 are gone: the headers count down the last ten, and the eleventh is refused."""
    tenant = start(switches={"rate_limit": True, "rate_limit_used_hour": 9_990})
    _go_to_the_start_of_an_hour(tenant)
    answers = [tenant.get("/tags") for _ in range(12)]
    assert [answer.headers["X-RateLimit-Remaining-Hour"] for answer in answers] == [
        *map(str, range(9, -1, -1)),
        "0",
        "0",
    ]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    assert {answer.headers["X-RateLimit-Limit-Hour"] for answer in answers} == {"10000"}
    wait_s = int(answers[-1].headers["Retry-After"])
    tenant.call("POST", "/_sandbox/clock", json={"advance_s": wait_s})
    assert tenant.get("/tags").headers["X-RateLimit-Remaining-Hour"] == "9999"


def test_used_requests_can_be_set_while_it_runs(start) -> None:
    """Somebody else's burst in mid-run shows in the next answer, and counting goes on from there."""
    tenant = start(switches={"rate_limit": True})
    _go_to_the_start_of_an_hour(tenant)
    left = [tenant.get("/tags").headers["X-RateLimit-Remaining-Hour"]]
    for used in (9_000, 9_990, 0):
        tenant.switch(rate_limit_used_hour=used)
        left += [tenant.get("/tags").headers["X-RateLimit-Remaining-Hour"] for _ in range(2)]
    assert left == ["9999", "999", "998", "9", "8", "9999", "9998"]
