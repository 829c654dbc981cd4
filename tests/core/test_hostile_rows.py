"""Whatever Iru sends: every row has one end, sound rows go on unchanged, and what goes on can be sent and stored."""

import json
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pandas as pd
import pytest
from factories import MAPPING, Record, Shaped, app, cells, device, ledger, prism_device, reasons, shaped
from hostile import MEGABYTE, ODD_TEXT, ODD_VALUES, sources
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from instance import settings as account

from include.inventory.lengths import fit
from include.inventory.plan import Plan, make_plan
from include.loading.chunks import iter_chunks, staging_columns
from include.loading.records import to_records
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow.client import ServiceNowClient
from include.servicenow.dictionary import read_staging_columns
from include.servicenow.import_sets import encode, insert_multiple, read_import_rows

FEEDS = sorted(MAPPING.feeds)
FILES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def nothing_known(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What an empty ledger says."""
    return ledger(tmp_path_factory.mktemp("empty")).read("computer")


def bodies(plan: Plan) -> list[Record]:
    """Encode a plan as the load does and return the records that a server reads."""
    records = to_records(plan.to_send, staging_columns(plan.to_send))
    chunks = iter_chunks(records, range(len(records)), chunk_rows=2)
    return [record for chunk in chunks for record in json.loads(encode({"records": list(chunk.records)}))["records"]]


def ends(result: Shaped) -> list[int]:
    """Return every row's position once for each end that it has."""
    return sorted([*result.rows["_row"], *result.rejects["row"].unique(), *result.filtered["row"]])


@pytest.mark.parametrize("feed", FEEDS)
@FILES
@given(data=st.data())
def test_hostile_rows_have_one_end_each_and_sound_rows_go_on(tmp_path, nothing_known, feed, data):
    """Nothing is raised, each row has one end, rows beside hostile ones are unchanged, and what passed can be sent."""
    rows, prism, sound = data.draw(sources(MAPPING.feeds[feed].source))
    result = shaped(tmp_path, feed, rows, prism=prism)
    assert ends(result) == list(range(len(rows)))
    positions = result.rows["_row"].tolist()
    assert set(sound) <= set(positions)
    alone = shaped(tmp_path, feed, [rows[row] for row in sound])
    passed = [cells(result.rows, row) for row in range(len(positions))]
    assert [passed[positions.index(row)] for row in sound] == [cells(alone.rows, row) for row in range(len(sound))]
    assert bodies(make_plan(MAPPING.feeds[feed], result.rows, nothing_known)) == passed
    assert all(value and value != "NULL" and len(value) <= 65_535 for record in passed for value in record.values())


@pytest.mark.parametrize("feed", FEEDS)
def test_every_odd_value_in_every_field_has_one_end(tmp_path, feed):
    """Each odd value of the list in each field of a record: one end each, and the sound row goes on."""
    make, prism = (app, []) if feed == "apps" else (device, [prism_device(n) for n in range(2000)])
    odd = [*ODD_TEXT, *ODD_VALUES]
    for field in make():
        rows = [make(n, **({"on": n} if feed == "apps" else {})) | {field: value} for n, value in enumerate(odd)]
        result = shaped(tmp_path, feed, [make(5000), *rows], prism=prism)
        assert ends(result) == list(range(len(rows) + 1)), field
        assert 0 in set(result.rows["_row"]), field


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\x07", "\x1b[31m", "\x1f", "\ufffe", "a\uffff"], ids=ascii)
def test_control_characters_reject_the_row_with_that_reason(tmp_path, value):
    """What XML cannot spell, a database or an export of ServiceNow may not hold: the row says so and stays behind."""
    result = shaped(tmp_path, "computer", [device(device_name=value), device(2)])
    assert reasons(result) == {0: "device_name is text with control characters, which no cell can hold"}


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "a\r\nb", "\u202ea", "\x7f", "שלום", "👩\u200d💻"], ids=ascii)
def test_text_that_merely_looks_odd_goes_through_unchanged(tmp_path, value):
    """Tabs, line breaks, right-to-left text and emoji are text."""
    assert cells(shaped(tmp_path, "computer", [device(device_name=value)]).rows)["device_name"] == value


