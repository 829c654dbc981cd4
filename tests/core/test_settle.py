"""Verdicts enter the ledger once, and every row is counted exactly once."""

import json

import pandas as pd
import pytest
from factories import MAPPING, app, device, ledger, shaped
from hypothesis import given
from hypothesis import strategies as st

from include.errors import CountsDisagree
from include.inventory import settle
from include.inventory.plan import make_plan
from include.inventory.settle import COUNTS, require_balance, settle_feed

COMPUTER, APPS = MAPPING.feeds["computer"], MAPPING.feeds["apps"]
NO_CHANGE = "No field values changed"


def verdicts(*outcomes: tuple[str, str] | str | None) -> pd.DataFrame:
    """Return the verdicts of a load; None for a row that was not sent."""
    rows = [(n, *((o, "") if isinstance(o, str) else o), "set1") for n, o in enumerate(outcomes) if o]
    return pd.DataFrame(rows, columns=["row", "outcome", "message", "import_set"])


def settled(tmp_path, book, *outcomes, run_id="r1", rows=None, removed=()):
    """Plan devices, give them verdicts and settle."""
    rows = rows or [device(n) for n in range(1, len(outcomes) - len(removed) + 1)]
    shaped_rows = shaped(tmp_path, "computer", rows).rows
    plan = make_plan(COMPUTER, shaped_rows, book.read("computer"), removed_keys=removed)
    return settle_feed(book, COMPUTER, plan.to_send, verdicts(*outcomes), run_id=run_id)


def entry(book, key="ser1", feed="computer") -> dict:
    """Return an entry of the ledger."""
    frame = book.read(feed).astype(object)
    return frame.where(frame.notna(), None).set_index("key").loc[key].to_dict()


def test_every_verdict_is_counted_under_its_own_name(tmp_path):
    """The counts are ServiceNow's verdicts, and what was not sent is held."""
    told = ["inserted", "updated", "processed", ("ignored", NO_CHANGE), ("skipped", "why"), ("error", "why"), None]
    result = settled(tmp_path, ledger(tmp_path), *told)
    names = ("inserted", "updated", "processed", "ignored", "skipped", "error", "held")
    assert {name: n for name, n in result.counts.items() if n} == dict.fromkeys(names, 1)
    assert result.not_sent == 1
    assert result.refusals == {"why": 2}


@pytest.mark.parametrize("outcome", ["inserted", "updated", "processed", ("ignored", NO_CHANGE), ("ignored", "")])
def test_a_confirmed_row_is_not_sent_again(tmp_path, outcome):
    """What ServiceNow took, or holds already, is unchanged in the next run."""
    book = ledger(tmp_path)
    settled(tmp_path, book, outcome)
    assert make_plan(COMPUTER, shaped(tmp_path, "computer", [device()]).rows, book.read("computer")).unchanged == 1


@pytest.mark.parametrize(
    "outcome",
    [
        ("error", "no"),
        ("skipped", "no coalesce value"),
        ("ignored", "Row transform ignored by onBefore script"),
        ("ignored", "Row transform ignored by onBefore script;No field values changed"),
        ("ignored", "No field values changed;Row transform ignored by onBefore script"),
    ],
)
def test_a_refused_row_is_sent_again(tmp_path, outcome):
    """A row that ServiceNow did not take, or that a script told to ignore, is planned in the next run."""
    book = ledger(tmp_path)
    settled(tmp_path, book, outcome)
    known = book.read("computer")
    assert make_plan(COMPUTER, shaped(tmp_path, "computer", [device()]).rows, known).count("create") == 1
    assert entry(book)["message"] == outcome[1]


def test_a_refusal_keeps_what_was_confirmed_before(tmp_path):
    """After a refused update the ledger still knows the values that ServiceNow holds."""
    book = ledger(tmp_path)
    settled(tmp_path, book, "inserted")
    before = entry(book)
    settled(tmp_path, book, ("error", "no"), run_id="r2", rows=[device(os_version="15")])
    after = entry(book)
    assert (after["row_hash"], after["payload"]) == (before["row_hash"], before["payload"])
    assert (after["verdict"], after["message"], after["confirmed_at"]) == ("error", "no", before["confirmed_at"])


