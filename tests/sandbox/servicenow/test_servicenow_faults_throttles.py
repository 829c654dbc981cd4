"""Throttling and the gateway: serial sessions, semaphores, the rate limit rule, dropped requests, lost tokens."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
PATH = f"/api/now/import/{COMPUTER}"
AUTH = ("svc", "word")
COOKIE = {"Cookie": "JSESSIONID=0123456789ABCDEF"}


def _post(snow: Any, serial: str, **options: Any) -> requests.Response:
    """Import one record without the fixture's session, so that no cookie is shared unless a test says so."""
    return requests.post(snow.url + PATH, json={"serial_number": serial}, timeout=60, **{"auth": AUTH, **options})


def _read(snow: Any, headers: dict[str, str] | None = None) -> int:
    return requests.get(f"{snow.url}/api/now/table/sys_user", auth=AUTH, headers=headers, timeout=60).status_code


def _post_many(snow: Any, count: int, *, refused: int = 0, **options: Any) -> list[requests.Response]:
    """Import records at the same time; the first one takes until so many were refused."""
    if refused:
        snow.fault("transform_slow", match=COMPUTER, for_s=30)
    with ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(_post, snow, f"S{number:02}", **options) for number in range(count)]
        snow.wait_for(lambda: sum(answer.done() for answer in answers) >= refused)
        snow.instance.closing.set()
        return [answer.result() for answer in answers]


def _serials(snow: Any) -> list[str]:
    return sorted(row["serial_number"] for row in snow.rows("cmdb_ci_computer"))


def _assert_only_answered_rows_exist(snow: Any, answers: list[requests.Response]) -> None:
    done = [f"S{number:02}" for number, answer in enumerate(answers) if answer.status_code == 201]
    assert _serials(snow) == done
    assert snow.counters()["staged_rows"] == {COMPUTER: len(done)}


def test_a_session_that_is_full_drops_requests_with_a_202(serve: Callable[..., Any]) -> None:
    """One runs, two wait, the rest is answered 202 without a body and never processed."""
    snow = serve(session_serial=True, session_queue_depth=2)
    answers = _post_many(snow, 8, refused=5, headers=COOKIE)
    assert Counter(answer.status_code for answer in answers) == {201: 3, 202: 5}
    assert {answer.content for answer in answers if answer.status_code == 202} == {b""}
    _assert_only_answered_rows_exist(snow, answers)


def test_requests_of_a_session_run_one_at_a_time(serve: Callable[..., Any]) -> None:
    """A read waits for the import in its own session, in vain in the end, and for none in another one."""
    snow = serve(session_serial=True, session_patience_s=0.1)
    snow.fault("transform_slow", match=COMPUTER, for_s=30)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(_post, snow, "S00", headers=COOKIE)
        snow.wait_for(lambda: bool(snow.instance.faults.snapshot()["strikes"]))
        assert [_read(snow), _read(snow, {"Cookie": "JSESSIONID=FEDCBA"})] == [200, 200]
        # The session's request runs longer than those behind it have patience for.
        assert _read(snow, COOKIE) == 202
        assert not slow.done()
        snow.instance.closing.set()
        assert slow.result().status_code == 201
    assert _read(snow, COOKIE) == 200
    assert _serials(snow) == ["S00"]


def test_clients_without_a_shared_cookie_lose_nothing(serve: Callable[..., Any]) -> None:
    """Each request without a cookie gets a session of its own, so that none is dropped."""
    snow = serve(session_serial=True, session_queue_depth=0)
    answers = _post_many(snow, 6)
    assert {answer.status_code for answer in answers} == {201}
    assert len(_serials(snow)) == 6


def test_a_shared_cookie_does_no_harm_unless_sessions_are_serial(snow: Any) -> None:
    """The switch is off by default."""
    assert {answer.status_code for answer in _post_many(snow, 14, headers=COOKIE)} == {201}


def test_what_comes_inside_a_batch_does_not_queue_behind_it(serve: Callable[..., Any]) -> None:
    """A batch in a serial session with one semaphore is served, not locked out by itself."""
    snow = serve(session_serial=True, semaphores=True, semaphore_slots=1)
    wanted = {"rest_requests": [{"id": "1", "method": "GET", "url": "/api/now/table/sys_user"}]}
    answer = snow.call("POST", "/api/now/v1/batch", json=wanted, headers=COOKIE)
    assert answer.json()["serviced_requests"][0]["status_code"] == 200


