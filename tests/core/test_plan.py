"""Only what changed is sent, and a change says exactly which fields differ."""

import json

import pandas as pd
import pytest
from factories import MAPPING, app, cells, device, ledger, prism_device, shaped
from hypothesis import given
from hypothesis import strategies as st

from include.inventory.ledger import Entry
from include.inventory.listed import iter_listed
from include.inventory.mapping import Feed
from include.inventory.plan import Plan, Waits, make_plan, row_hash
from include.inventory.run_folder import RunFolder
from include.loading.chunks import staging_columns
from include.loading.records import to_records

COMPUTER, APPS = MAPPING.feeds["computer"], MAPPING.feeds["apps"]
PAYLOADS = st.dictionaries(st.text(), st.text(), max_size=4)


def planned(tmp_path, known, feed: Feed, rows, **options) -> Plan:
    """Plan rows of a source against a ledger's entries."""
    return make_plan(feed, shaped(tmp_path, feed.name, rows, prism=[prism_device()]).rows, known, **options)


def not_listed(tmp_path, book, rows) -> list[str]:
    """Return the keys of apps that ServiceNow holds and that some rows of a source do not list."""
    shaped(tmp_path, "apps", rows)
    return [
        key for listed in iter_listed(RunFolder(tmp_path / "run"), APPS, book, shortcut=True) for key in listed.gone
    ]


def confirm(book, feed: Feed, plan: Plan, **changes) -> pd.DataFrame:
    """Enter everything that a plan sends into the ledger as confirmed, and return the ledger's entries."""
    notes = plan.to_send[["_key", "_hash", "_payload", "_action", "_device"]].itertuples(index=False)
    values = {"verdict": "inserted", "message": "", "attempts": 0, "import_set": "s", "run_id": "r1"} | changes
    times = {"tried_at": "2024-01-01 00:00:00", "confirmed_at": "2024-01-01 00:00:00"}
    book.write(feed.name, [Entry(k, h, p, a != "remove", **values, **times, device=d) for k, h, p, a, d in notes])
    return book.read(feed.name)


def sent(plan: Plan) -> list[dict[str, str]]:
    """Return the records of a plan as a request carries them."""
    return to_records(plan.to_send, staging_columns(plan.to_send))


def changes(plan: Plan) -> list[tuple]:
    """Return what a plan says that it changes."""
    frame = plan.changes.astype(object).where(plan.changes.notna(), None)
    return list(frame[["action", "column", "before", "after"]].itertuples(index=False, name=None))


@pytest.fixture
def book(tmp_path):
    """An empty ledger."""
    return ledger(tmp_path)


def test_a_new_row_is_created(tmp_path, book):
    """What the ledger does not know is sent, without its empty cells."""
    plan = planned(tmp_path, book.read("computer"), COMPUTER, [device(user="")])
    assert plan.count("create") == 1
    assert "assigned_user" not in sent(plan)[0]
    assert None not in sent(plan)[0].values()


def test_an_unchanged_row_is_not_sent(tmp_path, book):
    """A row that ServiceNow confirmed is left alone as long as nothing that is sent changes."""
    first = planned(tmp_path, book.read("computer"), COMPUTER, [device(), device(2)])
    known = confirm(book, COMPUTER, first)
    again = planned(tmp_path, known, COMPUTER, [device(2, last_enrollment="2025-01-01 00:00:00+00:00"), device()])
    assert (len(again.to_send), again.unchanged, len(again.changes)) == (0, 2, 0)


def test_an_update_lists_exactly_the_fields_that_differ(tmp_path, book):
    """The changes of an update are the differing fields, with what ServiceNow holds and what it will hold."""
    known = confirm(book, COMPUTER, planned(tmp_path, book.read("computer"), COMPUTER, [device(user="")]))
    new = device(device_name="Renamed", os_version="")
    plan = planned(tmp_path, known, COMPUTER, [new])
    assert changes(plan) == [
        ("update", "assigned_user", None, "u1@example.com"),
        ("update", "device_name", "Mac 1", "Renamed"),
        ("update", "os_version", "14.4.1", None),
    ]


