"""What did not arrive is listed for people, row by row, in a table that is safe to open."""

import csv
import re
from contextlib import suppress
from io import StringIO

import pytest
from factories import app, device, params
from hypothesis import example, given
from hypothesis import strategies as st
from scripted import Asked, Reply
from test_flow import Flow, Taker, Tenant

from include.errors import RunUnsafe
from include.inventory import problems
from include.inventory.conclude import conclude
from include.inventory.problems import safe_cell, write_problems
from include.inventory.run import Run
from include.inventory.settings import MAX_ATTEMPTS

COMPUTERS = ["computer"]
FORMULA = re.compile(r"[\s\"'\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def listed(flow: Flow) -> list[dict[str, str]]:
    """Read the last run's table as a spreadsheet does."""
    raw = flow.last.problems.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(StringIO(raw.decode("utf-8-sig"))))


class Refusing(Taker):
    """Gives refused rows a comment, as ServiceNow does."""

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        reply = super().__call__(asked)
        rows = reply.body.get("result") if isinstance(reply.body, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if row.get("sys_import_state") == "error":
                row["sys_import_state_comment"] = "=HYPERLINK(1): assigned_to=jane@acme.example"
        return reply


def test_every_row_that_did_not_arrive_is_listed_with_its_reason(start_flow):
    """Rejected, too long and refused rows have one line each, with what identifies them; others have none."""
    rows = [
        device(1),
        device(2, serial_number="", platform="Newton"),
        device(3),
        device(4, os_version="14.4.1.1.1.1"),
        device(5, platform="Windows"),
    ]
    taker = Refusing(lengths={"os_version": 10}, states={"SER3": "error"})
    flow = start_flow(Tenant(devices=rows), taker)
    flow.run("devices", feeds=COMPUTERS)
    found = {(line["verdict"], line["serial_number"], line["device_id"]): line for line in listed(flow)}
    assert set(found) == {("rejected", "", "d2"), ("rejected", "SER4", ""), ("error", "SER3", "")}
    rejected = found["rejected", "", "d2"]
    assert rejected["column"] == "os_type, serial_number"
    assert "serial_number is empty" in rejected["message"]
    long = found["rejected", "SER4", ""]
    assert (long["key"], long["column"]) == ("ser4", "os_version")
    assert long["message"] == "os_version is 12 characters long, its staging column holds 10"
    assert found["error", "SER3", ""]["message"] == "'=HYPERLINK(1): assigned_to=jane@acme.example"


def test_a_run_without_problems_leaves_the_heading_alone(start_flow):
    """Nothing wrong, nothing listed; the file is there, so nobody wonders."""
    flow = start_flow(Tenant(devices=[device(1)]), Taker())
    flow.run("devices", feeds=COMPUTERS)
    assert listed(flow) == []


def test_rows_that_wait_are_listed_as_held(start_flow):
    """An app whose computer is missing is found by its serial number and its key."""
    flow = start_flow(Tenant(apps=[app(1)]), Taker())
    flow.run("apps")
    (line,) = listed(flow)
    assert (line["feed"], line["verdict"], line["serial_number"]) == ("apps", "held", "SER1")
    assert len(line["key"]) == 32
    assert "its computer is not in ServiceNow yet" in line["message"]


def test_a_plan_lists_no_row_for_not_being_sent(start_flow):
    """In plan mode nothing is sent on purpose; only rows that could not be sent are problems."""
    flow = start_flow(Tenant(devices=[device(1), device(2, serial_number="")]), Taker())
    flow.run("devices", feeds=COMPUTERS, mode="plan")
    assert [line["verdict"] for line in listed(flow)] == ["rejected"]


def test_rows_without_a_verdict_are_listed_as_not_sent(start_flow):
    """A load that never came is seen row by row."""
    flow = start_flow(Tenant(devices=[device(1), device(2)]), Taker())
    flow.finish(flow.prepare("devices", feeds=COMPUTERS), load=False)
    assert [(line["verdict"], line["serial_number"]) for line in listed(flow)] == [
        ("not sent", "SER1"),
        ("not sent", "SER2"),
    ]


def test_a_run_that_a_guard_stops_lists_what_is_wrong_with_rows_and_not_every_row(start_flow):
    """Where nothing is sent at all, the report says so; the table names the rows that have a reason of their own."""
    devices = [device(n, serial_number="") for n in range(1, 81)] + [device(81), device(82)]
    flow = start_flow(Tenant(devices=devices), Taker())
    with suppress(RunUnsafe):
        flow.prepare("devices", feeds=COMPUTERS)
    run = Run("devices", params(("computer",)), flow.mapping, flow.last)
    conclude(run, flow.ledger, dag_id="d", run_id="r", loads={})
    assert [line["verdict"] for line in listed(flow)] == ["rejected"] * 80


def test_a_run_that_ended_before_its_rows_were_known_has_an_empty_table(start_flow):
    """A stage that never ran is no reason to fail once more while the run is concluded."""
    flow = start_flow(Tenant(), Taker())
    run = Run("devices", params(("computer",)), flow.mapping, flow.last)
    assert write_problems(run) == 0
    assert listed(flow) == []


def test_a_parked_row_shows_servicenows_last_words(start_flow):
    """Whoever has to mend a parked row reads why it was refused."""
    flow = start_flow(Tenant(devices=[device(1), device(2), device(3)]), Refusing(states={"SER3": "error"}))
    for _ in range(MAX_ATTEMPTS + 1):
        flow.run("devices", feeds=COMPUTERS)
    (line,) = listed(flow)
    assert line["verdict"] == "held"
    assert line["message"].startswith(f"parked after {MAX_ATTEMPTS} refusals: =HYPERLINK(1)")


def test_the_table_is_bounded_and_says_what_it_leaves_out(start_flow, monkeypatch):
    """A run that goes wrong for a million rows does not write a table that nobody can open."""
    monkeypatch.setattr(problems, "MAX_LINES", 3)
    flow = start_flow(Tenant(devices=[device(n, serial_number="") for n in range(1, 11)]), Taker())
    run = flow.prepare("devices", feeds=COMPUTERS, lift_guards=["many_rejects"])
    assert write_problems(run) == 10
    lines = listed(flow)
    assert len(lines) == 4
    assert lines[-1]["feed"] == "… and 7 more rows; see the Parquet files of the run"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "' x"),
        ("\rx", "' x"),
        ("  =1", "'  =1"),
        ("\"' =1", "'\"' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1", "a;'=1"),
        ("a; '=1", "a;' '=1"),
        ("a\n=1", "a =1"),
        ("a=1", "a=1"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
        ("", ""),
        ("jane@acme.example", "jane@acme.example"),
    ],
)
def test_no_cell_is_a_formula(cell, shown):
    """What a spreadsheet would compute is made text with an apostrophe; everything else is shown as it is."""
    assert safe_cell(cell) == shown


@given(cells=st.lists(st.text(st.characters(codec=None)) | st.text("=+-@\t\r\n ;,'\"a"), min_size=1, max_size=3))
@example(cells=[";=1", '";=1'])
@example(cells=[" ", "=1"])
def test_whatever_a_cell_holds_no_locale_makes_a_formula_of_it(cells):
    """Whether a spreadsheet separates by comma, semicolon or tab: no cell begins as a formula."""
    line = problems._line([safe_cell(cell) for cell in cells])
    assert line.encode()
    for delimiter in ",;\t":
        for row in csv.reader(StringIO(line, newline=""), delimiter=delimiter):
            assert [cell for cell in row if FORMULA.match(cell) and not cell.startswith("'")] == []
