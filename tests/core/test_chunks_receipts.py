"""A frame is cut into requests without losing a row, and a load remembers how far it came."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import SetupWrong
from include.loading.chunks import iter_chunks, pick, staging_columns
from include.loading.receipts import Begun, Receipts, Sent
from include.loading.records import to_records
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.servicenow.import_sets import encode
from include.storage import write_frame

RECORDS = st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=20)), max_size=40)


@given(RECORDS, st.integers(1, 10), st.integers(20, 200), st.integers(1, 3))
def test_chunking_loses_no_row_and_keeps_the_order(records, chunk_rows, max_bytes, step):
    """Whatever the sizes and whichever rows are open, the chunks together are these rows, each once, in order."""
    rows = range(0, len(records), step)
    chunks = list(iter_chunks(records, rows, chunk_rows=chunk_rows, max_bytes=max_bytes))
    assert [row for chunk in chunks for row in chunk.rows] == list(rows)
    assert [record for chunk in chunks for record in chunk.records] == [records[row] for row in rows]
    for chunk in chunks:
        assert 1 <= len(chunk.records) <= chunk_rows
        assert len(chunk.records) == 1 or sum(len(encode(r)) + 1 for r in chunk.records) <= max_bytes
    assert len({chunk.name for chunk in chunks}) == len(chunks)


def test_a_request_stays_below_the_body_limit():
    """Rows of many bytes make small chunks: ServiceNow refuses bodies over 10 MB."""
    records = [{"name": "ü" * 4000}] * 3000
    chunks = list(iter_chunks(records, range(3000), chunk_rows=100_000))
    assert len(chunks) > 1
    assert all(len(encode({"records": list(chunk.records)})) < 10_000_000 for chunk in chunks)


def test_nulls_and_notes_are_left_out():
    """A null cell is not in the request, and neither are the pipeline's own columns."""
    frame = pd.DataFrame({"_row": [0, 1], "a": ["x", None], "b": [None, "y"]}).astype({"a": "str", "b": "str"})
    assert staging_columns(frame) == ["a", "b"]
    assert to_records(frame, ["a", "b"]) == [{"a": "x"}, {"b": "y"}]


@given(st.lists(st.none() | st.text(max_size=10), max_size=20))
def test_a_record_is_its_row(values):
    """Every cell of every row is in its record, unless it is null."""
    frame = pd.DataFrame({"a": pd.Series(values, dtype="str")})
    assert [record.get("a") for record in to_records(frame, ["a"])] == values


def test_a_frame_with_numbers_is_refused():
    """Import Sets take text only, so a frame of somebody else's with numbers is refused by column."""
    with pytest.raises(SetupWrong, match="'n' of the frame holds int"):
        to_records(pd.DataFrame({"n": [1]}), ["n"])


def test_a_request_is_utf8_json():
    """Names in any language travel as they are."""
    assert json.loads(encode({"name": "Zoë 测试 🍏"})) == {"name": "Zoë 测试 🍏"}
    assert "🍏".encode() in encode({"name": "🍏"})


@pytest.fixture
def frame_path(tmp_path):
    """A frame of five rows on disk."""
    path = tmp_path / "to_send.parquet"
    write_frame(path, pd.DataFrame({"k": list("abcde")}))
    return path


def _chunks():
    return list(iter_chunks([{"k": k} for k in "abcde"], range(5), chunk_rows=2))


def test_receipts_survive_the_process(frame_path):
    """What was begun, acknowledged and judged is known to the next try on the same frame."""
    one, two, three = _chunks()
    receipts = Receipts(frame_path)
    for chunk in (one, two, three):
        receipts.note_begun(chunk, at_s=1.0, server_s=None)
    receipts.note_sent(one, Sent(one.rows, 2.0, "s1", "m1"))
    receipts.note_sent(two, Sent(two.rows, 3.0, "s2", whole=False))
    receipts.note_verdicts(one, [RowVerdict(0, Outcome.INSERTED, "", "s1"), RowVerdict(1, Outcome.ERROR, "no", "s1")])
    again = Receipts(frame_path)
    assert again.settled_rows() == {0, 1}
    assert again.sent() == [Sent((2, 3), 3.0, "s2", whole=False)]
    assert again.begun() == [Begun((4,), 1.0, None)]
    assert again.has_open()
    assert again.read_verdicts().to_dict("records") == [
        {"row": 0, "outcome": "inserted", "message": "", "import_set": "s1"},
        {"row": 1, "outcome": "error", "message": "no", "import_set": "s1"},
    ]
    assert again.count() == dict.fromkeys(("updated", "processed", "ignored", "skipped"), 0) | {
        "inserted": 1,
        "error": 1,
    }


def test_receipts_of_scattered_rows_do_not_overwrite_each_other(frame_path):
    """Chunks that begin and end with the same rows but hold others between have receipts of their own."""
    records = [{"k": k} for k in "abcde"]
    receipts = Receipts(frame_path)
    for rows in ((0, 1, 4), (0, 3, 4), (0, 1, 2, 3, 4)):
        receipts.note_sent(pick(records, rows), Sent(rows, 1.0, f"s{rows}"))
    assert sorted(sent.rows for sent in receipts.sent()) == [(0, 1, 2, 3, 4), (0, 1, 4), (0, 3, 4)]


def test_what_is_forgotten_is_open_again(frame_path):
    """A chunk that did not arrive leaves no trace."""
    chunk = _chunks()[0]
    receipts = Receipts(frame_path)
    receipts.note_begun(chunk, at_s=1.0, server_s=2.0)
    receipts.note_sent(chunk, Sent(chunk.rows, 2.0, "s1"))
    receipts.forget(chunk)
    assert not receipts.has_open()
    assert receipts.sent() == receipts.begun() == []


def test_a_frame_with_another_content_starts_anew(frame_path):
    """Receipts belong to one content: a plan that was made again is not taken for loaded."""
    chunk = _chunks()[0]
    Receipts(frame_path).note_sent(chunk, Sent(chunk.rows, 1.0, "s1"))
    write_frame(frame_path, pd.DataFrame({"k": list("abcdX")}))
    assert Receipts(frame_path).sent() == []


def test_a_receipt_that_was_cut_by_a_kill_is_none(frame_path):
    """A file that was being written when the process died does not count."""
    receipts = Receipts(frame_path)
    chunk = _chunks()[0]
    receipts.note_sent(chunk, Sent(chunk.rows, 1.0, "s1"))
    folder = next(path for path in frame_path.parent.iterdir() if path.is_dir())
    (folder / f".{chunk.name}.verdicts.parquet.partial").write_bytes(b"PAR1")
    assert receipts.sent()
    assert receipts.read_verdicts().empty


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"table": ""}, "staging table"),
        ({"key_columns": ()}, "key column"),
        ({"chunk_rows": 0}, "chunk_rows"),
        ({"concurrency": 0}, "concurrency"),
        ({"method": "bulk"}, "load_method"),
        ({"column_keys": "labels"}, "column_keys"),
    ],
)
def test_a_wrong_load_setting_is_named(changes, words):
    """The operator's arguments are checked before anything is sent."""
    with pytest.raises(SetupWrong, match=words):
        LoadSpec(**({"table": "t", "key_columns": ("k",)} | changes))