def test_an_update_carries_the_whole_row(tmp_path, book):
    """An update sends every field, because a staging row is transformed as a whole."""
    known = confirm(book, COMPUTER, planned(tmp_path, book.read("computer"), COMPUTER, [device()]))
    plan = planned(tmp_path, known, COMPUTER, [device(device_name="Renamed")])
    assert sent(plan)[0]["serial_number"] == "SER1"
    assert len(sent(plan)[0]) == 9


def test_a_value_that_vanished_is_cleared(tmp_path, book):
    """Where ServiceNow holds a value that Iru no longer has, it is told NULL, and only then."""
    known = confirm(book, COMPUTER, planned(tmp_path, book.read("computer"), COMPUTER, [device(os_version="")]))
    plan = planned(tmp_path, known, COMPUTER, [device(os_version="", user="")])
    assert sent(plan)[0]["assigned_user"] == "NULL"
    assert "os_version" not in sent(plan)[0]


def test_the_order_to_clear_is_not_remembered_as_a_value(tmp_path, book):
    """After a clearing is confirmed, the row is unchanged, and the next update does not clear again."""
    known = confirm(book, COMPUTER, planned(tmp_path, book.read("computer"), COMPUTER, [device()]))
    known = confirm(book, COMPUTER, planned(tmp_path, known, COMPUTER, [device(user="")]))
    assert planned(tmp_path, known, COMPUTER, [device(user="")]).unchanged == 1
    assert "assigned_user" not in sent(planned(tmp_path, known, COMPUTER, [device(user="", os_version="15")]))[0]


def test_a_column_that_is_kept_is_never_cleared(tmp_path, book):
    """With on_empty = "keep", a value that vanished from Iru stays in ServiceNow."""
    known = confirm(book, APPS, planned(tmp_path, book.read("apps"), APPS, [app(last_opened="2024-01-01")]))
    plan = planned(tmp_path, known, APPS, [app(version="2")])
    assert "last_opened" not in sent(plan)[0]
    assert ("update", "last_opened", "2024-01-01 00:00:00", None) in changes(plan)


def test_a_refused_row_is_sent_again_as_new(tmp_path, book):
    """A row that ServiceNow never confirmed is planned in every run, and clears nothing."""
    first = planned(tmp_path, book.read("computer"), COMPUTER, [device()])
    confirm(book, COMPUTER, first)
    book.write("computer", [Entry("ser1", None, None, True, "error", "no", 1, "s", "r1", "2024-01-01 00:00:00", None)])
    plan = planned(tmp_path, book.read("computer"), COMPUTER, [device(user="")])
    assert plan.count("create") == 1
    assert "NULL" not in sent(plan)[0].values()


def test_a_full_resend_sends_unchanged_rows(tmp_path, book):
    """full_resend sends every row, and says which of them did not change."""
    known = confirm(book, COMPUTER, planned(tmp_path, book.read("computer"), COMPUTER, [device(), device(2)]))
    plan = planned(tmp_path, known, COMPUTER, [device(), device(2, os_version="15")], full_resend=True)
    assert (plan.count("resend"), plan.count("update"), plan.unchanged) == (1, 1, 0)


def test_a_removed_app_is_sent_whole_once(tmp_path, book):
    """An app that Iru no longer lists is sent with its last values and active = false, and not a second time."""
    known = confirm(book, APPS, planned(tmp_path, book.read("apps"), APPS, [app(), app(2)]))
    gone = not_listed(tmp_path, book, [app(2)])
    plan = planned(tmp_path, known, APPS, [app(2)], removed_keys=gone)
    assert plan.count("remove") == len(plan.to_send) == 1
    assert plan.to_send["_row"].tolist() == [-1]
    assert sent(plan)[0] == cells(shaped(tmp_path, "apps", [app()]).rows) | {"active": "false"}
    assert changes(plan) == [("remove", "active", "true", "false")]
    known = confirm(book, APPS, plan)
    assert not_listed(tmp_path, book, [app(2)]) == []
    assert planned(tmp_path, known, APPS, [app(2)], removed_keys=gone).to_send.empty


