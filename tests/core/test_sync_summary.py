"""A settled run is noted for the sync page: its numbers, what waits, both sides, the fleet and its titles."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from between import between
from factories import MAPPING, PAIR, app, device, ledger
from scripted import Asked, Reply
from test_flow import Flow, Taker, Tenant

from include.inventory import not_sent
from include.inventory.fleet_titles import note_titles
from include.inventory.retention import Retention
from include.inventory.run import Rules, Run
from include.inventory.summary import note_run, prune
from include.inventory.sync_tables import COUNTS_SEEN, DAYS, FACTS, FEEDS, HISTORY, ORDERS, RUNS, TITLES, WAITING
from include.inventory.usage import note_usage

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
COMPUTERS = {"feeds": ["computer"]}


class Page:
    """A flow whose runs are noted, as the settle task does."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.now = flow, NOW
        self.book = flow.ledger
        self.report: Any = None

    def run(self, source: str, *, seen_s: tuple[float, ...] = (), **options: Any) -> Run:
        """Run a flow to its end and note it."""
        run = self.flow.prepare(source, **options)
        return self.end(run, seen_s=seen_s)

    def end(self, run: Run, *, seen_s: tuple[float, ...] = ()) -> Run:
        """Load, settle and note a run."""
        urls = (self.flow.pair.source, self.flow.pair.target)
        run.note(dag_id="d", run_id=f"r{self.flow.runs}", pair=urls)
        sends = run.params.mode == "load" and any(run.rows_to_send(feed.name) for feed in run.feeds)
        loads = {feed.name: {"rows": run.rows_to_send(feed.name)} for feed in run.feeds} if sends else {}
        self.report = self.flow.finish(run)
        note_usage(run, self.flow.servicenow, loads)
        self.note(run, seen_s=seen_s)
        return run

    def note(self, run: Run, *, seen_s: tuple[float, ...] = ()) -> None:
        """Note the last run, once more perhaps."""
        loads = {feed.name: {"ended_s": time.time()} for feed in run.feeds}
        note_run(self.book, run, self.report, loads=loads, seen_s=seen_s, now=self.now)

    def all(self, table: sa.Table, *names: str) -> list[Any]:
        """Return a table's rows, as mappings or some columns of them."""
        with self.book.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        return sorted(tuple(row[name] for name in names) for row in rows) if names else rows


class Counting(Taker):
    """A scripted ServiceNow whose records can be counted."""

    count: Any = 7

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if "/stats/" in asked.path:
            if self.count is None:
                return Reply({"error": {"message": "no"}}, 403)
            return Reply({"result": {"stats": {"count": str(self.count)}}})
        return super().__call__(asked)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Page, Tenant, Counting]]:
    """Give a flow of two computers, of which ServiceNow refuses the second."""
    tenant = Tenant(devices=[device(1), device(2)], apps=[app(1), app(2), app(1, on=2)])
    taker = Counting(states={"SER2": "error"})
    with between(tmp_path, tenant, taker) as flow:
        flow.rules = Rules(limits=flow.rules.limits, max_attempts=2)
        yield Page(flow), tenant, taker


# --- runs and days ---------------------------------------------------------------------------------------------------


def test_a_run_is_noted_with_what_it_cost_and_what_became_of_it(two):
    """The page shows of each run its verdicts, rows, requests, quota and import sets."""
    page, _, _ = two
    run = page.run("devices", seen_s=(NOW.timestamp() - 60, NOW.timestamp() - 120, NOW.timestamp() - 30), **COMPUTERS)
    (row,) = page.all(RUNS)
    told = [row[name] for name in ("dag_id", "run_id", "flow", "mode", "is_whole", "failed", "rows_sent")]
    assert told == ["d", "r1", "devices", "load", True, "", 2]
    assert (row["requests_iru"], row["requests_servicenow"]) == tuple(page.report.requests.values())
    assert (row["latency_n"], row["latency_p50_s"], row["latency_p95_s"]) == (3, 60.0, 114.0)
    assert (row["ended_at"], row["folder"]) == ("2026-11-27 12:00:00", str(run.folder.root))
    assert row["servicenow_limit"] is row["servicenow_used"] is None
    assert 0 < row["load_s"] < 60
    (feed,) = page.all(FEEDS)
    assert (feed["extracted"], feed["inserted"], feed["error"]) == (2, 1, 1)
    assert json.loads(feed["import_sets"]) == ["set0"]
    assert page.all(DAYS, "feed", "day", "runs", "failed", "inserted") == [("computer", "2026-11-27", 1, 0, 1)]


