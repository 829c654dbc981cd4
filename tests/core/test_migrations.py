"""A ledger of any release is brought to the present form, once, and one of a newer release is left alone."""

import sqlite3
from dataclasses import asdict, replace

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from factories import PAIR
from test_ledger import ENTRY

from include.detection.tables import DEVICES, PENDING, STATE
from include.errors import SetupWrong
from include.inventory import migrate
from include.inventory.database import open_database
from include.inventory.ledger import Ledger
from include.inventory.ledger_tables import metadata
from include.inventory.run_parts import PARTS
from include.inventory.run_registry import _runs
from include.inventory.sync_tables import metadata as sync_metadata


def test_the_newest_migration_is_the_one_that_is_asked_for():
    """A migration that is added is run."""
    config = Config()
    config.set_main_option("script_location", str(migrate.Path(migrate.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_the_migrations_make_the_tables_that_the_code_writes(tmp_path):
    """What the migrations leave and what the code declares have the same tables, columns, keys and indexes."""
    engine = open_database(f"sqlite:///{tmp_path}/ledger.sqlite")
    declared = sa.MetaData()
    for table in (*metadata.tables.values(), *sync_metadata.tables.values(), STATE, DEVICES, PENDING, PARTS, _runs):
        table.to_metadata(declared)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
        assert compare_metadata(context, declared) == []


def test_an_up_to_date_ledger_is_opened_without_a_write(tmp_path):
    """Opening costs a look at one row; nothing waits for a lock."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    open_database(url).dispose()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as holder:
        holder.execute("BEGIN IMMEDIATE")
        open_database(url, wait_s=0.1).dispose()


def test_a_ledger_of_a_newer_release_is_refused(tmp_path):
    """An older release does not write into a form that it does not know."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    engine = open_database(url)
    with engine.begin() as connection:
        versions = sa.table(migrate.VERSION_TABLE, sa.column("version_num"))
        connection.execute(sa.update(versions).values(version_num="9999"))
    with pytest.raises(SetupWrong, match="newer release"):
        open_database(url)


def test_a_version_table_of_another_program_is_left_alone(tmp_path):
    """The ledger may share a database with Airflow, whose own migrations have a table of that kind."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as there:
        there.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        there.execute("INSERT INTO alembic_version VALUES ('airflow')")
    engine = open_database(f"sqlite:///{tmp_path}/ledger.sqlite")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == "airflow"


@pytest.fixture
def second_form(tmp_path):
    """Make a ledger of the form before the sync page, and return its address and a way to write entries into it."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    config = Config()
    config.set_main_option("script_location", str(migrate.Path(migrate.__file__).with_name("migrations")))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")

    def write(key: str, **changes: object) -> None:
        entry = {name: value for name, value in asdict(replace(ENTRY, key=key)).items() if name not in _NEW}
        row = {"source": PAIR.source, "target": PAIR.target, "feed": "apps", **entry, **changes}
        with engine.begin() as connection:
            connection.execute(sa.table("ledger_rows", *map(sa.column, row)).insert(), [row])

    return url, write


_NEW = ("tried_payload", "since")


def test_a_ledger_from_before_the_sync_page_tells_what_is_refused(second_form):
    """What was refused then is stuck since its last attempt; what was confirmed, or only seen, is not."""
    url, write = second_form
    hashed = {"row_hash": "h" * 32}
    write("confirmed", **hashed, tried_hash="h" * 32)
    write("confirmed by the first release", **hashed, tried_hash=None)
    write("refused", **hashed, tried_hash="t" * 32, attempts=2, verdict="error", tried_at="2024-05-05 00:00:00")
    write("hangs", **hashed, tried_hash="t" * 32, attempts=0)
    write("never taken", row_hash=None, payload=None, tried_hash="t" * 32, attempts=1, verdict="error")
    write("missing, seen by a reconciliation", row_hash=None, payload=None, verdict="")
    found = Ledger(url, PAIR).read("apps").set_index("key")["since"].dropna().to_dict()
    assert found == {
        "refused": "2024-05-05 00:00:00",
        "hangs": ENTRY.tried_at,
        "never taken": ENTRY.tried_at,
    }
