"""What a run leaves for people: pages that stand on their own, are safe to open, and say the same as the files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from watching import Watch, watching

from include.inventory import plan_page
from include.inventory.guards import GuardLimits
from include.inventory.page import page, table
from include.inventory.run_folder import RunFolder


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Start a sandbox with ten devices."""
    with watching(tmp_path, devices=10) as started:
        yield started


def text(watch: Watch, run_id: str, name: str) -> str:
    """Return a page of a run."""
    return RunFolder(watch.folder / "runs/iru_devices" / run_id).page(name).read_text()


def test_a_plan_shows_every_field_before_and_after(watch):
    """A rehearsal sends nothing and shows what would change: old value, new value, column and row."""
    flow = watch.flow()
    flow.run("devices", "r1")
    watch.change(watch.ids()[0], user=None)
    watch.change_fleet(rename=1)
    report = flow.run("devices", "r2", mode="plan")
    shown = text(watch, "r2", "plan")
    assert "This run sends nothing." in shown
    assert "<td>assigned_user</td>" in shown
    assert "<td>device_name</td>" in shown
    assert f'<td>to update</td><td class="n">{report.feeds["computer"].counts["held"]}</td>' in shown


def test_a_guard_that_stops_a_run_stands_on_the_plan(watch):
    """Whoever opens the plan of a stopped run sees what stopped it."""
    flow = watch.flow()
    flow.run("devices", "r1")
    limits = GuardLimits(many_changes=0.0, floor_rows=1)
    watch.change_fleet(rename=3)
    report = replace(flow, rules=replace(flow.rules, limits=limits)).run("devices", "r2")
    assert report.failed
    assert "Guard many_changes" in text(watch, "r2", "plan")
    assert "Guard many_changes" in text(watch, "r2", "report")
    assert "Failed:" in text(watch, "r2", "report")


def test_a_report_page_counts_as_the_report_does(watch):
    """The page's numbers are those of report.json."""
    report = watch.flow().run("devices", "r1")
    inserted = report.feeds["mdm"].counts["inserted"]
    assert inserted
    assert f'<td class="n">{inserted}</td>' in text(watch, "r1", "report")


def test_a_long_plan_is_cut_and_says_where_the_rest_is(watch, monkeypatch):
    """A first load of a large fleet makes no page that a browser cannot open."""
    monkeypatch.setattr(plan_page, "MOST_CHANGES", 5)
    watch.flow().run("devices", "r1", mode="plan")
    shown = text(watch, "r1", "plan")
    assert "The first 5 fields" in shown
    assert "plan/computer/changes" in shown
    assert shown.count("<td>create</td>") == 10


def test_nothing_on_a_page_is_markup_but_its_own():
    """What a server or a device's name says is text."""
    shown = page("<t>", [table(["a<b"], [["<script>alert(1)</script>", 'x" onload="y', None, 1234]])]).decode()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert 'onload="y' not in shown
    assert '<td></td><td class="n">1,234</td>' in shown
    assert "\udc80" not in page("t", ["\udc80"]).decode()


@pytest.mark.parametrize("params", [{"serials": ["nobody"]}, {"tags": ["nothing"]}])
def test_a_run_of_named_devices_leaves_the_others_out(watch, params):
    """Devices that were not named are filtered, with that reason, and none counts as removed."""
    report = watch.flow().run("devices", "r1", **params)
    counts = report.feeds["computer"].counts
    assert (counts["extracted"], counts["filtered"]) == (10, 10)
    assert "not among those of this run" in str(report.feeds["computer"].details["filtered_because"])


def test_tags_and_serials_choose_devices(watch):
    """A device with the tag, and one whose serial number is spelled in small letters, are carried; no other."""
    first, second = watch.ids()[:2]
    watch.change(first, tags=["only this one"])
    rows = {row["device_id"]: row for page_ in watch.flow().connect_iru().iter_devices() for row in page_}
    by_tag = watch.flow().run("devices", "r1", tags=["only this one"])
    assert by_tag.feeds["computer"].counts["inserted"] == 1
    serial = rows[second]["serial_number"].lower()
    by_serial = watch.flow().run("devices", "r2", serials=[serial])
    assert by_serial.feeds["computer"].counts["inserted"] == 1
    apps = watch.flow().run("apps", "r3", serials=[serial])
    assert apps.feeds["apps"].counts["filtered"] == 9


def test_apps_of_devices_that_were_not_named_are_not_taken_for_removed(watch):
    """A run for one device sends no removal for another, even when the other's apps are gone."""
    flow = watch.flow()
    flow.run("devices", "r1")
    flow.run("apps", "r2")
    watch.change_fleet(remove_apps=3)
    serial = next(row["serial_number"] for page_ in flow.connect_iru().iter_devices() for row in page_)
    assert flow.run("apps", "r3", serials=[serial]).feeds["apps"].counts["removed"] == 0
    assert flow.run("apps", "r4").feeds["apps"].counts["removed"] > 0
