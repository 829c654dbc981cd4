"""The ledger tells what ServiceNow is known to hold, per pair of tenant and instance."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from factories import ledger

from include.errors import SetupWrong
from include.inventory.ledger import Entry, Ledger, Pair

ENTRY = Entry("k1", "h" * 32, "{}", True, "inserted", "", 0, "s", "r1", "2024-01-01 00:00:00", "2024-01-01 00:00:00")


def test_an_entry_comes_back_as_it_was_written(tmp_path):
    """Nothing of an entry is lost between write and read."""
    book = ledger(tmp_path)
    book.write("computer", [ENTRY, replace(ENTRY, key="k2", row_hash=None, payload=None, active=False)])
    frame = book.read("computer").astype(object)
    found = [Entry(**row) for row in frame.where(frame.notna(), None).to_dict("records")]
    assert found == [ENTRY, replace(ENTRY, key="k2", row_hash=None, payload=None, active=False)]


def test_writing_again_replaces(tmp_path):
    """There is one entry per feed and key, the last one written."""
    book = ledger(tmp_path)
    book.write("computer", [ENTRY])
    book.write("computer", [replace(ENTRY, payload='{"a":"b"}')])
    assert book.read("computer")["payload"].tolist() == ['{"a":"b"}']


def test_more_entries_than_one_statement_takes_are_all_written(tmp_path):
    """A feed of many rows arrives whole."""
    book = ledger(tmp_path)
    book.write("apps", [replace(ENTRY, key=f"k{n}") for n in range(1234)])
    assert len(book.read("apps")) == 1234


def test_entries_are_written_all_or_none(tmp_path):
    """When one entry cannot be written, the ledger is as it was."""
    book = ledger(tmp_path)
    entries = [replace(ENTRY, key=f"k{n}") for n in range(600)] + [replace(ENTRY, key="bad", verdict=None)]
    with pytest.raises(Exception, match="NOT NULL"):
        book.write("apps", entries)
    assert book.read("apps").empty


@pytest.mark.parametrize(
    "other", [Pair("https://other.example", "https://instance.example"), Pair("https://tenant.example", "https://b")]
)
def test_the_ledger_of_another_pair_is_not_consulted(tmp_path, other):
    """A connection that points to another tenant or instance starts with nothing known."""
    ledger(tmp_path).write("computer", [ENTRY])
    assert ledger(tmp_path, other).read("computer").empty
    assert len(ledger(tmp_path).read("computer")) == 1


def test_feeds_are_kept_apart(tmp_path):
    """The same key in two feeds is two entries."""
    book = ledger(tmp_path)
    book.write("computer", [ENTRY])
    assert book.read("mdm").empty


def test_the_folder_of_a_new_ledger_is_made(tmp_path):
    """A first run needs no preparation."""
    book = Ledger(f"sqlite:///{tmp_path}/a/b/ledger.sqlite", Pair("s", "t"))
    book.close()
    assert (tmp_path / "a/b/ledger.sqlite").exists()


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://u:PASSWORD9@h/x", "sqlite:////proc/none/ledger.sqlite"])
def test_a_database_that_cannot_be_opened_is_named(url):
    """A wrong ledger URL is a set-up mistake that names the variable and hides the password."""
    with pytest.raises(SetupWrong, match="IRU_SERVICENOW_LEDGER") as caught:
        Ledger(url, Pair("s", "t"))
    assert "PASSWORD9" not in str(caught.value)


def test_runs_that_start_at_once_share_a_new_ledger(tmp_path):
    """The first runs of both flows may open a ledger that is not there yet at the same moment; each writes its rows."""
    for turn in range(5):
        barrier = Barrier(6)

        def start(number: int, folder=tmp_path / f"{turn}", barrier=barrier) -> None:
            barrier.wait()
            ledger(folder).write("apps", [replace(ENTRY, key=f"k{number}")])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(start, range(6)))
        assert len(ledger(tmp_path / f"{turn}").read("apps")) == 6


def test_rows_removed_long_ago_are_forgotten(tmp_path):
    """Active rows stay whatever their age, and so do removals that are young or were refused last."""
    book = ledger(tmp_path)
    old, young = "2024-01-01 00:00:00", "2026-01-01 00:00:00"
    book.write("apps", [
        replace(ENTRY, key="active", active=True, confirmed_at=old, attempts=0),
        replace(ENTRY, key="removed", active=False, confirmed_at=old, attempts=0),
        replace(ENTRY, key="young", active=False, confirmed_at=young, attempts=0),
        replace(ENTRY, key="refused", active=False, confirmed_at=old, attempts=1),
    ])  # fmt: skip
    assert book.prune(removed_before="2025-01-01 00:00:00") == 1
    assert sorted(book.read("apps")["key"]) == ["active", "refused", "young"]