def test_semaphores_refuse_what_their_queue_cannot_hold(serve: Callable[..., Any]) -> None:
    """Two run, three wait, the rest gets 429 without any rate header; nothing of it is processed."""
    snow = serve(semaphores=True, semaphore_slots=2, semaphore_queue=3)
    answers = _post_many(snow, 9, refused=4)
    assert Counter(answer.status_code for answer in answers) == {201: 5, 429: 4}
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith(("x-ratelimit", "retry-after"))]
    assert all(answer.json()["status"] == "failure" for answer in answers if answer.status_code == 429)
    assert snow.counters()["max_semaphore_queue"] == 3
    _assert_only_answered_rows_exist(snow, answers)


def test_semaphores_spare_the_token_endpoint_and_the_admin_api(serve: Callable[..., Any]) -> None:
    """With no slot at all a token is still granted and the sandbox can be asked; API requests are refused."""
    snow = serve(semaphores=True, semaphore_slots=0, semaphore_queue=0)
    assert snow.password_token().status_code == 200
    assert snow.counters()["max_semaphore_queue"] == 0
    assert _post(snow, "S1").status_code == 429


def test_the_rate_limit_rule_shows_itself_and_refuses(serve: Callable[..., Any]) -> None:
    """Every answer has the rule's headers; beyond the limit 429 in the documented words, until the hour is over."""
    snow = serve(rate_limit_per_hour=2)
    answers = [_post(snow, f"S{number:02}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    for answer in answers:
        assert answer.headers["X-RateLimit-Limit"] == "2"
        assert len(answer.headers["X-RateLimit-Rule"]) == 32
    now_s = snow.instance.clock.now().timestamp()
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert 0 < int(answers[2].headers["X-RateLimit-Reset"]) - now_s <= 3600
    assert "Retry-After" not in answers[1].headers
    assert answers[2].json() == {
        "error": {
            "message": "Rate limit exceeded",
            "detail": "Rate limit of 2 requests per hour for Import Set API exceeded",
        },
        "status": "failure",
    }
    assert snow.password_token().status_code == 200
    snow.travel(int(answers[2].headers["Retry-After"]) + 1)
    assert _post(snow, "S02").status_code == 201
    assert _serials(snow) == ["S00", "S01", "S02"]


def test_no_rule_no_headers(snow: Any) -> None:
    """An instance has no rule by default, and no answer speaks of one."""
    assert not [name for name in _post(snow, "S1").headers if name.lower().startswith("x-ratelimit")]


def test_a_dropped_request_is_never_processed(snow: Any) -> None:
    """202, no body, no row; the second of three posts, asked for by its path."""
    snow.fault("dropped_202", match=f"POST {PATH}", nth=[2])
    answers = [_post(snow, f"S{number:02}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 202, 201]
    assert answers[1].content == b""
    _assert_only_answered_rows_exist(snow, answers)


def test_a_dropped_insert_multiple_opens_no_set(snow: Any) -> None:
    """By default imports of both kinds are dropped, and no reads."""
    snow.fault("dropped_202")
    assert snow.get("table/sys_import_set").status_code == 200
    body = {"records": [{"Serial number": "S1"}] * 200}
    answer = snow.call("POST", f"import/{COMPUTER}/insertMultiple", json=body)
    assert (answer.status_code, answer.content) == (202, b"")
    assert (snow.rows("sys_import_set"), snow.counters()["import_sets_by_table"]) == ([], {})


def test_a_token_that_expires_in_mid_run(snow: Any) -> None:
    """The request gets 401 and does nothing; a new grant gives another token, which works."""
    snow.fault("token_expired", match=f"POST {PATH}", nth=[2])
    token = snow.password_token().json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answers = [_post(snow, f"S{number:02}", auth=None, headers=headers) for number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 401, 401]
    assert answers[1].json()["error"]["message"] == "User Not Authenticated"
    fresh = snow.password_token().json()["access_token"]
    assert fresh != token
    assert _post(snow, "S03", auth=None, headers={"Authorization": f"Bearer {fresh}"}).status_code == 201
    assert _serials(snow) == ["S00", "S03"]


@pytest.mark.parametrize("path", ["/oauth_token.do", PATH, "/api/now/table/sys_user"])
@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_a_hibernating_instance_answers_everything_with_its_page(snow: Any, path: str, accept: str) -> None:
    """200 and HTML, whatever was asked, until it wakes; nothing is processed."""
    snow.switch(hibernating=True)
    answer = requests.post(
        snow.url + path, json={"serial_number": "S1"}, auth=AUTH, headers={"Accept": accept}, timeout=30
    )
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "<h1>Your instance is hibernating</h1>" in answer.text
    assert snow.call("GET", "/_sandbox/tables/cmdb_ci_computer").json() == {"result": []}
    snow.switch(hibernating=False)
    assert _post(snow, "S1").status_code == 201
