"""The physical model: its figures are those worked out by hand, and the page that shows them cannot go stale."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.iru.quota import PAGE_ROWS as PIPELINE_PAGE_ROWS
from include.iru.quota import choose_method
from include.loading.spec import LoadSpec
from include.sizing.limits import (
    BODY_LIMIT_BYTES,
    REQUEST_LIMIT_S,
    chunk_rows_for,
    most_chunk_rows,
    slowest_pick_up_s,
)
from include.sizing.model import (
    FAST,
    PAGE_ROWS,
    ROW_BYTES,
    SLOW,
    Fleet,
    Server,
    fleet_load_s,
    load_bound_s,
    requests_by_export,
    requests_by_pages,
    requests_of_delta,
    requests_per_device,
    row_by_row_s,
    servicenow_requests,
    servicenow_writes,
)
from include.sizing.resources import (
    LONGEST_LOAD_S,
    TASK_REQUESTS,
    partitions_for,
    resources_for,
    servicenow_pool_for,
)
from include.sizing.sheet import DEVICES, extract_way, sheet
from include.sizing.show import as_markdown
from include.sizing.units import in_bytes, in_count, in_hours, in_time

ROOT = Path(__file__).parents[2]
THOUSAND, TEN_THOUSAND = Fleet(1_000), Fleet(10_000)
SERVERS = st.builds(
    Server,
    round_trip_s=st.floats(0.001, 1),
    fixed_s=st.floats(0.001, 1),
    row_s=st.floats(0.0001, 0.05),
    slots=st.integers(1, 32),
)
FLEETS = st.builds(Fleet, devices=st.integers(1, 2_000_000), apps_per_device=st.integers(1, 300))


def test_iru_requests_are_those_worked_out_by_hand():
    """Pages, export, delta and one request per device take what performance.md counts for 1,000 and 10,000 devices."""
    pages = requests_by_pages(TEN_THOUSAND)
    assert (pages.devices, pages.apps) == (34, 2_000)
    assert (requests_by_pages(THOUSAND).devices, requests_by_pages(THOUSAND).apps) == (4, 200)
    export = requests_by_export(TEN_THOUSAND)
    assert export.information + export.apps == 12
    assert (requests_of_delta(THOUSAND, 0.02).devices, requests_of_delta(THOUSAND, 0.02).apps) == (4, 4)
    assert (requests_of_delta(TEN_THOUSAND, 0.02).devices, requests_of_delta(TEN_THOUSAND, 0.02).apps) == (34, 40)
    assert [requests_per_device(fleet).total for fleet in (THOUSAND, TEN_THOUSAND)] == [1_004, 10_034]
    assert pages.quota_hours == pytest.approx(0.2068)


@pytest.mark.parametrize(
    ("rows", "row_s", "minutes"),
    [(61_000, 0.002, 33 / 60), (610_000, 0.002, 5.4), (61_000, 0.0108, 2.8), (610_000, 0.0108, 27.8)],
)
def test_the_bound_is_the_one_worked_out_by_hand(rows, row_s, minutes):
    """500 rows a request on four slots, 40 ms away, 20 ms a request: performance.md's times for both speeds."""
    assert load_bound_s(rows, Server(row_s=row_s), chunk_rows=500) / 60 == pytest.approx(minutes, rel=0.01)


def test_the_speed_up_over_single_rows_is_the_one_worked_out_by_hand():
    """117 times at 2 ms a row, 26 times at 10.8 ms: never one number without the other."""
    for server, times in ((FAST, 117), (SLOW, 26)):
        ratio = row_by_row_s(200_000, server) / load_bound_s(200_000, server, chunk_rows=500)
        assert ratio == pytest.approx(times, rel=0.02)


def test_the_slow_server_takes_what_was_published():
    """Four slots at 10.8 ms a row are 370 rows a second."""
    assert SLOW.slots / SLOW.row_s == pytest.approx(370, rel=0.01)


def test_import_sets_are_counted_over_all_feeds():
    """10,000 devices with 60 applications each are 20 + 20 + 1,200 requests of 500 rows; nothing changed is none."""
    assert servicenow_writes(TEN_THOUSAND, chunk_rows=500) == 1_240
    assert servicenow_writes(TEN_THOUSAND, chunk_rows=500, share=0) == 0
    assert fleet_load_s(TEN_THOUSAND, FAST, chunk_rows=500, share=0) == 0


def test_requests_to_servicenow_are_two_an_import_set_and_the_tokens():
    """1,240 import sets in 28 minutes are sent and asked about, with one token; an unchanged fleet costs none."""
    assert servicenow_requests(TEN_THOUSAND, SLOW, chunk_rows=500) == 2 * 1_240 + 1
    assert servicenow_requests(Fleet(100_000), SLOW, chunk_rows=500) == 2 * 12_400 + 10  # 4.7 h are ten tokens
    assert servicenow_requests(TEN_THOUSAND, SLOW, chunk_rows=500, share=0) == 0