def test_a_megabyte_in_a_cell_is_rejected_by_its_length_alone(tmp_path):
    """A value beyond what any column holds rejects its row; the reason tells its length and nothing of its content."""
    result = shaped(tmp_path, "computer", [device(device_name=MEGABYTE), device(2)])
    assert reasons(result) == {0: "device_name is text of 1000000 characters, which no cell can hold"}
    longest = cells(shaped(tmp_path, "computer", [device(device_name=MEGABYTE[:65_535])]).rows)["device_name"]
    assert len(longest) == 65_535


@pytest.mark.parametrize("value", ["\x00", "\ud800", MEGABYTE], ids=lambda value: ascii(value[:1]))
def test_an_app_with_unsendable_text_in_its_key_is_still_listed(tmp_path, value):
    """Such a row is rejected, but its key is known: it neither stops removals nor passes for a removed app."""
    result = shaped(tmp_path, "apps", [app(path=value), app(bundle_id=value), app(bundle_id=value + value), app()])
    assert result.unkeyed == 0
    assert result.seen["_key"].nunique() == 4
    assert result.rows["_row"].tolist() == [3]


def test_no_reason_repeats_the_content_of_a_text_cell(tmp_path):
    """Reasons are counted, reported and logged, so they say what is wrong with a cell and not what it holds."""
    secret = "jane.doe@acme.example"
    rows = [device(n, **{name: [secret]}) for n, name in enumerate(device())]
    rows += [device(100, platform=secret + "\x00"), device(101, device_name=secret * 9000)]
    for feed in ("computer", "mdm"):
        result = shaped(tmp_path, feed, rows, device_families=["Mac", "iPad"])
        assert secret not in " ".join([*result.rejects["reason"], *result.filtered["reason"]])


@pytest.fixture(scope="module")
def instance() -> Iterator[ServiceNowClient]:
    """A ServiceNow instance that transforms at once."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=1), switches={"servicenow.transform_pickup_delay_s": 0.0})) as box:
        known = {name: getattr(box.servicenow, name) for name in ("client_id", "client_secret", "username", "password")}
        yield ServiceNowClient(account(box.servicenow.url, **known))


@pytest.mark.parametrize("feed", FEEDS)
def test_servicenow_stores_what_was_sent(tmp_path, nothing_known, feed, instance):
    """Every odd text that passed and fits its column stands in the staging row as it was sent, to the character."""
    of = MAPPING.feeds[feed]
    make = app if feed == "apps" else device
    rows = [make() | {name: value} for value in ODD_TEXT for name in ("device_name", "os_version", "name", "version")]
    rows = [row | {"device_id": f"d{n}", "serial_number": f"SER{n}"} for n, row in enumerate(rows)]
    result = shaped(tmp_path, feed, rows)
    columns = read_staging_columns(instance, of.staging_table)
    fitted = fit(of, make_plan(of, result.rows, nothing_known).to_send, columns)
    assert columns
    assert len(fitted.to_send) > 100
    records = to_records(fitted.to_send, of.column_names)
    labels = {name: columns[name].label for name in of.column_names}
    labelled = [{labels[name]: value for name, value in record.items()} for record in records]
    sent = insert_multiple(instance, of.staging_table, labelled, recall=lambda lost: None)
    stored = read_import_rows(instance, of.staging_table, sent.sys_id, columns=of.column_names)
    ordered = sorted(stored, key=lambda row: int(row["sys_import_row"]))
    assert [{k: row[k] for k in of.column_names if row[k]} for row in ordered] == records


def calls(action: Callable[[], Any]) -> int:
    """Count the function calls of an action, Python's and C's: its cost, whatever the machine."""
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("feed", FEEDS)
def test_rows_that_share_one_key_cost_no_more_each_when_they_are_many(tmp_path, feed):
    """Thousands of different rows with one key take linear work: for eight times the rows no twelve times the calls."""

    def rows(count: int) -> list[Record]:
        if feed == "apps":
            return [app(version=str(n)) for n in range(count)]
        changes = {"device_id": "d", "blueprint_id": "b"} if feed == "mdm" else {"serial_number": "SAME"}
        return [device(n, **changes) for n in range(count)]

    few, many = rows(250), rows(2000)
    shaped(tmp_path, feed, few)  # imports and caches are paid for
    cost = calls(lambda: shaped(tmp_path, feed, few))
    result: list[Shaped] = []
    assert calls(lambda: result.append(shaped(tmp_path, feed, many))) < 12 * cost
    assert len(result[0].rows) == 1
    assert result[0].rejected + len(result[0].filtered) == 1999
