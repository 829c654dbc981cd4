"""A run stops before it writes when going on could damage what ServiceNow holds, and says how to lift the guard."""

import logging
from dataclasses import replace

import pytest
from between import between, inserts
from factories import app, device
from test_flow import Flow, Taker, Tenant

from include.errors import RunUnsafe, SetupWrong
from include.inventory.guards import GUARDS, FeedCounts, Finding, GuardLimits, enforce, judge_feed
from include.inventory.run import Rules
from include.storage import read_json

NAME = "IRU_SERVICENOW_GUARDS"
LIMITS = GuardLimits()


def struck(limits: GuardLimits = LIMITS, /, **counts: int) -> list[str]:
    """Return the names of the guards that strike."""
    return [finding.guard for finding in judge_feed("computer", FeedCounts(**counts), limits)]


@pytest.mark.parametrize(
    ("guard", "within", "beyond"),
    [
        ("shrunk_source", {"active": 1000, "gone": 200}, {"active": 1000, "gone": 201}),
        ("shrunk_source", {"active": 1000, "gone": 500, "new": 300}, {"active": 1000, "gone": 500, "new": 299}),
        ("many_removals", {"active": 1000, "removals": 100}, {"active": 1000, "removals": 101}),
        ("many_changes", {"active": 1000, "updates": 500}, {"active": 1000, "updates": 501}),
        ("many_rejects", {"extracted": 1000, "rejected": 200}, {"extracted": 1000, "rejected": 201}),
    ],
)
def test_a_guard_strikes_beyond_its_default_and_not_at_it(guard, within, beyond):
    """The documented shares are what a run may do, and one row more stops it."""
    assert struck(**within) == []
    assert struck(**beyond) == [guard]


@pytest.mark.parametrize(
    "rows", [("gone", "shrunk_source"), ("removals", "many_removals"), ("updates", "many_changes")]
)
def test_a_small_fleet_may_change_as_it_likes(rows):
    """Below fifty rows no share says anything: three of five Macs may be replaced in a day."""
    what, guard = rows
    assert struck(active=49, extracted=1, **{what: 49}) == []
    assert struck(active=50, extracted=1, **{what: 50}) == [guard]
    assert struck(replace(LIMITS, floor_rows=5), active=6, extracted=1, **{what: 6}) == [guard]


def test_a_source_that_lists_nothing_is_no_small_change():
    """An empty answer where ServiceNow holds rows stops the run, however small the fleet is."""
    assert struck(active=3, gone=3, extracted=0) == ["shrunk_source"]
    assert struck(active=0, gone=0, extracted=0) == []


def test_a_first_run_is_judged_by_its_rejects_only():
    """An empty ledger holds nothing that could shrink, change or be removed."""
    assert struck(extracted=5000, new=5000) == []
    assert struck(extracted=5000, rejected=1001, new=3999) == ["many_rejects"]


def test_limits_come_from_one_setting():
    """An installation states its shares, what is off, and from how many rows on guards look."""
    limits = GuardLimits.parse(" many_removals=0.05, shrunk_source=OFF,floor_rows=50 ", setting=NAME)
    assert limits == GuardLimits(shrunk_source=None, many_removals=0.05, floor_rows=50)
    assert GuardLimits.parse("", setting=NAME) == GuardLimits()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("many_removal=0.1", ["many_removal", "many_removals"]),
        ("many_removals=10", ["many_removals", "'10'", "between 0 and 1"]),
        ("many_changes=", ["many_changes", "''"]),
        ("many_changes=nan", ["many_changes", "'nan'"]),
        ("floor_rows=off", ["floor_rows", "'off'", "whole number"]),
        ("incomplete_extract=off", ["incomplete_extract"]),
    ],
)
def test_a_wrong_limit_is_named(text, words):
    """One clear error names the setting, the limit, and what it may be."""
    with pytest.raises(SetupWrong, match=NAME) as caught:
        GuardLimits.parse(text, setting=NAME)
    assert all(word in str(caught.value) for word in words)


def test_all_guards_that_strike_are_told_at_once():
    """An operator is not stopped again by the next guard after lifting the first."""
    findings = [Finding("many_removals", "a"), Finding("many_changes", "b"), Finding("shrunk_source", "c")]
    with pytest.raises(RunUnsafe) as caught:
        enforce(findings, lifted=["many_changes"], stops=True)
    assert '"lift_guards": ["many_removals", "shrunk_source"]' in str(caught.value)
    assert "[many_removals] a. [shrunk_source] c." in str(caught.value)
    assert "many_changes" not in str(caught.value)


# --- in a run -------------------------------------------------------------------------------------------------------


def _stopped(flow: Flow, source: str, guard: str, said: str, **options) -> None:
    """Check one guard in a run: it stops, counts, writes nothing, shows in plan mode, and can be lifted by its name."""
    before = inserts(flow)
    with pytest.raises(RunUnsafe, match=f"(?s){said}.*lift_guards.*{guard}"):
        flow.prepare(source, **options)
    run = flow.reopened(source, **options)
    report = flow.finish(run, load=False)
    assert inserts(flow) == before
    assert guard in report.failed
    assert [found["guard"] for found in report.guards] == [guard]
    flow.run(source, mode="plan", **options)
    shown = read_json(flow.last.report)
    assert (shown.get("failed"), [found["guard"] for found in shown["guards"]]) == (None, [guard])
    assert inserts(flow) == before
    flow.run(source, lift_guards=[guard], **options)
    assert read_json(flow.last.report)["guards"][0]["lifted"] is True