def test_the_model_knows_the_limits_that_the_pipeline_works_with():
    """Iru's page, our rows a request and our requests at a time are the same numbers in both."""
    spec = LoadSpec(table="t", key_columns=("k",))
    assert PAGE_ROWS == PIPELINE_PAGE_ROWS
    assert (chunk_rows_for(THOUSAND, SLOW), TASK_REQUESTS) == (spec.chunk_rows, spec.concurrency)


@given(rows=st.integers(1, 10_000_000), server=SERVERS, chunk=st.integers(1, 5_000), connections=st.integers(1, 32))
def test_no_load_is_faster_than_the_server_alone(rows, server, chunk, connections):
    """However many connections there are, the rows themselves take their time on the slots that work on them."""
    bound = load_bound_s(rows, server, chunk_rows=chunk, connections=connections)
    assert bound >= rows * server.row_s / min(connections, server.slots) * (1 - 1e-9)
    assert bound >= server.round_trip_s + server.fixed_s


@given(fleet=FLEETS, server=SERVERS)
def test_recommended_requests_stay_within_the_documented_limits(fleet, server):
    """A request is answered within ServiceNow's minute, fits its body limit and is a small import set."""
    chunk = chunk_rows_for(fleet, server)
    assert 1 <= chunk <= most_chunk_rows(server)
    assert server.request_s(chunk) <= REQUEST_LIMIT_S
    assert chunk * ROW_BYTES <= BODY_LIMIT_BYTES
    assert chunk < 100_000


@given(fleet=FLEETS)
def test_a_partition_is_loaded_in_time(fleet):
    """The first load is divided so that each task ends in time, and not into more parts than that takes."""
    parts = partitions_for(fleet, SLOW)
    seconds = load_bound_s(fleet.app_rows, SLOW, chunk_rows=chunk_rows_for(fleet, SLOW))
    assert seconds / parts <= LONGEST_LOAD_S
    assert parts == 1 or seconds / (parts - 1) > LONGEST_LOAD_S


def test_the_pools_grow_with_the_slots_of_the_server():
    """The pool of loads holds as many tasks as fill the server, and one more for devices."""
    assert [servicenow_pool_for(Server(slots=slots)) for slots in (1, 4, 5, 16)] == [2, 2, 3, 5]
    assert resources_for(Fleet(1_000_000), Server(slots=16)).workers > resources_for(Fleet(1_000_000), SLOW).workers


def test_big_fleets_are_read_by_export():
    """The table says what the pipeline chooses: pages up to a fiftieth of Iru's hourly quota."""
    for devices in (1, 900, 1_100, 10_000, 1_000_000):
        assert extract_way(Fleet(devices)) == choose_method({"apps": Fleet(devices).app_rows}, None)


def test_the_pick_up_at_worst_counts_two_import_sets_a_node_and_minute():
    """120,000 import sets on one node would wait for 41 days if each poll took a single one; on four nodes for ten."""
    assert slowest_pick_up_s(120_000) / 86_400 == pytest.approx(41.7, rel=0.01)
    assert slowest_pick_up_s(120_000, nodes=4) == slowest_pick_up_s(120_000) / 4


def test_figures_are_written_as_people_read_them():
    """Two or three digits and a unit."""
    assert [in_time(s) for s in (0.84, 33, 95, 3_960, 40_000, 400_000)] == [
        "0.8 s", "33 s", "1.6 min", "66 min", "11 h", "4.6 days"
    ]  # fmt: skip
    assert [in_bytes(size) for size in (500, 48 * 1024**2, 1.5 * 1024**4)] == ["500 B", "48 MiB", "1.5 TiB"]
    assert [in_hours(hours) for hours in (0.2068, 0.0001, 20.67)] == ["0.207", "0", "20.7"]
    assert in_count(1_234_567) == "1,234,567"


def test_the_page_holds_what_the_model_computes():
    """deploy/SIZING.md shows the table of today's model; `python -m include.sizing --markdown` writes it anew."""
    parts = sheet([Fleet(devices) for devices in DEVICES])
    table = as_markdown(parts, [f"{devices:,}" for devices in DEVICES])
    assert table.count("\n") > 30
    assert table in (ROOT / "deploy" / "SIZING.md").read_text(encoding="utf-8")


def test_the_command_prints_the_fleet_that_was_asked_for():
    """Who gives sizes gets columns for these, with the rows that they have."""
    asked = [sys.executable, "-m", "include.sizing", "--devices", "25000", "--apps", "80", "--markdown"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.startswith("| devices | 25,000 |")
    assert "| applications | 2,000,000 |" in told


@pytest.mark.parametrize("given", [["--devices", "0"], ["--row", "0"], ["--slots", "-1"], ["--apps", "many"]])
def test_the_command_refuses_what_makes_no_sense(given):
    """A wrong figure is named, instead of being computed with."""
    asked = [sys.executable, "-m", "include.sizing", *given]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert given[0] in told.stderr
