"""What ServiceNow says about staging rows is joined back to the rows that were sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import SetupWrong
from include.loading.chunks import Chunk
from include.loading.spec import Outcome
from include.loading.verdicts import from_map_results, join, only_success
from include.servicenow.import_sets import MapResult, RunCounters


def chunk(*keys: str) -> Chunk:
    """Return a chunk whose records have the given keys and start at row 10."""
    return Chunk(tuple(range(10, 10 + len(keys))), tuple({"k": key} for key in keys))


def stored(key: str, state: str, comment: str = "", row: int = 0) -> dict[str, str]:
    """Return a staging row as the Table API answers it."""
    return {"k": key, "sys_import_state": state, "sys_import_state_comment": comment, "sys_import_row": str(row)}


def judged(chunk_, rows, others=None) -> list[tuple]:
    """Join and return row, outcome and message."""
    verdicts = join(chunk_, rows, keys=("k",), import_set="s", others=others)
    return [(verdict.row, str(verdict.outcome), verdict.message) for verdict in verdicts]


def test_each_row_gets_its_own_verdict():
    """Rows are joined by key, in whatever order ServiceNow lists them."""
    rows = [stored("b", "error", "no such user"), stored("a", "inserted")]
    assert judged(chunk("a", "b"), rows) == [(10, "inserted", ""), (11, "error", "no such user")]


def test_rows_that_are_not_listed_have_the_success_that_was_counted():
    """When only refusals were read, all other rows are what the counters say."""
    rows = [stored("b", "skipped", "why")]
    assert judged(chunk("a", "b"), rows, Outcome.PROCESSED) == [(10, "processed", ""), (11, "skipped", "why")]


def test_a_row_that_servicenow_did_not_store_is_an_error():
    """A row without a staging row was dropped, for example because it is too long for the database."""
    assert judged(chunk("a"), []) == [
        (10, "error", "ServiceNow holds no staging row for it; a row may have 8126 bytes.")
    ]


def test_rows_of_one_key_get_one_verdict_each():
    """Two rows of the same key are told apart by the order in which they were sent."""
    rows = [stored("a", "ignored", "No field values changed", 1), stored("a", "inserted", row=0)]
    assert [outcome for _, outcome, _ in judged(chunk("a", "a"), rows)] == ["inserted", "ignored"]


@given(st.lists(st.sampled_from("abcd"), max_size=8), st.randoms())
def test_join_gives_every_row_one_verdict(keys, random):
    """However rows are ordered and repeated, there is exactly one verdict for each."""
    rows = [stored(key, random.choice(["inserted", "error"]), row=n) for n, key in enumerate(keys)]
    random.shuffle(rows)
    assert [row for row, _, _ in judged(chunk(*keys), rows)] == list(range(10, 10 + len(keys)))


@pytest.mark.parametrize("state", ["", "pending", "Pending"])
def test_a_row_that_is_pending_has_no_verdict(state):
    """A row whose transform is still to come, or never came, is neither a success nor an error."""
    assert judged(chunk("a", "b"), [stored("a", state), stored("b", "inserted")]) == [(11, "inserted", "")]


@pytest.mark.parametrize("state", ["rejected", "Läuft"])
def test_a_state_that_is_not_known_is_an_error(state):
    """Anything that ServiceNow's documentation does not list is never taken for success."""
    outcome, message = judged(chunk("a"), [stored("a", state)])[0][1:]
    assert outcome == "error"
    assert state.lower() in message


def test_states_are_read_without_case():
    """A state's label, "Inserted", is the state."""
    assert judged(chunk("a"), [stored("a", "Inserted")])[0][1] == "inserted"


@pytest.mark.parametrize("joined", ["", "No field values changed;", "Target record not found; "])
def test_a_row_that_a_script_ignored_is_ignored_and_not_an_error(joined):
    """ServiceNow reports a row that a script told to ignore as an error; the verdict says what it is."""
    comment = f"{joined}Row transform ignored by onBefore script"
    assert judged(chunk("a"), [stored("a", "error", comment)]) == [(10, "ignored", comment)]


def test_rows_with_empty_keys_name_the_setting():
    """Keys that ServiceNow took for something else arrive empty: the message names column_keys."""
    with pytest.raises(SetupWrong, match="column_keys"):
        judged(chunk("a"), [stored("", "skipped")])


def test_keys_that_were_cut_name_the_column():
    """A staging column that is too short cuts keys, so that rows cannot be told apart: the message says so."""
    with pytest.raises(SetupWrong, match=r"k differ from what was sent.*too short"):
        judged(chunk("abcdef"), [stored("abc", "inserted")])


RESULTS = {
    "inserted": MapResult("inserted", "", "x", "ISET1"),
    "error": MapResult("error", "Target record not found", "", "ISET1"),
    "ignored": MapResult("ignored", "No field values changed", "", "ISET1"),
}


@pytest.mark.parametrize(
    ("statuses", "outcome", "message"),
    [
        (["inserted"], "inserted", ""),
        (["inserted", "error"], "error", "Target record not found"),
        (["ignored", "inserted"], "inserted", ""),
        (["ignored"], "ignored", "No field values changed"),
    ],
)
def test_a_single_record_gets_the_worst_of_its_maps(statuses, outcome, message):
    """One POST may run several transform maps; a failure of any is the row's verdict."""
    verdict = from_map_results(3, [RESULTS[status] for status in statuses])
    assert (verdict.row, verdict.outcome, verdict.message) == (3, outcome, message)


def test_a_single_record_without_a_result_is_an_error():
    """An answer without results is no success."""
    assert from_map_results(0, []).outcome is Outcome.ERROR


def test_a_single_record_that_a_script_ignored_is_ignored():
    """The documented body for a row that an onBefore script ignores is no error of the row."""
    result = MapResult("error", "Target record not found; Row transform ignored by onBefore script", "", "ISET1")
    assert from_map_results(0, [result]).outcome is Outcome.IGNORED


def test_only_one_kind_of_success_can_be_told_from_counters():
    """Mixed inserts and updates cannot be told apart by counters."""
    counters = dict.fromkeys(("total", "inserts", "updates", "processed", "ignored", "skipped", "errors"), 0)
    assert only_success(RunCounters("complete", **(counters | {"updates": 3, "errors": 1}))) is Outcome.UPDATED
    assert only_success(RunCounters("complete", **(counters | {"updates": 3, "inserts": 1}))) is None
    assert only_success(RunCounters("complete", **counters)) is None
