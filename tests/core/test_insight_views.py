"""What each view of the sync page shows of a seeded ledger, on SQLite and on PostgreSQL."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pagely
import pytest
import sqlalchemy as sa
from factories import ledger
from rich.console import Console

from bench.page_files import write_files
from bench.page_seed import HOSTILE, MESSAGES, PAIR, Seeded, Sizes
from include.insight.apps import apps
from include.insight.device import device
from include.insight.devices import devices
from include.insight.errors import BadQuestion, NotThere, TooSlow
from include.insight.fleet import facts_of, fleet, titles
from include.insight.history import of_device
from include.insight.order_list import orders
from include.insight.overview import overview
from include.insight.paging import Asked
from include.insight.runs import days, latency, runs
from include.insight.search import Search
from include.insight.setup import setup
from include.insight.stuck import KINDS, Filter, stuck
from include.insight.stuck_detail import detail, summary
from include.inventory.ledger import Ledger
from include.inventory.orders import Orders
from include.local.cluster.postgres import running_postgres
from include.local.cluster.programs import ensure_programs
from include.preflight.finding import ok, wrong
from include.preflight.show import to_json
from include.storage import write_json

SIZES = Sizes()
FEEDS = ("computer", "mdm", "apps")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seen(request, tmp_path_factory):
    """Return a seeded ledger with its newest run's files, and how to ask about it; nothing here writes into it."""
    root = tmp_path_factory.mktemp("page")
    seeded = Seeded(SIZES, folder=str(root / "runs"))
    write_files(seeded, root / "runs")

    def known(url):
        seeded.write(url)
        return SimpleNamespace(
            seeded=seeded, root=root, url=url, scope=lambda **some: pagely.scope(root, PAIR, url=url, **some)
        )

    if request.param == "sqlite":
        yield known(f"sqlite:///{root}/ledger.sqlite")
        return
    with running_postgres(ensure_programs(Console()), log_path=root / "postgres.log") as server:
        yield known(server.create("page"))


@pytest.fixture(autouse=True)
def _let_go():
    """Close what a test has opened, as a route does."""
    yield
    pagely.close_all()


def ids(rows):
    """Name rows by feed and key."""
    return [(row["feed"], row["key"]) for row in rows]


def test_the_overview_counts_what_is_where(seen):
    """Each feed has its rows on all three sides, what is stuck, its last run and why it is not green."""
    told = overview(seen.scope())
    by_name = {feed["feed"]: feed for feed in told["feeds"]}
    assert tuple(by_name) == FEEDS
    book = Ledger(seen.url, PAIR)
    for name in ("computer", "mdm"):
        assert by_name[name]["in_ledger"]["rows"] == book.count_active(name)
    assert by_name["apps"]["in_ledger"]["rows"] == 60 * 12
    assert by_name["apps"]["difference"] == -3
    assert by_name["apps"]["in_servicenow"]["told_by"] == "reconcile"
    computer = by_name["computer"]
    assert computer["unconfirmed"]["n"] == SIZES.refused + SIZES.parked
    assert computer["unconfirmed"]["oldest_s"] >= computer["unconfirmed"]["newest_s"] >= 0
    assert computer["stuck"] == {"refused": SIZES.refused, "parked": SIZES.parked, "held": 4, "rejected": 3}
    assert computer["last_run"]["run_id"] == "run-1"
    assert computer["last_run"]["counts"]["extracted"] == 60
    assert computer["period_s"] == 3600
    assert (computer["light"], bool(computer["why"])) == ("amber", True)
    assert told["waiting_changes"]["n"] == SIZES.pending
    assert 20 <= told["waiting_changes"]["newest_s"] <= told["waiting_changes"]["oldest_s"]
    iru, servicenow = told["quotas"]
    assert (iru["limit"], iru["used"], iru["share"]) == (10_000, 200, 0.02)
    assert (servicenow["limit"], servicenow["used"]) == (5000, 300)


def test_devices_that_nobody_watches_have_no_waiting_changes(seen):
    """Where watching is off the page does not say that nothing waits."""
    assert overview(seen.scope(settings={"watch": "off"}))["waiting_changes"] is None


