"""Whatever a server answers, a client gives values of the promised kind or one of the project's own errors."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hostile import NESTED, VALUES
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.errors import AnswerUnusable, PipelineError
from include.iru import client as iru_client
from include.iru import judge as iru_judge
from include.iru import prism
from include.servicenow import import_sets, judge, table_api
from include.web.transport import Answer

BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"<html>", b" <", b"null", b"NaN", b"[", b'"', b"\xff\xfe", b"1" * 5000]),
    st.sampled_from(
        [b'"\\ud800"', b'{"error": "x"}', b'{"error": {"message": ["x"], "detail": 1}}', b"[[1]]", b"[{}]"]
    ),
    VALUES.map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps({"error": value}).encode()),
    st.tuples(VALUES, VALUES).map(lambda v: json.dumps({"error": {"message": v[0], "detail": v[1]}}).encode()),
    VALUES.map(lambda value: json.dumps({"detail": value, "message": value}).encode()),
)
BOTTOMLESS = b"[" * 100_000
STATUSES = st.integers(100, 599) | st.sampled_from([200, 201, 202, 204, 301, 400, 401, 403, 404, 429, 500, 503])
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "X-Total-Count"]),
    st.sampled_from(["", "text/html", "application/json", "-1", "nan", "inf", "1e999", "soon", "12", "\u0663", "1_0"]),
)
MANY = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize("judged", [judge.judge, iru_judge.judge], ids=["servicenow", "iru"])
@MANY
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_any_answer_is_judged(judged, status, headers, body):
    """A judge returns the JSON of a success, and raises nothing but the project's own errors."""
    answer = Answer("GET /x", status, headers, body)
    with suppress(PipelineError):
        judged(answer)
        assert status in (200, 201)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("judged", [judge.judge, iru_judge.judge], ids=["servicenow", "iru"])
def test_an_answer_that_nests_without_end_is_judged(judged, status):
    """JSON that would exhaust the parser's stack is unusable, not a crash."""
    with pytest.raises(PipelineError):
        judged(Answer("GET /x", status, {}, BOTTOMLESS))


@MANY
@given(headers=HEADERS)
def test_a_retry_after_is_a_number_that_can_be_slept(headers):
    """Whatever the header reads, the hint is a finite number of seconds or none."""
    hint_s = Answer("GET /x", 429, headers, b"").retry_after_s
    assert hint_s is None or 0 <= hint_s < float("inf")


@MANY
@given(body=VALUES | st.builds(lambda rows: {"result": rows}, st.lists(VALUES | st.dictionaries(st.text(), VALUES))))
@example({"result": [{"a": {"value": {"value": None}}, "b": {"link": "x"}, "c": NESTED}]})
def test_rows_of_any_table_answer_are_plain_text(body):
    """The Table API's rows come out as text by name, or as one clear refusal."""
    try:
        rows = [table_api._plain(row) for row in table_api._result(body, "t")]
    except AnswerUnusable:
        return
    assert all(isinstance(value, str) for row in rows for value in row.values())
    counters = [import_sets._counters(row) for row in rows]
    assert all(run.counted >= 0 for run in counters)


@MANY
@given(
    row=st.dictionaries(
        st.sampled_from(["state", "total", "inserts", "updates", "processed", "ignored", "skipped", "errors"]),
        st.text(max_size=6) | st.sampled_from(["1,000", "²", "\u0663", "-1", "1.0", "9" * 5000, ""]),
    )
)
def test_counters_are_numbers_whatever_they_read(row):
    """A counter that is no number counts as none."""
    assert import_sets._counters(row).counted >= 0


@pytest.mark.parametrize("words", ["cut in the middle of \ud83d", "\ud800"])
def test_a_message_that_was_cut_within_a_character_can_be_kept(words):
    """Java cuts text between the halves of an emoji; such a message still goes into receipts, which are UTF-8."""
    assert table_api._plain({"sys_import_state_comment": words})["sys_import_state_comment"].encode()
    assert import_sets._map_result({"status_message": words}, "ISET1").message.encode()


@MANY
@given(result=st.dictionaries(st.sampled_from(["status", "error_message", "status_message", "sys_id", "x"]), VALUES))
def test_any_map_result_is_text(result):
    """What a transform map says of a single record comes out as text."""
    found = import_sets._map_result(result, "ISET1")
    assert all(isinstance(value, str) for value in (found.status, found.message, found.sys_id, found.import_set))


@MANY
@given(body=VALUES | st.builds(lambda data: {"data": data}, st.lists(st.dictionaries(st.text(), VALUES)) | VALUES))
def test_any_page_of_iru_is_rows_or_refused(body):
    """A page is a list of objects or one clear refusal."""

    def read(parse: Any) -> Any:
        try:
            return parse()
        except AnswerUnusable:
            return []

    rows = read(lambda: iru_client._rows(body, "GET /x")) + read(lambda: prism._envelope(body, "x")["data"])
    assert all(isinstance(row, dict) for row in rows)
