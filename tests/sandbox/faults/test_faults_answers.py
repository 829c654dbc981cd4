"""Faults that are answers: what the client reads, and whether the work was done."""

import json
import time

import pytest
import requests

WRITES = {"match": "P*"}


def _media_type(answer: requests.Response) -> str:
    return answer.headers["content-type"].partition(";")[0]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("unauthorized", 401), ("forbidden", 403), ("rate_limited", 429), ("rate_limited_bare", 429),
        ("error_500", 500), ("error_502", 502), ("error_503", 503), ("html_200", 200),
    ],
)  # fmt: skip
def test_an_error_is_answered_and_nothing_is_done(service, kind, status):
    """A struck request is answered with the fault's status once, has no effect, and the next one passes."""
    service.strike(kind, **WRITES)
    assert service.write().status_code == status
    assert not service.is_done()
    assert service.write().status_code in (200, 201)
    assert service.is_done()


@pytest.mark.parametrize("kind", ["forbidden", "error_500", "error_502", "error_503", "html_200"])
def test_an_error_after_the_work_hides_that_it_was_done(service, kind):
    """With 'after' the client is told of a failure although the write had its effect, once."""
    service.strike(kind, after=True, **WRITES)
    answer = service.write()
    assert answer.status_code == (200 if kind == "html_200" else int({"forbidden": "403"}.get(kind, kind[-3:])))
    assert service.is_done()


@pytest.mark.parametrize("kind", ["error_500", "error_502", "error_503"])
@pytest.mark.parametrize(("body", "media_type"), [("json", "application/json"), ("html", "text/html")])
def test_a_failing_service_answers_json_or_a_page(service, kind, body, media_type):
    """The body of a 5xx is what was asked for, and is what its content type says."""
    service.strike(kind, body=body, **WRITES)
    answer = service.write()
    assert _media_type(answer) == media_type
    assert answer.text.startswith("<") if body == "html" else answer.json()
    assert "retry-after" not in answer.headers


def test_a_503_may_say_when_to_come_back(service):
    """Retry-After is sent from 0 seconds on."""
    for wait_s in (0, 7):
        service.strike("error_503", retry_after_s=wait_s, **WRITES)
        assert service.write().headers["retry-after"] == str(wait_s)


def test_a_rate_limit_tells_when_to_come_back_and_the_bare_one_does_not(service):
    """One 429 carries Retry-After and the service's rate headers, the other none of them."""
    service.strike("rate_limited", retry_after_s=3, **WRITES)
    told = service.write().headers
    assert told["retry-after"] == "3"
    assert any("ratelimit-limit" in name.lower() for name in told)
    service.strike("rate_limited_bare", **WRITES)
    assert [name for name in service.write().headers if "rate" in name.lower() or "retry" in name.lower()] == []


def test_servicenow_answers_in_its_envelope(servicenow):
    """Error bodies are ServiceNow's own, and the rate limit's headers are the documented ones."""
    bodies = {}
    for kind in ("unauthorized", "forbidden", "rate_limited", "error_500"):
        servicenow.strike(kind, **WRITES)
        answer = servicenow.write()
        bodies[kind] = answer.json()
        if kind == "rate_limited":
            assert 0 <= int(answer.headers["X-RateLimit-Reset"]) - time.time() + 1 <= 3
    assert {tuple(body) for body in bodies.values()} == {("error", "status")}
    assert bodies["rate_limited"]["error"]["message"] == "Rate limit exceeded"
    assert bodies["unauthorized"]["error"]["message"] == "User Not Authenticated"


def test_servicenows_page_says_that_it_hibernates(servicenow):
    """The page with status 200 is the one of a hibernating instance."""
    servicenow.strike("html_200", **WRITES)
    answer = servicenow.write()
    assert "<h1>Your instance is hibernating</h1>" in answer.text
    assert _media_type(answer) == "text/html"


def test_a_token_request_may_be_struck_too(servicenow):
    """/oauth_token.do is no exception, and its refusal has OAuth's form."""
    servicenow.strike("unauthorized")
    answer = requests.post(f"{servicenow.url}/oauth_token.do", data={"grant_type": "password"}, timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (401, "server_error")
    assert servicenow.faults.snapshot()["strikes"][0]["subject"] == "POST /oauth_token.do"


@pytest.mark.parametrize(("kind", "type_"), [("bare_string_error", str), ("array_error", list)])
def test_irus_errors_may_be_strings_and_lists(iru, kind, type_):
    """Iru answers 400 with a bare JSON string or a JSON array, as its own examples show."""
    iru.strike(kind, **WRITES)
    answer = iru.write()
    assert answer.status_code == 400
    assert type(answer.json()) is type_
    assert not iru.is_done()


def test_malformed_json_looks_whole_to_http(service):
    """The body is cut in its middle, its length fits, the connection goes on, and the work was done."""
    service.strike("malformed", **WRITES)
    answer = service.write()
    assert answer.ok
    assert int(answer.headers["content-length"]) == len(answer.content) > 0
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert service.is_done()


def test_malformed_strikes_apis_only_unless_asked(servicenow):
    """By itself it leaves out what is no JSON API; a pattern may say otherwise."""
    servicenow.strike("malformed")
    assert requests.get(f"{servicenow.url}/elsewhere", timeout=30).json()
    servicenow.strike("malformed", match="* /elsewhere")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        requests.get(f"{servicenow.url}/elsewhere", timeout=30).json()


def test_struck_requests_are_counted_and_the_admin_api_is_never_struck(service):
    """The counters see each request with the status that the client got, and none of the admin API's."""
    service.strike("error_503", times=0, share=1.0)
    service.admin("DELETE", "counters")
    for _ in range(3):
        assert requests.get(f"{service.url}/api/x", timeout=30).status_code == 503
    seen = service.counters()
    assert (seen["requests"], seen["by_status"], seen["max_in_flight"]) == (3, {"503": 3}, 1)