def test_noting_a_run_again_changes_nothing(two):
    """The settle task may run again, by when the watcher has forgotten what the run confirmed."""
    page, _, _ = two
    run = page.run("devices", seen_s=(NOW.timestamp() - 60,), **COMPUTERS)
    before = [page.all(table) for table in (FEEDS, DAYS, WAITING, COUNTS_SEEN, FACTS)]
    note_run(page.book, run, page.report, loads={}, now=page.now)
    assert [page.all(table) for table in (FEEDS, DAYS, WAITING, COUNTS_SEEN, FACTS)] == before
    assert page.all(RUNS)[0]["load_s"] > 0
    assert page.all(RUNS, "run_id", "latency_n", "latency_p50_s") == [("r1", 1, 60.0)]


def test_a_run_that_is_settled_after_midnight_moves_to_the_next_day(two):
    """Both days are counted anew, so that no run counts twice."""
    page, _, _ = two
    run = page.run("devices", **COMPUTERS)
    page.now = NOW + timedelta(days=1)
    page.note(run)
    assert page.all(DAYS, "day", "runs") == [("2026-11-28", 1)]


def test_a_days_runs_add_up_and_plans_are_none_of_them(two):
    """What was only planned has sent nothing, and a run that failed is told apart."""
    page, _, _ = two
    page.run("devices", **COMPUTERS)
    page.run("devices", mode="plan", **COMPUTERS)
    page.run("devices", **COMPUTERS)
    assert page.all(RUNS, "run_id", "mode") == [("r1", "load"), ("r2", "plan"), ("r3", "load")]
    assert page.all(DAYS, "runs", "failed", "extracted", "unchanged", "error") == [(2, 0, 4, 1, 2)]
    run = page.flow.prepare("devices", **COMPUTERS, full_resend=True)
    run.note(dag_id="d", run_id="r4", pair=(PAIR.source, PAIR.target))
    page.report = page.flow.finish(run, load=False)
    page.note(run)
    assert page.all(DAYS, "runs", "failed") == [(3, 1)]


def test_a_rate_limit_rule_that_speaks_is_noted(two, monkeypatch):
    """How much of ServiceNow's hour a run used is known only where a rule counts its requests."""
    page, _, _ = two
    answer = Taker.__call__

    def ruled(self: Taker, asked: Asked) -> Reply:
        reply = answer(self, asked)
        return reply if "oauth" in asked.path else replace(reply, headers={**reply.headers, "X-RateLimit-Limit": "500"})

    monkeypatch.setattr(Taker, "__call__", ruled)
    page.run("devices", **COMPUTERS)
    (row,) = page.all(RUNS)
    planned = page.flow.last.told_by("plan")
    assert planned["rule_limit"] == {"servicenow": 500}
    assert row["servicenow_limit"] == 500
    assert 0 < planned["ruled"]["servicenow"] <= row["servicenow_used"] < row["requests_servicenow"] + 1


def test_a_failure_to_note_is_a_warning_and_hides_nothing_else(two, caplog):
    """A page that is not told something fails no run; the message holds no content of the row."""
    page, _, _ = two
    with page.book.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE sync_days")
    page.run("devices", **COMPUTERS)
    assert "The sync page is not told of the run" in caplog.text
    assert "SER1" not in caplog.text
    assert page.all(RUNS) == []
    assert page.all(FACTS)


