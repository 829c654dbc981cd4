"""The ledger survives what happens to files: a kill, a full disk, a lock, an older version of itself."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from factories import PAIR, ledger
from test_ledger import ENTRY

from include.errors import SetupWrong, StorageFailed
from include.inventory.ledger import Entry, Ledger

ROOT = Path(__file__).parents[2]

_WRITER = """
import sys
from dataclasses import replace
from test_ledger import ENTRY
from include.inventory.ledger import Ledger
from factories import PAIR

def entries():
    for number in range(20_000):
        if number == 15_000:  # three batches are in the transaction by now
            print("half way", flush=True)
            sys.stdin.read()
        yield replace(ENTRY, key=f"new{number}", payload="x" * 500)

Ledger(sys.argv[1], PAIR).write("apps", entries())
"""

_FULL = """
import resource, sys
from dataclasses import replace
from test_ledger import ENTRY
from include.errors import StorageFailed
from include.inventory.ledger import Ledger
from factories import PAIR

book = Ledger(sys.argv[1], PAIR)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    book.write("apps", [replace(ENTRY, key=f"new{n}", payload="SECRET" * 100) for n in range(5000)])
except StorageFailed as error:
    print(error)
    sys.exit(3)
"""


def _child(code: str, url: str, **options) -> "subprocess.Popen[str]":
    path = f"{ROOT}:{ROOT / 'tests/core'}"
    return subprocess.Popen(
        [sys.executable, "-c", code, url], env=os.environ | {"PYTHONPATH": path}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **options,
    )  # fmt: skip


def _is_whole(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_ledger_killed_in_mid_transaction_is_as_it_was(tmp_path):
    """After SIGKILL between two batches the ledger is whole, holds nothing of the write, and takes it the next time."""
    ledger(tmp_path).write("apps", [ENTRY])
    path = tmp_path / "ledger.sqlite"
    child = _child(_WRITER, f"sqlite:///{path}", stdin=subprocess.PIPE)
    assert child.stdout.readline() == "half way\n"
    assert (tmp_path / "ledger.sqlite-journal").exists(), "the transaction had not begun"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert ledger(tmp_path).read("apps")["key"].tolist() == ["k1"]
    assert _is_whole(path)
    ledger(tmp_path).write("apps", [replace(ENTRY, key="k2")])
    assert len(ledger(tmp_path).read("apps")) == 2


def test_a_full_disk_is_a_clear_error_and_spoils_nothing(tmp_path):
    """A ledger that cannot grow says so, without a row's content, and keeps what it held."""
    ledger(tmp_path).write("apps", [ENTRY])
    child = _child(_FULL, f"sqlite:///{tmp_path}/ledger.sqlite")
    said, _ = child.communicate()
    assert child.returncode == 3, said
    assert "disk is full" in said
    assert "Nothing of what was being written is in it" in said
    assert "SECRET" not in said
    assert ledger(tmp_path).read("apps")["key"].tolist() == ["k1"]
    assert _is_whole(tmp_path / "ledger.sqlite")


def test_a_locked_ledger_waits_and_then_says_so(tmp_path):
    """While another process writes, ours waits; beyond its patience it is one clear error, to be tried again."""
    ledger(tmp_path).write("apps", [ENTRY])
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    book = Ledger(url, PAIR, wait_s=0.2)
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for attempt in (
        lambda: book.write("apps", [ENTRY]),
        lambda: book.read("apps"),
        lambda: Ledger(url, PAIR, wait_s=0),
    ):
        with pytest.raises(StorageFailed, match="locked by another process"):
            attempt()
    other.execute("COMMIT")
    book.write("apps", [replace(ENTRY, key="k2")])
    assert len(book.read("apps")) == 2


def test_a_damaged_ledger_is_named_and_costs_one_resend(tmp_path):
    """A file that is no database says what to do about it."""
    path = tmp_path / "ledger.sqlite"
    ledger(tmp_path).write("apps", [replace(ENTRY, key=f"k{n}") for n in range(500)])
    path.write_bytes(b"no database at all, " * 1000)
    with pytest.raises(StorageFailed, match=r"damaged.*one full resend"):
        ledger(tmp_path)


def test_a_new_ledger_is_readable_by_its_owner_only(tmp_path):
    """The ledger holds e-mail addresses, so neither it nor its new folder is open to others, whatever the umask."""
    before = os.umask(0)
    try:
        ledger(tmp_path / "new").write("apps", [ENTRY])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/ledger.sqlite").stat().st_mode) == 0o600


def _older(path: Path) -> None:
    """Make the table as the version before parked rows made it, with one entry."""
    later = ("tried_hash", "device", "tried_payload", "since")
    columns = [name for name in Entry.__dataclass_fields__ if name not in later]
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE ledger_rows (source VARCHAR(200) NOT NULL, target VARCHAR(200) NOT NULL, "
            "feed VARCHAR(40) NOT NULL, key TEXT NOT NULL, row_hash VARCHAR(32), payload TEXT, "
            "active BOOLEAN NOT NULL, verdict VARCHAR(20) NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL, "
            "import_set VARCHAR(40) "
            "NOT NULL, run_id VARCHAR(250) NOT NULL, tried_at VARCHAR(19) NOT NULL, confirmed_at VARCHAR(19), "
            "PRIMARY KEY (source, target, feed, key))"
        )
        values = [PAIR.source, PAIR.target, "apps", *(getattr(ENTRY, name) for name in columns)]
        names = ", ".join(["source", "target", "feed", *columns])
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO ledger_rows ({names}) VALUES ({marks})", values)  # noqa: S608 - our own names
    connection.close()


def test_a_ledger_of_an_earlier_version_is_brought_up_to_date(tmp_path):
    """An upgrade costs no resend: the old entries are there, and the new column takes values."""
    _older(tmp_path / "ledger.sqlite")
    book = ledger(tmp_path)
    assert book.read("apps")["key"].tolist() == ["k1"]
    assert book.read("apps")["tried_hash"].isna().all()
    book.write("apps", [replace(ENTRY, tried_hash="t" * 32)])
    assert ledger(tmp_path).read("apps")["tried_hash"].tolist() == ["t" * 32]


def test_an_entrys_content_is_in_no_error(tmp_path):
    """A statement that fails shows its text in a traceback, but none of the names and e-mails in it."""
    with pytest.raises(sa.exc.IntegrityError) as caught:
        ledger(tmp_path).write("apps", [replace(ENTRY, payload="ann@example.com", verdict=None)])
    assert "ann@example.com" not in str(caught.value)


def test_a_file_that_forgot_much_becomes_smaller(tmp_path):
    """Space that removed rows took is given back to the disk."""
    book, old = ledger(tmp_path), "2024-01-01 00:00:00"
    gone = [replace(ENTRY, key=f"{n}", active=False, confirmed_at=old, payload="x" * 500) for n in range(2000)]
    book.write("apps", [replace(entry, attempts=0) for entry in gone])
    size = (tmp_path / "ledger.sqlite").stat().st_size
    assert book.prune(removed_before="2025-01-01 00:00:00") == 2000
    assert (tmp_path / "ledger.sqlite").stat().st_size < size / 4


def test_a_driver_that_is_not_installed_is_named():
    """Whoever has to install something is told what, and sees no password."""
    with pytest.raises(
        SetupWrong, match=r"not installed \(MySQLdb\).*psycopg\[binary\].*mysql://me:\*\*\*@host/ledger"
    ):
        Ledger("mysql://me:secret@host/ledger", PAIR)