def test_runs_come_newest_first_with_what_they_cost(seen):
    """Pages of runs have each run once, with its feeds, its import sets in ServiceNow and its report."""
    scope = seen.scope()
    found = pagely.all_rows(lambda asked: runs(scope, asked))
    assert [run["run_id"] for run in found] == [f"run-{number}" for number in range(1, SIZES.runs + 1)]
    first = found[0]
    assert set(first["feeds"]) == {"computer", "mdm"}
    assert first["rows_per_s"] == round(40 / 11, 1)
    assert first["latency"] == {"n": 1, "p50_s": 31.5, "p95_s": 59.0}
    assert first["import_sets"][0]["url"].startswith(f"{PAIR.target}/nav_to.do?uri=sys_import_set_list.do%3F")
    assert first["report_url"] == "/iru-servicenow/runs/iru_devices/run-1/report.html"
    assert found[11]["latency"] is None, "a run that carried no noticed change has no latency"
    assert {run["flow"] for run in pagely.all_rows(lambda asked: runs(scope, asked, flow="apps"))} == {"apps"}
    assert runs(scope, Asked(None, 7)).total.n == SIZES.runs


def test_days_and_latencies_are_told_from_the_oldest_on(seen):
    """Plots have a point a day, and a day's latency is weighted by what its runs carried."""
    told = days(seen.scope(), 3)
    assert [(row["day"], row["feed"]) for row in told] == sorted((row["day"], row["feed"]) for row in told)
    assert len({row["day"] for row in told}) <= 3
    for row in latency(seen.scope(), 30):
        assert row["n"] > 0
        assert row["p50_s"] == 31.5
        assert 58 <= row["p95_s"] <= 88


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_stuck_rows_have_every_row_once_in_order(seen, kind, newest_first):
    """Whatever the size of a page, no row is passed over or shown twice, across feeds and rows of one second."""
    scope, wanted = seen.scope(), Filter(kind, newest_first=newest_first)
    whole = stuck(scope, wanted, Asked(None, 200))
    assert whole.next is None
    assert whole.total.n == len(whole.rows) > 0
    sinces = [row["since"] for row in whole.rows]
    assert sinces == sorted(sinces, reverse=newest_first)
    assert len(set(ids(whole.rows))) == len(whole.rows)
    assert {row["kind"] for row in whole.rows} == {kind}
    for limit in (1, 3, 7):
        assert ids(pagely.all_rows(lambda asked: stuck(scope, wanted, asked), limit)) == ids(whole.rows)


def test_stuck_rows_are_filtered_and_searched(seen):
    """Filters of feed, verdict and text go together; what is found says what was sent and what ServiceNow said."""
    scope = seen.scope()
    rows = stuck(scope, Filter("refused", feed="computer", verdict="error"), Asked(None, 200)).rows
    assert {(row["feed"], row["verdict"]) for row in rows} == {("computer", "error")}
    serial = seen.seeded.serial(8)
    by_serial = stuck(scope, Filter("refused", search=Search(serial.lower())), Asked(None, 200))
    assert {row["serial_number"] for row in by_serial.rows} == {serial}
    assert by_serial.total.is_exact
    by_message = stuck(scope, Filter("refused", search=Search(MESSAGES[0][:20].upper())), Asked(None, 200)).rows
    assert {row["message"] for row in by_message} == {MESSAGES[0]}
    assert stuck(scope, Filter("refused", search=Search("serial_number")), Asked(None, 9)).rows == []
    assert stuck(scope, Filter("held", search=Search("100%_")), Asked(None, 9)).rows == []
    with pytest.raises(BadQuestion, match="no feed"):
        stuck(scope, Filter("refused", feed="cars"), Asked())


def test_searched_rows_come_page_by_page_too(seen):
    """A search that has more than a page goes on where it was."""
    scope, wanted = seen.scope(), Filter("refused", search=Search("c0200"))
    whole = ids(stuck(scope, wanted, Asked(None, 200)).rows)
    assert ids(pagely.all_rows(lambda asked: stuck(scope, wanted, asked), 5)) == whole
    assert not stuck(scope, wanted, Asked(None, 5)).total.is_exact


def test_what_may_be_ordered_depends_on_the_row_and_the_right(seen):
    """Refused rows may be parked or sent again, parked ones released, and by nobody who may only read."""
    assert {tuple(r["may_order"]) for r in stuck(seen.scope(), Filter("refused"), Asked()).rows} == {("park", "resend")}
    assert {tuple(r["may_order"]) for r in stuck(seen.scope(), Filter("parked"), Asked()).rows} == {("release",)}
    read_only = seen.scope(writable=frozenset())
    assert {tuple(row["may_order"]) for row in stuck(read_only, Filter("parked"), Asked()).rows} == {()}


