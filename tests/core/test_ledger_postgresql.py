"""What the ledger, the registry of runs and the watcher promise holds on a real PostgreSQL too."""

import inspect
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest
import sqlalchemy as sa
import test_detector
import test_history
import test_ledger
import test_orders
import test_run_registry
import test_sync_summary
from factories import PAIR
from rich.console import Console

from include.errors import RetryLater, SetupWrong, StorageFailed
from include.inventory import database
from include.inventory.ledger import Entry, Ledger
from include.inventory.run_registry import RunRegistry
from include.local.cluster.postgres import Postgres, running_postgres
from include.local.cluster.programs import ensure_programs

ROOT = Path(__file__).parents[2]
ENTRY = Entry("k1", "h" * 32, "{}", True, "inserted", "", 0, "s", "r1", "2024-01-01 00:00:00", "2024-01-01 00:00:00")
OPENING = (
    "include.inventory.ledger.open_database",
    "include.inventory.orders.open_database",
    "include.inventory.run_registry.open_database",
    "include.detection.tables.open_database",
)
ON_FILES_ALONE = {
    "test_the_folder_of_a_new_ledger_is_made",
    "test_entries_are_written_all_or_none",  # in SQLite's words; told below in PostgreSQL's
    "test_a_run_that_is_killed_is_taken_over",  # by a process that opens the file itself; below on PostgreSQL
}
"""What is about SQLite's file."""


def _promises() -> Iterator[Any]:
    """Yield the tests of some files that take nothing but fixtures."""
    for module in (test_ledger, test_run_registry, test_detector, test_history, test_orders, test_sync_summary):
        for name, promise in vars(module).items():
            plain = not getattr(promise, "pytestmark", None)
            if name.startswith("test_") and inspect.isfunction(promise) and plain and name not in ON_FILES_ALONE:
                yield pytest.param(promise, id=name.removeprefix("test_"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run a PostgreSQL server, which is installed first where it may be."""
    log_path = tmp_path_factory.mktemp("postgresql") / "postgres.log"
    with running_postgres(ensure_programs(Console()), log_path=log_path) as running:
        yield running


@pytest.fixture(scope="module")
def new_url(server: Postgres) -> Callable[[], str]:
    """Return what gives the address of an empty ledger; each is a schema, which takes no time to make or to drop."""
    shared, numbers = sa.create_engine(server.create("ledgers")), count()

    def make() -> str:
        schema = f"ledger_{next(numbers)}"
        with shared.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        return f"{server.url('ledgers')}?options=-csearch_path%3D{schema}"

    return make


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    """Return the address of an empty ledger."""
    return new_url()


@pytest.fixture
def on_postgresql(new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Open a ledger on the server wherever a test names a SQLite file."""
    opened: dict[str, str] = {}
    lock, really = Lock(), database.open_database

    def open_database(url: str, **options: Any) -> sa.Engine:
        with lock:
            if url not in opened:
                opened[url] = new_url()
        return really(opened[url], **options)

    for name in OPENING:
        monkeypatch.setattr(name, open_database)


clock = test_run_registry.clock
watch = test_detector.watch
parked, two_apps = test_orders.parked, test_orders.two_apps
two = test_sync_summary.two


@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.parametrize("promise", list(_promises()))
def test_what_holds_on_sqlite_holds_on_postgresql(promise: Callable[..., None], request: pytest.FixtureRequest) -> None:
    """An operator who moves the ledger to PostgreSQL loses none of its promises."""
    promise(**{name: request.getfixturevalue(name) for name in inspect.signature(promise).parameters})


def test_the_promises_are_many() -> None:
    """Renaming a file of tests does not quietly empty the check above."""
    assert len(list(_promises())) > 30


def test_entries_are_written_all_or_none(url: str) -> None:
    """When one entry cannot be written, the ledger is as it was."""
    book = Ledger(url, PAIR)
    entries = [replace(ENTRY, key=f"k{n}") for n in range(600)] + [replace(ENTRY, key="bad", verdict=None)]
    with pytest.raises(Exception, match="null value"):
        book.write("apps", entries)
    assert book.read("apps").empty


def test_a_row_that_cannot_be_written_is_in_no_error(url: str) -> None:
    """PostgreSQL quotes a failing row, with its names and e-mails; what we raise does not, and is SQLAlchemy's."""
    entries = [replace(ENTRY, payload="ann@example.com", verdict=None)]
    with pytest.raises(sa.exc.IntegrityError, match="null value") as caught:
        Ledger(url, PAIR).write("apps", entries)
    shown = "".join(traceback.format_exception(caught.value))
    assert "ann@example.com" not in shown


def test_words_of_any_language_come_back(url: str) -> None:
    """Names, and what ServiceNow says about a row, hold quotes, tabs, line ends and symbols of any plane."""
    words = 'Zoë\t"quoted"\\N\r\n名前 🍏 \\. %s'
    Ledger(url, PAIR).write("computer", [replace(ENTRY, key=words, message=words, payload=words)])
    found = Ledger(url, PAIR).read("computer").iloc[0]
    assert (found["key"], found["message"], found["payload"]) == (words, words, words)


def test_two_workers_that_write_the_same_rows_do_not_block_each_other(url: str) -> None:
    """Partitions on two workers may end at one moment; neither waits for ever, and every row is there once."""
    books, barrier = [Ledger(url, PAIR) for _ in range(4)], Barrier(4)

    def write(number: int) -> None:
        keys = range(500) if number % 2 else range(499, -1, -1)
        barrier.wait()
        for turn in range(5):
            books[number].write("apps", [replace(ENTRY, key=f"k{key}", run_id=f"r{number}-{turn}") for key in keys])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert sorted(books[0].read("apps")["key"]) == sorted(f"k{key}" for key in range(500))


def test_workers_that_meet_a_new_database_at_once_all_open_it(url: str) -> None:
    """The first tasks of two workers may start together."""
    barrier = Barrier(6)

    def open_ledger(_: int) -> bool:
        barrier.wait()
        return Ledger(url, PAIR).has_confirmed("computer")

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_ledger, range(6))) == [False] * 6


_HOLDER = """
import sys
from include.inventory.run_registry import RunRegistry
from factories import PAIR
RunRegistry(sys.stdin.readline().strip(), PAIR, "devices").take("r1", "f")
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_run_that_is_killed_is_taken_over(url: str) -> None:
    """With real processes: a rival waits while the holder lives, and begins as soon as it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLDER],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/core'}"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{url}\n")
    child.stdin.flush()
    assert child.stdout.readline() == "taken\n"
    rival = RunRegistry(url, PAIR, "devices")
    with pytest.raises(RetryLater, match=f"process {child.pid}"):
        rival.take("r2", "f")
    child.send_signal(signal.SIGKILL)
    child.communicate()
    rival.take("r2", "f")
    assert rival.lost_to("r1") == "r2"


def test_a_server_that_stopped_is_told_without_its_password(tmp_path: Path) -> None:
    """A worker that loses the database says which setting, and never the password."""
    programs = ensure_programs(Console())
    with running_postgres(programs, log_path=tmp_path / "postgres.log") as server:
        book = Ledger(server.create("ledger"), PAIR)
        book.write("computer", [ENTRY])
    with pytest.raises(StorageFailed, match="check its server and IRU_SERVICENOW_LEDGER") as running:
        book.read("computer")
    with pytest.raises((StorageFailed, SetupWrong), match="IRU_SERVICENOW_LEDGER") as opening:
        Ledger(server.url("ledger"), PAIR)
    assert server.password not in f"{running.value}{opening.value}"