def test_a_run_that_another_took_over_says_nothing_of_how_things_are(two):
    """The later run knows better what waits and what there is; the earlier one is in the list of runs all the same."""
    page, tenant, _ = two
    tenant.devices.append(device(3, serial_number=""))
    run = page.run("devices", **COMPUTERS)
    tenant.devices.pop()
    page.now += timedelta(hours=1)
    page.run("devices", **COMPUTERS)
    state = [page.all(table) for table in (WAITING, COUNTS_SEEN, FACTS)]
    note_run(page.book, run, replace(page.report, run_id="r1", failed="lost"), loads={}, is_newest=False, now=page.now)
    assert [page.all(table) for table in (WAITING, COUNTS_SEEN, FACTS)] == state
    assert page.all(RUNS, "run_id", "failed") == [("r1", "lost"), ("r2", "")]


# --- what waits ------------------------------------------------------------------------------------------------------


def test_rows_that_were_not_sent_wait_with_their_reason(two):
    """Rejected and held rows are there as far as they have a shape; a refused one is the ledger's."""
    page, tenant, taker = two
    tenant.devices.append(device(3, serial_number=""))
    page.run("devices")
    found = page.all(WAITING, "feed", "row_id", "verdict", "device", "columns", "run_id")
    assert [row for row in found if row[0] == "computer"] == [
        ("computer", "row:2", "rejected", "d3", "serial_number", "r1")
    ]
    taker.computers = set()
    page.run("apps")
    held = [row for row in page.all(WAITING) if row["feed"] == "apps"]
    assert {(row["verdict"], row["serial_number"], row["device"]) for row in held} == {("held", "SER2", "d2")}
    assert json.loads(held[0]["payload"])["name"] == "App 1"
    assert held[0]["row_id"] == page.flow.last.rows("apps").read().set_index("_row").loc[2, "_key"]


def test_a_row_that_still_says_the_same_keeps_its_time(two):
    """How long a row has waited is known, with a key or without, wherever in the source it is."""
    page, tenant, _ = two
    tenant.devices.append(device(3, serial_number=""))
    page.run("devices", **COMPUTERS)
    page.now += timedelta(hours=1)
    tenant.devices.insert(0, device(4))
    page.run("devices", **COMPUTERS)
    assert page.all(WAITING, "row_id", "since", "run_id") == [("row:3", "2026-11-27 12:00:00", "r2")]
    tenant.devices[-1] = device(3, serial_number="SER3", platform="Toaster")
    page.run("devices", **COMPUTERS)
    assert page.all(WAITING, "columns", "since") == [("os_type", "2026-11-27 13:00:00")]
    tenant.devices.pop()
    page.run("devices", **COMPUTERS)
    assert page.all(WAITING) == []


def test_a_run_of_some_devices_replaces_these_devices_rows_only(two):
    """What it did not look at waits on."""
    page, tenant, _ = two
    tenant.devices += [device(3, platform="Toaster"), device(4, platform="Toaster")]
    page.run("devices", **COMPUTERS)
    tenant.devices[2:] = [device(3), device(4)]
    page.run("devices", serials=["SER3"], **COMPUTERS)
    assert page.all(WAITING, "device", "run_id") == [("d4", "r1")]


def test_parked_rows_are_not_among_those_that_wait(two):
    """They are in the ledger, with what was sent; shown twice they would count twice."""
    page, _, _ = two
    for _ in range(3):
        page.run("devices", **COMPUTERS)
    assert page.flow.last.told_by("plan-computer")["parked"] == 1
    assert page.all(WAITING) == []


def test_what_is_too_much_to_show_is_counted(two, monkeypatch):
    """A fleet that is rejected as a whole does not fill the ledger."""
    page, tenant, _ = two
    monkeypatch.setattr(not_sent, "MOST_ROWS", 2)
    tenant.devices = [device(number, platform="Toaster") for number in range(5)]
    page.run("devices", **COMPUTERS, lift_guards=["many_rejects"])
    assert len(page.all(WAITING)) == 2
    assert page.all(FEEDS, "rejected", "waiting_left_out") == [(5, 3)]


# --- both sides ------------------------------------------------------------------------------------------------------