def test_messages_are_counted_the_most_frequent_first(seen, monkeypatch):
    """Somebody who mends one cause sees which one is worth it."""
    assert len(summary(seen.scope())) == 50
    monkeypatch.setattr("include.insight.stuck_detail.MOST_GROUPS", 500)
    groups = summary(seen.scope())
    assert [group["n"] for group in groups] == sorted((group["n"] for group in groups), reverse=True)
    assert {group["kind"] for group in groups} == set(KINDS)
    assert sum(group["n"] for group in groups if group["kind"] == "refused") == 3 * SIZES.refused


def test_one_stuck_row_has_all_that_is_known_of_it(seen):
    """The row as sent and as confirmed, its columns' names, its orders and its verdicts."""
    key = seen.seeded.serial(1).casefold()
    told = detail(seen.scope(), "computer", key)
    assert told["sent"]["serial_number"] == told["confirmed"]["serial_number"] == seen.seeded.serial(1)
    assert told["open_order"]["action"] == "park"
    assert [(order["action"], order["state"]) for order in told["orders"]] == [("park", "open")]
    assert [verdict["is_present"] for verdict in told["history"]] == [True] + [False] * SIZES.history
    assert {"column": "assigned_user", "label": "assigned user", "target": "assigned_to.email"} in told["columns"]
    waiting = detail(seen.scope(), "computer", "waiting-0")
    assert (waiting["kind"], waiting["confirmed"], waiting["may_order"]) == ("held", None, [])
    with pytest.raises(NotThere):
        detail(seen.scope(), "computer", "nothing")


def test_devices_are_found_by_whatever_people_see_of_them(seen):
    """Serial number, name, model, system and user, without case, and not by the names of columns."""
    scope = seen.scope()
    whole = pagely.all_rows(lambda asked: devices(scope, Search(), asked))
    assert [row["serial_number"] for row in whole] == [seen.seeded.serial(number) for number in range(60)]
    assert devices(scope, Search(), Asked(None, 7)).total.n == 60
    for text in ("c020000031", "ZOË MÜ", "macbook p", "14.", "@EXAMPLE", HOSTILE[2], "o'brien & \"s", "<B>"):
        page = devices(scope, Search(text), Asked(None, 200))
        assert page.rows, text
        for row in page.rows:
            payload = seen.seeded.computer(int(row["serial_number"][3:]))
            assert text.casefold() in "\n".join(payload.values()).casefold()
    for text in ("serial_number", "Kandji", "nobody", "%", "\\", "' OR 1=1 --"):
        assert devices(scope, Search(text), Asked(None, 9)).rows == [], text
    found = pagely.all_rows(lambda asked: devices(scope, Search("macbook"), asked), 4)
    assert found == devices(scope, Search("macbook"), Asked(None, 200)).rows
    assert {row["apps"] for row in whole} == {12}


def test_one_device_is_shown_field_by_field(seen):
    """What Iru said comes from the newest run's files, and a field that the ledger has otherwise differs."""
    number = 20
    told = device(seen.scope(), seen.seeded.device_id(number).upper(), Path)
    assert told["device"]["serial_number"] == seen.seeded.serial(number)
    computer, mdm = told["feeds"]
    assert {field["state"] for field in computer["fields"]} == {"same"}
    assert computer["iru_at"].endswith("Z")
    assert {(field["servicenow"], computer["servicenow_at"]) for field in computer["fields"]} == {(None, None)}
    assert mdm["key_shown"] == f"{seen.seeded.device_id(number)} / bp-6"
    assert mdm["iru_at"] is None, "the newest run has left no file of this feed"
    refused = device(seen.scope(), seen.seeded.device_id(6), Path)["feeds"][0]
    assert {field["state"] for field in refused["fields"] if field["iru"]} == {"differs"}, "never confirmed"
    waiting = device(seen.scope(), seen.seeded.device_id(1), Path)["waiting"]
    assert [(row["feed"], row["kind"]) for row in waiting] == [("mdm", "rejected")]
    with pytest.raises(NotThere):
        device(seen.scope(), "nothing", Path)


def test_files_that_are_gone_leave_the_rest_of_a_device(seen, tmp_path):
    """Retention removes what runs shaped; the page then knows what was sent."""
    told = device(seen.scope(), seen.seeded.device_id(20), lambda _: tmp_path / "gone")["feeds"][0]
    assert told["iru_at"] is None
    assert {(field["iru"], field["state"]) for field in told["fields"]} == {(None, "same")}