def test_attempts_count_up_on_refusals_and_start_again_on_success(tmp_path):
    """The ledger tells how often in a row ServiceNow refused the same content of a row; new content starts anew."""
    book = ledger(tmp_path)
    seen = []
    for run, outcome in enumerate([("error", "a"), ("error", "b"), "inserted"]):
        settled(tmp_path, book, outcome, run_id=f"r{run}")
        seen.append(entry(book)["attempts"])
    assert seen == [1, 2, 0]
    for run, version in enumerate(["15", "15", "16"]):
        settled(tmp_path, book, ("error", "c"), run_id=f"s{run}", rows=[device(os_version=version)])
        seen.append(entry(book)["attempts"])
    assert seen[3:] == [1, 2, 1]


def test_settling_twice_is_the_same_as_once(tmp_path):
    """A settle task that is run again changes neither the ledger nor the counts."""
    book = ledger(tmp_path)
    frame = make_plan(COMPUTER, shaped(tmp_path, "computer", [device(1), device(2)]).rows, book.read("computer"))
    answers = verdicts("inserted", ("error", "no"))
    once = settle_feed(book, COMPUTER, frame.to_send, answers, run_id="r1")
    known = book.read("computer").drop(columns=["tried_at", "confirmed_at"])
    twice = settle_feed(book, COMPUTER, frame.to_send, answers, run_id="r1")
    pd.testing.assert_frame_equal(book.read("computer").drop(columns=["tried_at", "confirmed_at"]), known)
    assert twice == once


def _removal(tmp_path, book):
    rows = shaped(tmp_path, "apps", [app()]).rows
    plan = make_plan(APPS, rows, book.read("apps"))
    settle_feed(book, APPS, plan.to_send, verdicts("processed"), run_id="r1")
    return make_plan(APPS, rows.head(0), book.read("apps"), removed_keys=rows["_key"].tolist()), rows["_key"][0]


def test_a_removal_is_counted_beside_the_rows(tmp_path):
    """A confirmed removal counts as removed only: the source did not list the row."""
    book = ledger(tmp_path)
    plan, key = _removal(tmp_path, book)
    result = settle_feed(book, APPS, plan.to_send, verdicts("processed"), run_id="r2")
    assert {name: n for name, n in result.counts.items() if n} == {"removed": 1}
    assert entry(book, key, "apps")["active"] is False


def test_a_refused_removal_is_tried_again(tmp_path):
    """An app whose removal ServiceNow refused is still active in the ledger, and the refusal is reported."""
    book = ledger(tmp_path)
    plan, key = _removal(tmp_path, book)
    result = settle_feed(book, APPS, plan.to_send, verdicts(("error", "no")), run_id="r2")
    assert (result.counts["removed"], result.removals_refused) == (0, 1)
    assert entry(book, key, "apps")["active"] is True


def test_a_removal_that_was_not_sent_is_no_held_row(tmp_path):
    """The equation is about rows of the source, so an unsent removal is not in it, but it is told."""
    book = ledger(tmp_path)
    plan, _ = _removal(tmp_path, book)
    result = settle_feed(book, APPS, plan.to_send, verdicts(None), run_id="r2")
    assert (result.counts["held"], result.not_sent) == (0, 1)


PARTS = [name for name in COUNTS if name not in ("extracted", "removed")]


@given(st.fixed_dictionaries({name: st.integers(0, 9) for name in PARTS}), st.integers(0, 9))
def test_counts_that_add_up_pass(parts, removed):
    """The sum of all verdicts is the number of extracted rows; removals are counted beside it."""
    require_balance("apps", parts | {"extracted": sum(parts.values()), "removed": removed})


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("error", [1, -1])
def test_a_row_without_a_verdict_or_with_two_fails_the_run(name, error):
    """One row too few or too many under any name is found, and the message names feed and numbers."""
    counts = dict.fromkeys(COUNTS, 5) | {"extracted": 5 * len(PARTS)}
    with pytest.raises(CountsDisagree, match=rf"Feed apps: {5 * len(PARTS)} .* makes {5 * len(PARTS) + error}"):
        require_balance("apps", counts | {name: 5 + error})


