"""An unchanged device costs one comparison; a changed one is compared row by row, and none is taken for unchanged."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from factories import MAPPING, PAIR, app, ledger, shaped

from include.inventory.ledger import Entry, Ledger
from include.inventory.listed import iter_listed
from include.inventory.run_folder import RunFolder

APPS = MAPPING.feeds["apps"]
FLEET = [app(number, on=on) for on in (1, 2, 3) for number in range(4)]


def confirm(tmp_path, book: Ledger, rows) -> None:
    """Let the ledger hold rows of a source."""
    frame = shaped(tmp_path, "apps", rows).rows
    cells = frame[["_key", "_hash", "_payload", "_device"]].itertuples(index=False)
    at = "2026-01-01 00:00:00"
    book.write("apps", [Entry(k, h, p, True, "processed", "", 0, "s", "r", at, at, h, d) for k, h, p, d in cells])


def compared(tmp_path, book: Ledger, rows, *, shortcut: bool = True):
    """Lay rows of a source beside the ledger; return what had to be looked into."""
    shaped(tmp_path, "apps", rows)
    found = list(iter_listed(RunFolder(tmp_path / "run"), APPS, book, shortcut=shortcut))
    looked_into = {device for each in found for device in each.rows["_device"]}
    return looked_into, sum(each.unchanged for each in found), [key for each in found for key in each.gone]


@pytest.fixture
def book(tmp_path) -> Ledger:
    """Return a ledger that holds the fleet."""
    book = ledger(tmp_path)
    confirm(tmp_path, book, FLEET)
    return book


def test_an_unchanged_fleet_is_not_looked_into(tmp_path, book):
    """All rows count as unchanged, and no entry of theirs is read."""
    assert compared(tmp_path, book, FLEET) == (set(), 12, [])
    assert compared(tmp_path, book, FLEET[::-1]) == (set(), 12, [])


def test_without_the_shortcut_every_device_is_looked_into(tmp_path, book):
    """A full resend, parked rows and rows in flight need each row."""
    assert compared(tmp_path, book, FLEET, shortcut=False)[0] == {"d1", "d2", "d3"}


@pytest.mark.parametrize(
    ("changed", "gone"),
    [
        ([app(0, on=1, version="9"), *FLEET[1:]], 0),
        ([*FLEET, app(9, on=1)], 0),
        (FLEET[1:], 1),
        ([*FLEET[1:], app(0, on=1, name=None)], 0),
    ],
)
def test_a_device_with_any_change_is_looked_into(tmp_path, book, changed, gone):
    """A row that changed, came, went, or became unfit to be sent."""
    looked_into, unchanged, missing = compared(tmp_path, book, changed)
    assert (looked_into, unchanged, len(missing)) == ({"d1"}, 8, gone)


def test_a_device_that_is_gone_takes_its_rows_along(tmp_path, book):
    """Devices that the source lacks are read after those that it lists."""
    looked_into, unchanged, missing = compared(tmp_path, book, FLEET[4:])
    assert (looked_into, unchanged, len(missing)) == (set(), 8, 4)


def test_a_refused_row_makes_its_device_looked_into(tmp_path, book):
    """What ServiceNow refused goes again, so its device's digest says nothing until it is taken."""
    entry = _entry(book, "d2")
    book.write("apps", [replace(entry, verdict="error", attempts=1, tried_hash="f" * 32)])
    assert compared(tmp_path, book, FLEET)[0] == {"d2"}
    book.write("apps", [entry])
    assert compared(tmp_path, book, FLEET)[0] == set()


def test_a_repaired_entry_makes_its_device_looked_into(tmp_path, book):
    """A reconciliation that does not know the device leaves it where it was, and its digest up to date."""
    book.write("apps", [replace(_entry(book, "d3"), row_hash=None, payload=None, device=None)])
    assert compared(tmp_path, book, FLEET)[0] == {"d3"}
    assert _entry(book, "d3").device == "d3"


def test_a_removed_row_is_no_part_of_its_devices_digest(tmp_path, book):
    """Once its removal is confirmed, the device is unchanged again."""
    book.write("apps", [replace(_entry(book, "d1"), active=False)])
    key = _entry(book, "d1").key
    left = [row for row in FLEET if shaped(tmp_path, "apps", [row]).rows["_key"][0] != key]
    assert compared(tmp_path, book, left) == (set(), 11, [])


def test_entries_of_an_earlier_release_find_their_device(tmp_path, book):
    """An upgraded ledger knows no devices: the first run compares each row, tells them, and the next is short."""
    with book._engine.begin() as connection:
        connection.execute(sa.text("UPDATE ledger_rows SET device = NULL"))
        connection.execute(sa.text("DELETE FROM ledger_devices"))
    again = ledger(tmp_path)
    assert compared(tmp_path, again, FLEET[1:])[0] == {"d1", "d2", "d3"}
    looked_into, unchanged, missing = compared(tmp_path, again, FLEET[1:])
    assert (looked_into, unchanged, len(missing)) == (set(), 11, 1)


def test_pairs_do_not_share_digests(tmp_path, book):
    """Another instance's ledger knows nothing of this one's devices."""
    other = ledger(tmp_path, replace(PAIR, target="https://other.example"))
    assert other.devices("apps") == {}
    assert len(book.devices("apps")) == 3


def _entry(book: Ledger, device: str) -> Entry:
    """Return one entry of a device, always the same."""
    known = book.read_devices("apps", [device]).sort_values("key")
    if known.empty:
        known = book.read("apps").sort_values("key")
    cells = known.astype(object).where(known.notna(), None).to_dict("records")[0]
    return Entry(**cells | {"active": bool(cells["active"]), "attempts": int(cells["attempts"])})
