"""A verdict that a later run replaces is kept as history."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from factories import ledger

from include.inventory.history import prune_history
from include.inventory.ledger import Entry, Ledger
from include.inventory.sync_tables import HISTORY

OLD = "2024-01-01 00:00:00"
ENTRY = Entry("k1", "h" * 32, "{}", True, "inserted", "m", 0, "s1", "r1", OLD, OLD, device="d1")
AGAIN = replace(ENTRY, verdict="error", message="no", import_set="s2", run_id="r2", tried_at="2024-02-01 00:00:00")


def history(book: Ledger) -> list[tuple[object, ...]]:
    """Return what the history holds, oldest first."""
    names = ("feed", "key", "run_id", "device", "verdict", "message", "import_set", "tried_at")
    asked = sa.select(*(HISTORY.c[name] for name in names)).order_by(HISTORY.c.tried_at, HISTORY.c.key)
    with book.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]


def test_what_a_later_run_replaces_is_kept_whole(tmp_path):
    """The earlier verdict is there with its run, its message and its import set; the present one is in the ledger."""
    book = ledger(tmp_path)
    book.write("apps", [ENTRY])
    assert history(book) == []
    book.write("apps", [AGAIN])
    assert history(book) == [("apps", "k1", "r1", "d1", "inserted", "m", "s1", "2024-01-01 00:00:00")]
    assert book.read("apps")["verdict"].tolist() == ["error"]


def test_settling_a_run_again_adds_no_history(tmp_path):
    """The task may run again: a verdict that the same run replaces is none of the past, and nothing is there twice."""
    book = ledger(tmp_path)
    book.write("apps", [ENTRY])
    for _ in range(2):
        book.write("apps", [AGAIN])
    book.write("apps", [replace(AGAIN, verdict="updated")])
    assert [row[2] for row in history(book)] == ["r1"]


def test_what_never_had_a_verdict_leaves_no_history(tmp_path):
    """What a reconciliation has seen is no attempt of ours."""
    book = ledger(tmp_path)
    book.write("apps", [replace(ENTRY, verdict="")])
    book.write("apps", [AGAIN])
    assert history(book) == []


def test_only_the_written_rows_of_the_same_pair_and_feed_are_moved(tmp_path):
    """Another feed's entry with the same key, another pair's, and a row that was not written, stay as they are."""
    book = ledger(tmp_path)
    other = ledger(tmp_path, replace(book.pair, source="https://other.example"))
    for each, feed in ((book, "apps"), (book, "computer"), (other, "apps")):
        each.write(feed, [ENTRY, replace(ENTRY, key="k2")])
    book.write("apps", [AGAIN])
    assert [row[:2] for row in history(book)] == [("apps", "k1")]
    with book.engine.connect() as connection:
        assert connection.execute(sa.select(HISTORY.c.source)).scalars().all() == [book.pair.source]


def test_many_rows_and_odd_keys_are_moved(tmp_path):
    """More rows than one statement takes, and keys with quotes, separators and symbols of any plane."""
    book = ledger(tmp_path)
    odd = ["a\x1fb", 'say "x"', "名前 🍏", "it's", "\\N", "{}"]
    keys = [*odd, *(f"k{number}" for number in range(6000))]
    book.write("apps", [replace(ENTRY, key=key) for key in keys])
    book.write("apps", [replace(AGAIN, key=key) for key in keys])
    assert sorted(str(row[1]) for row in history(book)) == sorted(keys)


def test_nothing_is_moved_when_writing_fails(tmp_path):
    """History and ledger change together or not at all."""
    book = ledger(tmp_path)
    book.write("apps", [ENTRY])
    with pytest.raises(sa.exc.DatabaseError):
        book.write("apps", [AGAIN, replace(AGAIN, key="bad", verdict=None)])
    assert history(book) == []
    assert book.read("apps")["verdict"].tolist() == ["inserted"]


def test_history_is_forgotten_by_age(tmp_path):
    """Verdicts older than a time go, of this pair alone."""
    book = ledger(tmp_path)
    other = ledger(tmp_path, replace(book.pair, source="https://other.example"))
    for each in (book, other):
        each.write("apps", [ENTRY])
        each.write("apps", [AGAIN])
        each.write("apps", [replace(AGAIN, run_id="r3", tried_at="2024-03-01 00:00:00")])
    assert prune_history(book.engine, book.pair, before="2024-01-15 00:00:00") == 1
    assert [row[2] for row in history(book)] == ["r1", "r2", "r2"]