COMPUTERS = {"feeds": ["computer"]}


def test_a_source_that_shrank_stops_the_run(tmp_path):
    """A tenant that suddenly lists a quarter less is taken for broken, not for smaller."""
    tenant = Tenant(devices=[device(n) for n in range(1, 101)])
    with between(tmp_path, tenant, Taker()) as flow:
        flow.run("devices", **COMPUTERS)
        tenant.devices = tenant.devices[:75]
        _stopped(flow, "devices", "shrunk_source", r"lists 75 rows where ServiceNow holds 100, 25 fewer \(25%.*20%",
                 **COMPUTERS)  # fmt: skip


def test_a_narrowed_run_is_no_shrunk_source(tmp_path):
    """A run for one blueprint lists the others all the same."""
    tenant = Tenant(devices=[device(n, blueprint_name="A" if n < 10 else "B") for n in range(1, 61)])
    with between(tmp_path, tenant, Taker()) as flow:
        flow.run("devices", **COMPUTERS)
        assert flow.run("devices", blueprints=["A"], **COMPUTERS)["computer"]["unchanged"] == 9


def test_many_removals_stop_the_run(tmp_path):
    """Apps that vanish by the dozen are not sent as removed unless somebody says so."""
    tenant = Tenant(apps=[app(n) for n in range(1, 201)])
    with between(tmp_path, tenant, Taker(computers={"SER1"})) as flow:
        flow.run("apps")
        tenant.apps = tenant.apps[:175]
        _stopped(flow, "apps", "many_removals", r"25 of 200 rows .* sent as removed \(12%; the limit is 10%\)")
        assert read_json(flow.last.report)["feeds"]["apps"]["removed"] == 25


def test_many_changes_stop_the_run_but_new_and_resent_rows_do_not(tmp_path):
    """A source whose values all changed overnight stops; a growing fleet and an ordered resend do not."""
    tenant = Tenant(devices=[device(n) for n in range(1, 31)])
    with between(tmp_path, tenant, Taker()) as flow:
        flow.run("devices", **COMPUTERS)
        flow.run("devices", full_resend=True, **COMPUTERS)
        tenant.devices = [device(n) for n in range(1, 91)]
        flow.run("devices", **COMPUTERS)
        tenant.devices = [device(n, os_version="99" if n > 40 else "14.4.1") for n in range(1, 91)]
        _stopped(flow, "devices", "many_changes", r"50 of 90 rows .* change", **COMPUTERS)


def test_many_rejects_stop_the_run(tmp_path):
    """When a quarter of the rows is unreadable, the source or the mapping is wrong."""
    tenant = Tenant(devices=[device(n, serial_number="" if n % 4 == 0 else f"S{n}") for n in range(1, 101)])
    with between(tmp_path, tenant, Taker()) as flow:
        _stopped(flow, "devices", "many_rejects", "25 of 100 rows were rejected", **COMPUTERS)


def test_an_incomplete_extract_is_shown_in_plan_mode(tmp_path):
    """A plan stops at nothing, and says what would stop a load."""
    with between(tmp_path, Tenant(apps=[app()], counts={"apps": 2}), Taker(computers={"SER1"})) as flow:
        flow.run("apps", mode="plan")
        assert [found["guard"] for found in read_json(flow.last.report)["guards"]] == ["incomplete_extract"]


def test_a_limit_that_is_off_stops_nothing(tmp_path):
    """What the installation switched off is not even found."""
    tenant = Tenant(devices=[device(n) for n in range(1, 101)])
    with between(tmp_path, tenant, Taker()) as flow:
        flow.run("devices", **COMPUTERS)
        flow.rules = Rules(limits=GuardLimits(shrunk_source=None, floor_rows=20))
        tenant.devices = tenant.devices[:10]
        assert flow.run("devices", **COMPUTERS)["computer"] == {"extracted": 10, "unchanged": 10}


def test_what_a_guard_holds_back_is_counted_and_kept_for_a_person(tmp_path):
    """A stopped run accounts for every row, and the plan that stopped it can be looked at."""
    tenant = Tenant(devices=[device(n) for n in range(1, 31)])
    with between(tmp_path, tenant, Taker()) as flow:
        flow.run("devices", **COMPUTERS)
        tenant.devices = [device(n, os_version="99") for n in range(1, 31)]
        with pytest.raises(RunUnsafe):
            flow.prepare("devices", **COMPUTERS)
        report = flow.finish(flow.reopened("devices", **COMPUTERS), load=False)
        assert report.feeds["computer"].counts["held"] == 30
        assert report.feeds["computer"].details["held_because"] == {"stopped by many_changes": 30}
        assert len(flow.last.changes("computer").read()) == 30


def test_a_finding_in_plan_mode_is_in_the_log(tmp_path, caplog):
    """Who reads only the log of a plan learns what would have stopped it."""
    tenant = Tenant(devices=[device(n, serial_number="") for n in range(1, 31)])
    with between(tmp_path, tenant, Taker()) as flow, caplog.at_level(logging.WARNING):
        flow.run("devices", mode="plan", **COMPUTERS)
    assert "Guard many_rejects: computer: 30 of 30 rows were rejected" in caplog.text


def test_every_guard_has_one_name_that_lifts_it():
    """The names are fixed: an operator's notes and a param's form rely on them."""
    assert set(GUARDS) == {
        "shrunk_source", "many_removals", "many_changes", "many_rejects", "incomplete_extract", "iru_quota",
        "ambiguous_key",
    }  # fmt: skip