def test_both_sides_are_counted_after_a_whole_run_that_sent_something(two):
    """One question a feed; an unchanged fleet, or a part of it, asks ServiceNow nothing."""
    page, tenant, taker = two
    tenant.devices.append(device(3, platform="Windows"))
    taker.states = {}
    page.run("devices", **COMPUTERS)
    told = [("iru", 2, "load"), ("servicenow", 7, "load")]
    assert page.all(COUNTS_SEEN, "side", "rows", "told_by") == told
    asked = [each for each in page.flow.asked if "/stats/" in each.path]
    assert [(each.path, each.query["sysparm_query"]) for each in asked] == [
        ("/api/now/stats/cmdb_ci_computer", "discovery_source=Kandji")
    ]
    before, taker.count = len(page.flow.asked), 9
    page.run("devices", **COMPUTERS)
    assert len(page.flow.asked) == before
    tenant.devices[0] = device(1, os_version="15")
    page.run("devices", serials=["SER1"], **COMPUTERS)
    assert page.all(COUNTS_SEEN, "side", "rows", "told_by") == told


def test_apps_are_counted_as_active_installs(two):
    """Removed installs stay in ServiceNow; they are none of those that are compared."""
    page, _, taker = two
    taker.computers = {"SER1", "SER2"}
    page.run("apps")
    query = "discovery_source=Kandji^active=true"
    assert any(each.query["sysparm_query"] == query for each in page.flow.asked if "cmdb_sam_sw" in each.path)
    assert page.all(COUNTS_SEEN, "feed", "side", "rows") == [("apps", "iru", 3), ("apps", "servicenow", 7)]


def test_what_servicenow_does_not_let_us_count_is_left_out(two, caplog):
    """The account may lack the right: there is no row, a line in the log, and the run is as good as before."""
    page, _, taker = two
    taker.count = None
    page.run("devices", **COMPUTERS)
    assert page.all(COUNTS_SEEN, "side") == [("iru",)]
    assert "what ServiceNow holds cannot be counted" in caplog.text


# --- the fleet -------------------------------------------------------------------------------------------------------


def test_the_fleet_is_counted_from_what_servicenow_confirmed(two):
    """System, version, model and capacity of the devices that are there, and not of those that were refused."""
    page, _, taker = two
    page.run("devices", **COMPUTERS)
    assert page.all(FACTS, "fact", "value", "devices") == [
        ("capacity", "256 GB", 1),
        ("model", "MacBook Air", 1),
        ("os_type", "macOS", 1),
        ("os_version", "macOS 14.4.1", 1),
    ]
    taker.states = {}
    page.run("devices", **COMPUTERS)
    assert ("os_type", "macOS", 2) in page.all(FACTS, "fact", "value", "devices")


def test_an_unchanged_fleet_is_counted_once_a_day(two):
    """Runs that change nothing, one a minute perhaps, cost no reading of the ledger."""
    page, _, taker = two
    taker.states = {}
    page.run("devices", **COMPUTERS)
    for hours, as_of in ((23, "2026-11-27 12:00:00"), (25, "2026-11-28 13:00:00")):
        page.now = NOW + timedelta(hours=hours)
        page.run("devices", **COMPUTERS)
        assert {row[0] for row in page.all(FACTS, "as_of")} == {as_of}


def test_titles_are_counted_whatever_their_case(two):
    """One title is one name and publisher: installs, devices, versions and how long it was not opened."""
    page, tenant, taker = two
    taker.computers = {"SER1", "SER2"}
    tenant.apps = [
        app(1, name="Numbers", last_opened="2026-11-26T10:00:00Z"),
        app(2, name="numbers", developer_name="EXAMPLE Inc.", last_opened="2026-08-01T10:00:00Z", version="2.0"),
        app(3, name="NUMBERS", on=2, last_opened="2026-01-01T10:00:00Z", version="2.0"),
        app(4, name="Numbers", on=2),
        app(5, name="Pages", developer_name=None, on=2),
        app(6, name="Gone", on=2, is_removed=True),
    ]
    page.run("apps")
    names = ("name", "name_folded", "publisher", "installs", "devices", "versions", "top_version", "newest_opened")
    assert page.all(TITLES, *names) == [
        ("Numbers", "numbers", "Example Inc.", 4, 2, 2, "2.0", "2026-11-26 10:00:00"),
        ("Pages", "pages", "", 1, 1, 1, "1.0", None),
    ]
    use = ("name", "never_opened", "unused_30", "unused_90", "unused_180")
    assert page.all(TITLES, *use) == [("Numbers", 1, 2, 2, 1), ("Pages", 1, 0, 0, 0)]


