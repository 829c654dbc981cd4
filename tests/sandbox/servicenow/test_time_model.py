"""The sandbox takes the time that its switches give a request, no less, and tells where it could not keep to them."""

import time
from collections.abc import Iterator

import pytest
import requests

from include.sandbox.server import Server
from include.sandbox.servicenow import ServiceNowSettings, create_app
from include.sandbox.servicenow.meter import Meter

TABLE = "imp_user"
ACCOUNT = ("svc", "word")


@pytest.fixture
def url() -> Iterator[str]:
    """An instance whose requests take no modelled time yet."""
    settings = ServiceNowSettings(username=ACCOUNT[0], password=ACCOUNT[1], transform_pickup_delay_s=0.0)
    with Server(create_app(settings)) as server:
        yield server.url


def switch(url: str, **changes: float) -> None:
    """Change switches and start counting anew."""
    requests.patch(f"{url}/_sandbox/switches", json=changes, timeout=30).raise_for_status()
    requests.delete(f"{url}/_sandbox/counters", timeout=30).raise_for_status()


def seconds(url: str, path: str, body: object) -> float:
    """Post something and return how long it took."""
    since_s = time.perf_counter()
    requests.post(f"{url}/api/now/{path}", json=body, auth=ACCOUNT, timeout=30).raise_for_status()
    return time.perf_counter() - since_s


def work(url: str) -> dict[str, float]:
    """Return how busy the sandbox was."""
    return dict(requests.get(f"{url}/_sandbox/counters", timeout=30).json()["work"])


RECORDS = {"records": [{"User ID": f"u{n}", "First name": "x"} for n in range(20)]}
POST = {"url": f"/api/now/table/{TABLE}", "method": "POST", "body": "e30="}
BATCH = {"batch_request_id": "1", "rest_requests": [POST | {"id": str(n)} for n in range(5)]}


@pytest.mark.parametrize(
    ("path", "body", "least_s"),
    [
        (f"import/{TABLE}/insertMultiple", RECORDS, 0.05 + 0.03 + 20 * 0.01),
        (f"import/{TABLE}", {"user_id": "u1"}, 0.05 + 0.03 + 0.01),
        ("table/core_company", {"name": "Acme"}, 0.05 + 0.03 + 0.01),
        ("batch", BATCH, 0.05 + 0.03 + 5 * (0.02 + 0.01)),
    ],
    ids=["insertMultiple", "one row", "table", "batch"],
)
def test_a_request_takes_what_the_model_says(url, path, body, least_s):
    """Round trip, fixed cost, rows and the parts of a batch add up, whichever API writes the rows."""
    switch(url, request_round_trip_s=0.05, request_fixed_s=0.03, request_row_s=0.01, request_part_s=0.02)
    assert seconds(url, path, body) >= least_s
    assert work(url)["timed_requests"] == 1


def test_a_sandbox_that_is_too_slow_for_its_model_says_so(url):
    """Work beyond the modelled time is told as an overrun, so that a measurement shows whose time it was."""
    switch(url, request_fixed_s=0.0001)
    seconds(url, f"import/{TABLE}/insertMultiple", RECORDS)
    told = work(url)
    assert told["overruns"] == 1
    assert told["overrun_s"] > 0


def test_without_a_model_nothing_is_timed(url):
    """The switches are off by default, and then no request is held back or counted."""
    seconds(url, "table/core_company", {"name": "Acme"})
    assert work(url)["timed_requests"] == 0


def test_a_negative_time_is_refused(url):
    """A time below zero means nothing; the switch names itself."""
    answer = requests.patch(f"{url}/_sandbox/switches", json={"request_row_s": -1.0}, timeout=30)
    assert answer.status_code == 400
    assert "request_row_s" in answer.text


def test_only_what_is_late_counts_as_an_overrun():
    """A request that keeps to its time counts as timed and adds nothing to the overrun."""
    meter = Meter()
    meter.note(0.5)
    meter.note(-0.25)
    told = meter.snapshot()
    assert (told["timed_requests"], told["overruns"], told["overrun_s"]) == (2, 1, 0.25)