def test_files_that_are_damaged_leave_the_rest_of_a_device(tmp_path):
    """A file that cannot be read takes no page away; an earlier run's is looked at."""
    seeded = Seeded(SIZES, folder=str(tmp_path / "runs"))
    seeded.write(f"sqlite:///{tmp_path}/ledger.sqlite")
    write_files(seeded, tmp_path / "runs")
    (rows,) = (tmp_path / "runs/iru_devices/run-1/shape/computer/rows").glob("*.parquet")
    rows.write_bytes(b"PAR1 and no more")
    told = device(pagely.scope(tmp_path, PAIR), seeded.device_id(20), Path)["feeds"][0]
    assert (told["iru_at"], told["verdict"]) == (None, "inserted")


def test_apps_of_a_device_are_sorted_and_filtered(seen):
    """Apps by name or by last use, page by page, active and removed ones apart."""
    scope, device_id = seen.scope(), seen.seeded.device_id(20)
    whole = pagely.all_rows(lambda asked: apps(scope, device_id, asked), 5)
    assert len({row["key"] for row in whole}) == len(whole) == 12
    assert [row["name"].casefold() for row in whole] == sorted(row["name"].casefold() for row in whole)
    by_use = pagely.all_rows(lambda asked: apps(scope, device_id, asked, sort="last_opened"), 5)
    opened = [row["last_opened"] or "" for row in by_use]
    assert opened == sorted(opened, reverse=True)
    there = {flag: apps(scope, device_id, Asked(), active=flag).total.n for flag in ("true", "false", "all")}
    assert there["true"] + there["false"] == there["all"] == 12


def test_a_devices_verdicts_come_newest_first_and_each_once(seen):
    """The present verdicts and those that they have replaced are one list."""
    scope, device_id = seen.scope(), seen.seeded.device_id(20)
    whole = of_device(scope, device_id, Asked(None, 200)).rows
    assert len(whole) == 2 + 12 + 2 * SIZES.history
    assert [row["at"] for row in whole] == sorted((row["at"] for row in whole), reverse=True)
    assert pagely.all_rows(lambda asked: of_device(scope, device_id, asked), 3) == whole
    only_devices = of_device(seen.scope(readable=frozenset({"devices"})), device_id, Asked(None, 200)).rows
    assert {row["feed"] for row in only_devices} == {"computer", "mdm"}


def test_the_fleet_and_its_titles(seen):
    """Facts add up to the fleet, capacities go by size, and titles are found and sorted."""
    scope = seen.scope()
    told = fleet(scope)
    assert told["devices"] == 60
    for facts in told["facts"].values():
        assert sum(fact["devices"] for fact in facts) == 60
    assert [fact["value"] for fact in told["facts"]["capacity"]] == [
        "64 GB", "128 GB", "256 GB", "512 GB", "1 TB", "2 TB",
    ]  # fmt: skip
    assert told["facts"]["os_version"][-1]["value"] == "other", "more than 25 values"
    assert told["apps"]["titles"] == SIZES.titles
    assert told["apps"]["tells_usage"]
    for sort, name in (("installs", "installs"), ("unused", "unused_90")):
        found = pagely.all_rows(lambda asked, sort=sort: titles(scope, Search(), asked, sort=sort))
        assert len({row["title_id"] for row in found}) == SIZES.titles
        assert [row[name] for row in found] == sorted((row[name] for row in found), reverse=True)
    by_name = pagely.all_rows(lambda asked: titles(scope, Search(), asked, sort="name"))
    assert len({row["title_id"] for row in by_name}) == SIZES.titles
    assert {row["name"] for row in titles(scope, Search("APP 7"), Asked()).rows} == {
        f"App {number}" for number in (7, *range(70, 80)) if number % 37 != 5
    }
    assert titles(scope, Search("100%"), Asked()).rows == []


def test_orders_are_listed_newest_first(seen):
    """The audit trail has who, what, why and what became of it, of feeds that may be read."""
    scope = seen.scope()
    found = pagely.all_rows(lambda asked: orders(scope, asked), 2)
    assert len(found) == SIZES.orders
    assert [row["ordered_at"] for row in found] == sorted((row["ordered_at"] for row in found), reverse=True)
    assert {row["state"] for row in found} == {"open", "done", "replaced"}
    assert orders(seen.scope(readable=frozenset({"apps"})), Asked()).rows == []


def test_a_question_without_an_end_is_broken_off(seen):
    """Both databases stop a question that takes longer than it may."""
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + sa.literal_column("0")))
    with seen.scope().reader as reader, pytest.raises(TooSlow, match="Narrow the filter"):
        reader.rows(sa.select(sa.func.count()).select_from(numbers))


