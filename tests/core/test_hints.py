"""What a server says about waiting is understood in every form, and never believed beyond reason."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.servicenow.rate_limit import read_limit
from include.web.hints import LONGEST_HINT_S, LONGEST_RESET_S, retry_after_s, server_time_s
from include.web.transport import Answer

NOW_S = 1_800_000_000.0
DATE = {"Date": formatdate(NOW_S, usegmt=True)}


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "1e300"}, LONGEST_HINT_S),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": formatdate(NOW_S + 90, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW_S - 90, usegmt=True)}, None),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_HINT_S),
        ({"X-RateLimit-Reset": str(int(NOW_S) + 600)}, 600.0),
        ({"X-RateLimit-Reset": "600"}, None),
        ({"X-RateLimit-Reset": str(int(NOW_S) + 86_400)}, None),
        ({"RateLimit-Reset": "1"}, 1.0),
        ({"RateLimit-Reset": str(int(NOW_S))}, None),
        ({"Retry-After": "7", "RateLimit-Reset": "1", "X-RateLimit-Reset": str(int(NOW_S) + 600)}, 7.0),
        ({"Retry-After": "soon", "RateLimit-Reset": "3"}, 3.0),
        ({}, None),
    ],
    ids=str,
)
def test_the_wait_is_understood_in_every_form(headers, wait_s):
    """Seconds, a date by the server's own clock, or the end of the rate limit's window; nonsense is no hint."""
    assert retry_after_s(DATE | headers, 429) == wait_s


def test_the_end_of_a_window_is_a_hint_only_where_the_limit_was_hit():
    """Iru sends RateLimit-Reset with every answer; a failing server is not waited for by it."""
    assert retry_after_s(DATE | {"RateLimit-Reset": "1"}, 503) is None


def test_without_a_date_this_machines_clock_counts():
    """A server that sends no Date is understood all the same."""
    wait_s = retry_after_s({"Retry-After": formatdate(time.time() + 60, usegmt=True)}, 429)
    assert wait_s is not None
    assert 50 < wait_s <= 60


@given(st.sampled_from(["Retry-After", "X-RateLimit-Reset", "RateLimit-Reset", "Date"]), st.text(), st.text())
def test_no_header_breaks_the_reader(name, text, date):
    """Whatever stands in the headers, the wait is a bounded number or nothing."""
    headers = {"Date": date, name: text}
    wait_s = retry_after_s(headers, 429)
    assert wait_s is None or 0 <= wait_s <= max(LONGEST_HINT_S, LONGEST_RESET_S)
    server_time_s(headers)


def test_an_answer_knows_the_servers_clock():
    """The Date header is the server's time; an answer without one knows none."""
    assert Answer("GET /x", 200, DATE, b"").date_s == NOW_S
    assert Answer("GET /x", 200, {}, b"").date_s is None


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({"X-RateLimit-Limit": "25000"}, 25000),
        ({}, None),
        ({"X-RateLimit-Limit": ""}, None),
        ({"X-RateLimit-Limit": "-1"}, None),
        ({"X-RateLimit-Limit": "²"}, None),
        ({"X-RateLimit-Limit": "9" * 5000}, None),
        ({"X-RateLimit-Limit": "100, 200"}, None),
    ],
)
def test_what_a_rate_limit_rule_allows_is_a_number_or_nothing(headers, limit):
    """A header of any content is read, and what is no number says nothing."""
    assert read_limit(headers) == limit