def test_an_app_that_comes_back_is_active_again(tmp_path, book):
    """An app that is installed again after its removal is sent with active = true."""
    known = confirm(book, APPS, planned(tmp_path, book.read("apps"), APPS, [app()]))
    known = confirm(book, APPS, planned(tmp_path, known, APPS, [], removed_keys=known["key"].tolist()))
    plan = planned(tmp_path, known, APPS, [app()])
    assert changes(plan) == [("update", "active", "false", "true")]
    known = confirm(book, APPS, plan)
    assert not_listed(tmp_path, book, []) == known["key"].tolist()


def test_a_row_that_was_never_confirmed_is_not_removed(tmp_path, book):
    """What ServiceNow never took needs no removal."""
    book.write("apps", [Entry("k", None, None, True, "error", "no", 1, "s", "r1", "2024-01-01 00:00:00", None)])
    assert not_listed(tmp_path, book, []) == []


def test_rows_that_wait_are_held_with_their_reason(tmp_path, book):
    """Only rows that differ are asked about; those that wait are held and not sent."""
    known = confirm(book, APPS, planned(tmp_path, book.read("apps"), APPS, [app(1)]))
    asked: list[list[int]] = []

    def waiting(rows):
        asked.append(rows["_row"].tolist())
        return {1: "its computer is not there"}

    plan = planned(tmp_path, known, APPS, [app(1), app(2), app(3)], waits=Waits(partner=waiting))
    assert asked == [[1, 2]]
    assert plan.held.to_dict("records") == [{"row": 1, "reason": "its computer is not there"}]
    assert plan.to_send["_row"].tolist() == [2]
    assert plan.unchanged == 1


def test_a_row_in_flight_waits_even_where_it_is_as_before(tmp_path, book):
    """What an earlier run sent may still change a row in ServiceNow that looks unchanged from here."""
    known = confirm(book, COMPUTER, planned(tmp_path, book.read("computer"), COMPUTER, [device(), device(2)]))
    waits = Waits(in_flight={"ser1": "not transformed yet"})
    plan = planned(tmp_path, known, COMPUTER, [device(), device(2)], waits=waits)
    assert plan.held.to_dict("records") == [{"row": 0, "reason": "not transformed yet"}]
    assert (plan.unchanged, len(plan.to_send)) == (1, 0)


def test_a_removal_in_flight_is_not_sent_beside_it(tmp_path, book):
    """A row that is gone waits for its verdict too, and is in no count of listed rows."""
    known = confirm(book, APPS, planned(tmp_path, book.read("apps"), APPS, [app(1)]))
    key = known["key"][0]
    plan = planned(tmp_path, known, APPS, [], removed_keys=[key], waits=Waits(in_flight={key: "wait"}))
    assert (len(plan.to_send), len(plan.held)) == (0, 0)


def test_nothing_is_asked_about_an_unchanged_fleet(tmp_path, book):
    """Without a change, planning asks ServiceNow nothing."""
    known = confirm(book, APPS, planned(tmp_path, book.read("apps"), APPS, [app(1)]))
    plan = planned(tmp_path, known, APPS, [app(1)], waits=Waits(partner=lambda rows: pytest.fail("asked")))
    assert plan.unchanged == 1


def test_the_hash_of_a_row_stays_the_same_forever():
    """A literal value guards the hash: another one would send every row of every customer again."""
    assert row_hash({"serial_number": "SER1", "device_name": "Zoë"}) == "56840267ac8b99eafb76b30548d4b1fb"


@given(PAYLOADS, PAYLOADS)
def test_hashes_are_equal_only_for_equal_payloads(one, other):
    """Two rows have the same hash if and only if every field is the same."""
    assert (row_hash(one) == row_hash(other)) == (one == other)


@given(PAYLOADS, st.randoms())
def test_a_hash_does_not_depend_on_the_order_of_columns(payload, random):
    """Columns may be listed in another order in the mapping without sending anything."""
    shuffled = list(payload.items())
    random.shuffle(shuffled)
    assert row_hash(dict(shuffled)) == row_hash(payload)
    assert len(row_hash(payload)) == 32


def test_the_ledger_payload_is_what_was_sent_without_orders(tmp_path, book):
    """The payload that the ledger will keep hashes to the hash that it will keep."""
    plan = planned(tmp_path, book.read("computer"), COMPUTER, [device()])
    payload = json.loads(plan.to_send["_payload"][0])
    assert row_hash(payload) == plan.to_send["_hash"][0]
    assert payload == sent(plan)[0]
