"""How the page's questions reach the ledger: read-only, bounded, and told in words when they do not."""

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pagely
import pytest
import sqlalchemy as sa
from factories import ledger

from bench.page_seed import PAIR, Seeded
from include.errors import SetupWrong, StorageFailed
from include.insight.errors import BadQuestion, NoLedger, OtherForm, TooSlow
from include.insight.paging import Asked, Total, cursor_at
from include.insight.reader import Reader
from include.inventory.ledger import Ledger
from include.inventory.ledger_tables import ROWS


def endless():
    """Return a question that a database never finishes."""
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1))
    return sa.select(sa.func.count()).select_from(numbers)


@pytest.fixture
def url(tmp_path):
    """Return the address of a seeded ledger."""
    Seeded().write(f"sqlite:///{tmp_path}/ledger.sqlite")
    return f"sqlite:///{tmp_path}/ledger.sqlite"


def test_a_ledger_that_is_not_there_is_no_failure_and_is_not_made(tmp_path):
    """The page of a fresh installation says what to do, and leaves the making to the first run."""
    with Reader(f"sqlite:///{tmp_path}/no/ledger.sqlite", PAIR) as reader, pytest.raises(NoLedger, match="iru_devices"):
        reader.rows(sa.select(ROWS.c.key))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_one_without_a_ledger(tmp_path):
    """A PostgreSQL database that was made but never used looks like this too."""
    (tmp_path / "ledger.sqlite").touch()
    with Reader(f"sqlite:///{tmp_path}/ledger.sqlite", PAIR) as reader, pytest.raises(NoLedger):
        reader.rows(sa.select(ROWS.c.key))
    assert (tmp_path / "ledger.sqlite").stat().st_size == 0


@pytest.mark.parametrize(("form", "said"), [("0002", "older release; the next run"), ("0999", "newer release")])
def test_tables_of_another_release_are_not_read(url, form, said):
    """An API server that is ahead of the runs, or behind them, says so instead of failing in SQL."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
        file.execute("UPDATE iru_servicenow_version SET version_num = ?", (form,))
    with Reader(url, PAIR) as reader, pytest.raises(OtherForm, match=said):
        reader.check()


def test_nothing_can_be_written(url):
    """Whatever a question says, the ledger stays as it is."""
    with Reader(url, PAIR) as reader:
        reader.check()
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            reader._open.exec_driver_sql("DELETE FROM ledger_rows")


def test_a_question_that_takes_too_long_is_broken_off(url):
    """A page never keeps the database busy for longer than its budget."""
    began = time.monotonic()
    with Reader(url, PAIR, budget_s=0.3) as reader, pytest.raises(TooSlow, match="Narrow the filter"):
        reader.rows(endless())
    assert time.monotonic() - began < 2


def test_the_budget_is_of_all_questions_of_a_request_together(url):
    """Many quick questions do not add up to a slow page."""
    with Reader(url, PAIR, budget_s=0.2) as reader:
        reader.number(sa.select(sa.func.count()).select_from(ROWS))
        time.sleep(0.25)
        with pytest.raises(TooSlow):
            reader.rows(sa.select(ROWS.c.key))
        reader.renew()
        assert reader.rows(sa.select(ROWS.c.key).limit(1))


def test_a_reader_between_questions_keeps_no_writer_waiting(url):
    """A load commits while somebody looks at the page."""
    with Reader(url, PAIR) as reader:
        assert reader.rows(sa.select(ROWS.c.key).limit(5))
        with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0) as writer:
            writer.execute("UPDATE ledger_rows SET message = 'x'")
        assert reader.rows(sa.select(ROWS.c.message).limit(1))[0].message == "x"


def test_a_writer_that_holds_the_file_is_waited_for_but_not_for_long(url):
    """While a run commits, the page says to try again."""
    holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    with Reader(url, PAIR) as reader, pytest.raises(TooSlow, match="Try again"):
        reader.check()
    threading.Timer(0.2, lambda: holder.execute("COMMIT")).start()
    with Reader(url, PAIR) as reader:
        reader.check()
    holder.close()


@pytest.mark.parametrize("content", [b"no database at all, but a text that is long enough" * 9])
def test_a_damaged_file_is_told_without_its_content(tmp_path, content):
    """The message says what to check and repeats nothing."""
    (tmp_path / "ledger.sqlite").write_bytes(content)
    with Reader(f"sqlite:///{tmp_path}/ledger.sqlite", PAIR) as reader, pytest.raises(StorageFailed) as told:
        reader.check()
    assert "cannot be read" in str(told.value)
    assert "long enough" not in str(told.value)
    assert str(tmp_path) not in str(told.value)


def test_an_address_that_is_none_is_a_wrong_set_up():
    """The message names the setting."""
    with Reader("nonsense", PAIR) as reader, pytest.raises(SetupWrong, match="IRU_SERVICENOW_LEDGER"):
        reader.check()


@pytest.mark.parametrize(
    "cursor", ["", "x", "%%%", "bnVsbA", "W10", cursor_at(Total(1), 7), cursor_at(Total(1), "a", "b")]
)
def test_a_cursor_that_is_none_of_ours_is_refused(cursor):
    """Nothing but what a page gave out is taken for a position."""
    if not cursor:
        assert Asked(cursor).after(str) is None
        return
    with pytest.raises(BadQuestion, match="cursor"):
        Asked(cursor).after(str)


def test_the_ledger_that_runs_write_is_the_one_that_is_read(tmp_path):
    """Reader and writer mean the same file, whatever is in its path."""
    folder = tmp_path / "a folder with % and ?#"
    ledger(folder)
    with Reader(f"sqlite:///{folder}/ledger.sqlite", PAIR) as reader:
        assert reader.rows(sa.select(ROWS.c.key)) == []
    assert pagely.settings(tmp_path).ledger.endswith("ledger.sqlite")


_KILLED = """
import os, signal, sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA cache_size = 1")
file.execute("BEGIN")
file.execute("UPDATE ledger_rows SET message = hex(randomblob(2000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_told_and_then_mended_by_the_next_one(url):
    """A reader may not roll back; it says what will, and reads what was there before once that is done."""
    path = url.removeprefix("sqlite:///")
    subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
    assert Path(f"{path}-journal").exists()
    with Reader(url, PAIR) as reader, pytest.raises(StorageFailed, match="killed in the middle"):
        reader.check()
    Ledger(url, PAIR).count_active("computer")
    with Reader(url, PAIR) as reader:
        assert reader.rows(sa.select(ROWS.c.message).where(ROWS.c.message.like("00%"))) == []