def test_two_verdicts_for_one_row_do_not_add_up(tmp_path):
    """A row that the load judged twice makes the counts disagree."""
    twice = pd.concat([verdicts("inserted"), verdicts("updated")])
    rows = shaped(tmp_path, "computer", [device()]).rows
    book = ledger(tmp_path)
    plan = make_plan(COMPUTER, rows, book.read("computer"))
    result = settle_feed(book, COMPUTER, plan.to_send, twice, run_id="r1")
    with pytest.raises(CountsDisagree):
        require_balance("computer", result.counts | {"extracted": 1})


def _tried(book, **of) -> tuple:
    """Return since when a row is unconfirmed and which version of its system was tried."""
    found = entry(book, **of)
    tried = json.loads(found["tried_payload"]) if found["tried_payload"] else {}
    return found["since"], tried.get("os_version")


def test_what_was_tried_is_kept_from_the_first_refusal_to_the_confirmation(tmp_path, monkeypatch):
    """How long a row has been stuck, and what was sent, is known until it is taken; settling again adds none."""
    book, times = ledger(tmp_path), iter(["2024-01-01 00:00:00", "2024-01-02 00:00:00", "2024-01-03 00:00:00", "-"])
    monkeypatch.setattr(settle, "_now", lambda: next(times))
    refused = ("error", "no")
    settled(tmp_path, book, refused)
    assert _tried(book) == ("2024-01-01 00:00:00", "14.4.1")
    settled(tmp_path, book, refused)
    assert _tried(book) == ("2024-01-01 00:00:00", "14.4.1")
    assert entry(book)["attempts"] == 1
    settled(tmp_path, book, refused, run_id="r2", rows=[device(os_version="15")])
    assert _tried(book) == ("2024-01-01 00:00:00", "15")
    assert entry(book)["payload"] is None
    settled(tmp_path, book, "inserted", run_id="r3", rows=[device(os_version="15")])
    assert _tried(book) == (None, None)


def test_a_row_that_hangs_is_unconfirmed_and_counts_no_attempt(tmp_path):
    """ServiceNow took it, but not what it refers to: it is stuck until both are there, and is never parked for that."""
    book = ledger(tmp_path)
    plan = make_plan(COMPUTER, shaped(tmp_path, "computer", [device()]).rows, book.read("computer"))
    for run_id in ("r1", "r2"):
        settle_feed(
            book, COMPUTER, plan.to_send, verdicts("inserted"), run_id=run_id,
            dangling=lambda rows: pd.Series(True, index=rows.index),
        )  # fmt: skip
    found = entry(book)
    assert (found["attempts"], found["row_hash"], bool(found["since"])) == (0, None, True)
    settle_feed(book, COMPUTER, plan.to_send, verdicts("updated"), run_id="r3")
    assert _tried(book) == (None, None)


def test_a_removal_that_is_refused_is_unconfirmed_and_still_active(tmp_path):
    """ServiceNow holds the row as before; what was tried is the row with the removed values."""
    book = ledger(tmp_path)
    feed_rows = shaped(tmp_path, "apps", [app()]).rows
    settle_feed(book, APPS, make_plan(APPS, feed_rows, book.read("apps")).to_send, verdicts("processed"), run_id="r1")
    (key,) = book.active_keys("apps")
    plan = make_plan(APPS, feed_rows.iloc[:0], book.read("apps"), removed_keys=[key])
    settle_feed(book, APPS, plan.to_send, verdicts(("error", "no")), run_id="r2")
    found = entry(book, key, "apps")
    assert found["active"]
    assert json.loads(found["payload"])["active"] == "true"
    assert json.loads(found["tried_payload"])["active"] == "false"
    assert found["since"]
    settle_feed(book, APPS, plan.to_send, verdicts("processed"), run_id="r3")
    found = entry(book, key, "apps")
    assert (found["active"], found["since"], found["tried_payload"]) == (False, None, None)
