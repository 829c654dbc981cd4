"""Tokens, permissions, limits and the errors that no endpoint makes itself."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Token x"}, {"Authorization": "Bearer"}],
)
def test_without_the_right_token_everything_is_401(api, headers) -> None:
    """A missing and a wrong token get the same answer."""
    answer = requests.get(f"{api.url}/api/v1/devices", headers=headers, timeout=30)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token."})


def test_permissions_are_by_call_and_token(start) -> None:
    """A token that lacks one permission is refused there with 403 and served everywhere else."""
    tenant = start()
    device_id = tenant.json("/devices", limit=1)[0]["device_id"]
    made = tenant.call("POST", "/_sandbox/tokens", json={"denied": ["GET /prism/*", "PATCH /devices/*"]})
    limited = type(tenant)(tenant.url, made.json()["token"])
    refused = limited.get("/prism/apps")
    assert refused.status_code == 403
    assert refused.json() == {"detail": "You do not have permission to perform this action."}
    assert limited.call("PATCH", f"/devices/{device_id}", json={}).status_code == 403
    assert limited.get(f"/devices/{device_id}").status_code == 200
    assert tenant.get("/prism/apps").status_code == 200
    tenant.switch(denied="GET /audit/events")
    assert tenant.get("/audit/events").status_code == 403


def test_unrouted_paths_get_the_gateway_answer(api) -> None:
    """A path that nobody serves is the gateway's own 404, whatever the token."""
    answer = requests.get(f"{api.url}/api/v2/devices", timeout=30)
    assert answer.status_code == 404
    assert answer.json()["message"] == "no Route matched with those values"
    assert answer.json()["request_id"]


def test_wrong_method_is_named(api) -> None:
    """A method that an endpoint does not know is a 405 that names it."""
    answer = api.call("PUT", "/devices")
    assert (answer.status_code, answer.json()) == (405, {"detail": 'Method "PUT" not allowed.'})


def test_limit_headers_tell_both_windows(start) -> None:
    """Every answer tells what is left of the second and of the hour; the short names mean the second."""
    tenant = start(switches={"rate_limit": True})
    first, second = tenant.get("/devices", limit=1).headers, tenant.get("/tags").headers
    assert first["X-RateLimit-Limit-Second"] == first["RateLimit-Limit"] == "50"
    assert first["X-RateLimit-Limit-Hour"] == "10000"
    assert int(first["X-RateLimit-Remaining-Hour"]) - int(second["X-RateLimit-Remaining-Hour"]) == 1
    assert first["RateLimit-Remaining"] == first["X-RateLimit-Remaining-Second"]
    assert first["Via"].startswith("kong/")
    assert first["Server"] == "waitress"
    assert tenant.get("/prism/apps", limit=1).headers["Server"] == "uvicorn"


def test_hourly_limit_is_enforced_until_the_hour_is_over(start) -> None:
    """Beyond the hourly limit every call is a 429 that says how long to wait, and then it works again."""
    tenant = start(switches={"rate_limit": True, "rate_limit_per_hour": 3})
    assert [tenant.get("/tags").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = tenant.get("/tags")
    assert refused.headers["X-RateLimit-Remaining-Hour"] == "0"
    wait_s = int(refused.headers["Retry-After"])
    assert 0 < wait_s <= 3600
    tenant.call("POST", "/_sandbox/clock", json={"advance_s": wait_s})
    assert tenant.get("/tags").status_code == 200


def test_limit_of_the_second_passes_by_itself(start) -> None:
    """Beyond the limit of a second, Retry-After is one second at most."""
    tenant = start(switches={"rate_limit": True, "rate_limit_per_second": 1})
    answers = [tenant.get("/tags") for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    tenant.switch(rate_limit_retry_after=False, rate_limit_headers=False, rate_limit_per_second=0)
    bare = tenant.get("/tags")
    assert bare.status_code == 429
    assert not [name for name in bare.headers if name.lower() in ("retry-after", "ratelimit-limit")]


def test_values_that_no_column_holds_are_refused(api) -> None:
    """Numbers beyond 64 bits and broken Unicode are the client's mistake, not the server's."""
    assert api.get("/devices", offset=10**30).status_code == 400
    assert api.get("/prism/apps", filter='{"name":{"in":["\\ud800"]}}').status_code == 400
    assert api.get("/prism/apps", filter='{"count":{"in":[1e400]}}').status_code == 200
    assert api.get("/users", cursor=base64.b64encode(b"p=" + b"9" * 30).decode()).status_code == 400


def test_parallel_clients_and_changes_do_not_disturb_each_other(start) -> None:
    """Many readers at once, while the fleet changes, get whole answers and no errors."""
    tenant = start()

    def read(number: int) -> int:
        path = ("/devices", "/prism/apps", "/audit/events", "/users")[number % 4]
        if number % 10 == 9:
            return len(tenant.change(rename=1, install_apps=1, enroll=1, seed=number))
        return tenant.get(path, limit=50).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read, range(80)))
    assert answers == [3 if number % 10 == 9 else 200 for number in range(80)]
    assert tenant.json("/_sandbox/fleet")["devices"] == 408
    assert tenant.json("/_sandbox/counters")["requests"] == 72