def test_neither_database_lets_a_reader_write(seen):
    """A defect in a question cannot change the ledger."""
    with seen.scope().reader as reader:
        reader.check()
        with pytest.raises(sa.exc.DBAPIError, match=r"readonly|read-only"):
            reader._open.exec_driver_sql("DELETE FROM ledger_rows")


# --- what needs a ledger of its own ----------------------------------------------------------------------------------


def test_a_row_that_is_parked_by_hand_is_parked_and_counted_once(tmp_path):
    """A person's order takes a refused row, or a confirmed one, out of what is refused."""
    seeded = Seeded(replace(SIZES, orders=0))
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    seeded.write(url)
    keys = [seeded.serial(number).casefold() for number in (10, 50, 2)]  # refused, confirmed, parked by its tries
    Orders(url, PAIR).place("computer", keys, action="park", by="ada", reason="why not")
    stuck_now = overview(pagely.scope(tmp_path, PAIR))["feeds"][0]["stuck"]
    assert (stuck_now["refused"], stuck_now["parked"]) == (SIZES.refused - 1, SIZES.parked + 2)
    scope = pagely.scope(tmp_path, PAIR)
    parked = pagely.all_rows(lambda asked: stuck(scope, Filter("parked", feed="computer"), asked), 3)
    assert len(parked) == len(set(ids(parked))) == SIZES.parked + 2
    assert {key for _, key in ids(parked)} > set(keys)
    refused = stuck(scope, Filter("refused", feed="computer"), Asked(None, 200))
    assert refused.total.n == len(refused.rows) == SIZES.refused - 1


def test_a_ledger_that_nothing_was_written_into_has_empty_views(tmp_path):
    """Between the first opening and the first settled run every view has an answer."""
    ledger(tmp_path)
    scope = pagely.scope(tmp_path, PAIR)
    told = overview(scope)
    assert {feed["light"] for feed in told["feeds"]} == {"grey"}
    assert {quota["limit"] for quota in told["quotas"]} == {None}
    assert runs(scope, Asked()).rows == days(scope, 30) == latency(scope, 30) == summary(scope) == []
    assert fleet(scope)["apps"]["titles"] == 0
    assert fleet(scope)["devices"] == 0


def test_another_pairs_rows_are_not_seen(tmp_path):
    """One ledger holds several pairs, and a page is about one of them."""
    Seeded().write(f"sqlite:///{tmp_path}/ledger.sqlite")
    scope = pagely.scope(tmp_path, replace(PAIR, target="https://another.example"))
    assert devices(scope, Search(), Asked()).rows == stuck(scope, Filter("refused"), Asked()).rows == []
    assert orders(scope, Asked()).rows == runs(scope, Asked()).rows == titles(scope, Search(), Asked()).rows == []
    assert {feed["in_ledger"]["rows"] for feed in overview(scope)["feeds"]} == {0}
    assert overview(scope)["waiting_changes"]["n"] == 0


def test_the_newest_check_of_the_set_up_is_shown(tmp_path):
    """A check that was killed and left nothing is passed over; part and what to do come along."""
    finding = wrong("computer.staging", "Is the table there?", "no", "install the app", loses_data=True)
    for run_id, findings in {
        "scheduled__2026-03-01T00:00:00+00:00": [ok("iru.sign_in", "Q", "yes")],
        "manual__2026-03-02T00:00:00+00:00": [finding],
    }.items():
        write_json(tmp_path / "iru_servicenow_preflight" / run_id / "preflight.json", to_json(findings))
    (tmp_path / "iru_servicenow_preflight" / "manual__2026-03-03T00:00:00+00:00").mkdir()
    told = setup(tmp_path, "iru_servicenow_preflight")
    assert told["run_id"] == "manual__2026-03-02T00:00:00+00:00"
    assert told["at"].endswith("Z")
    assert told["findings"] == [
        {"check": "computer.staging", "part": "computer", "question": "Is the table there?", "state": "wrong",
         "seen": "no", "to_do": "install the app", "loses_data": True}
    ]  # fmt: skip
    assert setup(tmp_path, "nothing") == {"dag_id": "nothing", "run_id": None, "at": None, "findings": []}


def test_rare_values_of_a_fact_are_added_up():
    """A plot of versions stays readable, and still adds up."""
    rows = [SimpleNamespace(fact="model", value=f"m{number}", devices=number) for number in range(1, 31)]
    told = facts_of(rows, "model", most=3)
    assert [(fact["value"], fact["devices"]) for fact in told] == [
        ("m30", 30),
        ("m29", 29),
        ("m28", 28),
        ("other", 378),
    ]