def test_titles_are_those_of_the_last_whole_run(two):
    """A run of one device's apps says nothing of the fleet's, and a title that is gone is gone."""
    page, tenant, taker = two
    taker.computers = {"SER1", "SER2"}
    page.run("apps")
    tenant.apps = [app(3)]
    page.run("apps", serials=["SER1"])
    assert page.all(TITLES, "name", "installs") == [("App 1", 2), ("App 2", 1)]
    page.run("apps", lift_guards=["shrunk_source", "many_removals"])
    assert page.all(TITLES, "name", "installs") == [("App 3", 1)]


def test_a_mapping_without_use_and_publisher_has_titles_all_the_same(two, tmp_path):
    """An operator may have taken columns out: then every install counts as never opened, of no publisher."""
    page, _, taker = two
    taker.computers = {"SER1", "SER2"}
    feed = MAPPING.feeds["apps"]
    columns = tuple(
        column for column in feed.columns if column.name not in ("last_opened", "developer_name", "version")
    )
    page.flow.mapping = replace(MAPPING, feeds={**MAPPING.feeds, "apps": replace(feed, columns=columns)})
    run = page.flow.prepare("apps")
    assert note_titles(page.book, run, page.flow.mapping.feeds["apps"], now=NOW) == 2
    assert page.all(TITLES, "name", "publisher", "never_opened", "versions") == [
        ("App 1", "", 2, 1),
        ("App 2", "", 1, 1),
    ]


# --- how long it is kept ---------------------------------------------------------------------------------------------


def test_what_is_old_is_forgotten_and_the_days_sums_stay(two):
    """Runs go with their reports, past verdicts and done orders with the history; 0 days keep all."""
    page, _, _ = two
    for _ in range(2):
        page.run("devices", **COMPUTERS)
    page.book.orders.place("computer", ["ser1"], action="resend", by="ann", reason="why")
    page.book.orders.place("computer", ["ser1"], action="park", by="ann", reason="why")
    later = datetime.now(UTC) + timedelta(days=400)
    prune(page.book, Retention(0, 0, 0, 0), now=later)
    assert (len(page.all(RUNS)), len(page.all(FEEDS)), len(page.all(HISTORY)), len(page.all(ORDERS))) == (2, 2, 1, 2)
    prune(page.book, Retention(), now=later)
    assert (page.all(RUNS), page.all(FEEDS), page.all(HISTORY)) == ([], [], [])
    assert page.all(ORDERS, "action", "state") == [("park", "open")]
    assert page.all(DAYS, "runs") == [(2,)]


def test_another_pairs_notes_stay_as_they_are(two, tmp_path):
    """Pairs share a database; noting one of them takes nothing from another."""
    page, tenant, _ = two
    tenant.devices.append(device(3, platform="Toaster"))
    page.run("devices", **COMPUTERS)
    before = {table.name: page.all(table) for table in (RUNS, FEEDS, DAYS, WAITING, COUNTS_SEEN, FACTS)}
    page.flow.pair = replace(PAIR, source="https://other.example")
    page.book = ledger(tmp_path, page.flow.pair)
    page.run("devices", **COMPUTERS)
    for table in (RUNS, FEEDS, DAYS, WAITING, COUNTS_SEEN, FACTS):
        rows = page.all(table)
        assert [row for row in rows if row["source"] == PAIR.source] == before[table.name], table.name
        assert len(rows) == 2 * len(before[table.name])
