"""A ledger moves to another database whole, or not at all."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.errors import RunUnsafe, SetupWrong
from include.inventory.ledger import Entry, Ledger, Pair
from include.inventory.move_ledger import move_ledger
from include.inventory.run_registry import RunRegistry

ROOT = Path(__file__).parents[2]
PAIR, OTHER = Pair("https://a.api.iru.com", "https://a.service-now.com"), Pair("https://b", "https://c")
ENTRY = Entry("k1", "h" * 32, '{"a": "Ünï"}', True, "inserted", "", 0, "s", "r1", "2024-01-01 00:00:00", None)


@pytest.fixture
def urls(tmp_path):
    """A ledger of two pairs with a run that has ended, and the URL of a database that does not exist yet."""
    old, new = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("old", "new"))
    Ledger(old, PAIR).write("apps", [replace(ENTRY, key=f"k{n}", active=n % 2 == 0) for n in range(5_432)])
    Ledger(old, OTHER).write("computer", [ENTRY])
    Ledger(old, PAIR).miss("computer", ["gone"], run="r1")
    Ledger(old, OTHER).write("computer", [replace(ENTRY, run_id="r2")])
    Ledger(old, OTHER).orders.place("computer", [ENTRY.key], action="park", by="ann", reason="why")
    registry = RunRegistry(old, PAIR, "devices")
    registry.take("r1", "folder")
    registry.close("r1")
    registry.release("r1")
    return old, new


def test_every_row_of_every_pair_arrives_as_it_was(urls):
    """A pipeline that is pointed at the new database goes on as if nothing had happened."""
    old, new = urls
    copied = move_ledger(old, new)
    assert {table: n for table, n in copied.items() if n} == {
        "ledger_rows": 5_433,
        "ledger_misses": 1,
        "ledger_runs": 1,
        "ledger_history": 1,
        "sync_orders": 1,
    }
    assert [order.action for order in Ledger(new, OTHER).orders.open_orders("computer").values()] == ["park"]
    for pair, feed in ((PAIR, "apps"), (OTHER, "computer")):
        assert Ledger(new, pair).read(feed).equals(Ledger(old, pair).read(feed))
    assert Ledger(new, PAIR).miss("computer", ["gone"], run="r2") == {"gone": 2}
    RunRegistry(new, PAIR, "devices").take("r2", "folder")


def test_the_new_ledger_is_written_like_any_other(urls):
    """Keys came along: an entry that is written again replaces the one that was moved."""
    old, new = urls
    move_ledger(old, new)
    Ledger(new, OTHER).write("computer", [replace(ENTRY, verdict="updated")])
    assert Ledger(new, OTHER).read("computer")["verdict"].tolist() == ["updated"]


def test_a_ledger_at_work_is_not_moved(urls):
    """A run under way would go on writing into the old one."""
    old, new = urls
    RunRegistry(old, PAIR, "devices").take("r2", "folder")
    with pytest.raises(RunUnsafe, match=r"r2 of the flow devices .* Let a run of that flow end"):
        move_ledger(old, new)


def test_a_ledger_with_verdicts_to_come_is_not_moved(urls):
    """What a killed run sent is settled where its files are."""
    old, new = urls
    registry = RunRegistry(old, PAIR, "apps")
    registry.take("r9", "folder")
    registry.release("r9")
    with pytest.raises(RunUnsafe, match="r9 of the flow apps"):
        move_ledger(old, new)


def test_two_ledgers_are_not_mixed(urls):
    """A database that has rows already keeps exactly those."""
    old, new = urls
    Ledger(new, PAIR).write("computer", [ENTRY])
    with pytest.raises(RunUnsafe, match="has rows in ledger_rows already"):
        move_ledger(old, new)
    assert len(Ledger(new, PAIR).read("computer")) == 1
    assert len(Ledger(new, PAIR).read("apps")) == 0


def test_a_move_that_breaks_off_leaves_nothing(urls):
    """Tables before the one that fails are not half a ledger in the new place."""
    old, new = urls
    RunRegistry(new, PAIR, "devices").take("r1", "folder")
    with pytest.raises(RunUnsafe, match="has rows in ledger_runs already"):
        move_ledger(old, new)
    assert len(Ledger(new, OTHER).read("computer")) == 0


def test_what_cannot_be_moved_is_named(urls, tmp_path):
    """Each mistake in the two addresses has its own words, and none makes a new file."""
    old, new = urls
    cases = {
        (old, ""): "IRU_SERVICENOW_LEDGER is not set",
        (old, old): "the same database",
        (old, "postgres is here"): "must be SQLAlchemy URLs",
        (f"sqlite:///{tmp_path}/none.sqlite", new): "no ledger at",
    }
    for (source, target), said in cases.items():
        with pytest.raises(SetupWrong, match=said):
            move_ledger(source, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.sqlite"]


def test_a_database_without_a_ledger_is_not_taken_for_one(urls, tmp_path):
    """Airflow's own database, given by mistake, is not copied."""
    strange = f"sqlite:///{tmp_path}/airflow.db"
    with sa.create_engine(strange).begin() as connection:
        connection.execute(sa.text("create table dag (dag_id text)"))
    with pytest.raises(SetupWrong, match="no table ledger_rows"):
        move_ledger(strange, urls[1])


def test_the_command_takes_the_new_address_from_the_environment(urls):
    """Whoever lists processes does not see the new database's password."""
    old, new = urls
    asked = [sys.executable, "-m", "include.inventory.move_ledger", "--from", old]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IRU_SERVICENOW_")}
    told = subprocess.run(
        asked, cwd=ROOT, env=clean | {"IRU_SERVICENOW_LEDGER": new}, capture_output=True, text=True, check=True
    )
    assert "ledger_rows: 5,433 rows" in told.stdout
    again = subprocess.run(asked, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    assert (again.returncode, "IRU_SERVICENOW_LEDGER is not set" in again.stderr) == (1, True)
