"""A run of changed devices: it carries exactly these, cheaply, and concludes nothing about the rest of the fleet."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from factories import PAIR
from watching import Watch, watching

from include.inventory.ledger import Ledger
from include.inventory.run_folder import RunFolder
from include.inventory.targeted import DEVICES_PER_FILTER, extract_devices, is_cheaper
from include.iru.client import IruClient, IruSettings
from include.storage import read_json


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Watch a fleet whose devices ServiceNow holds already."""
    with watching(tmp_path, devices=20) as started:
        assert not started.flow().run("devices", "first").failed
        yield started


def notice(watch: Watch, *device_ids: str) -> None:
    """Let a watcher see that devices have changed."""
    memory = watch.detector().memory
    memory.take_turn(1e9)
    memory.keep_audit(device_ids, memory.position())


def counts(report) -> dict[str, dict[str, int]]:
    """Return a report's counts without zeros."""
    return {name: {what: n for what, n in feed.counts.items() if n} for name, feed in report.feeds.items()}


def test_a_triggered_run_carries_exactly_the_changed_devices(watch):
    """One renamed device of twenty is fetched, sent and confirmed; the others are not asked for."""
    device_id = watch.ids()[3]
    watch.change(device_id, user=None)
    notice(watch, device_id)
    before = watch.asked()
    report = watch.flow().run("devices", "r2", triggered=True)
    assert counts(report) == {"computer": {"extracted": 1, "updated": 1}, "mdm": {"extracted": 1, "unchanged": 1}}
    asked = {what: n - before.get(what, 0) for what, n in watch.asked().items() if n != before.get(what, 0)}
    assert asked == {f"GET /api/v1/devices/{device_id}": 1, "GET /api/v1/prism/device_information": 1}
    assert watch.queue.claim("r3") == ()


def test_a_triggered_run_without_changes_sends_nothing(watch):
    """A run whose devices an earlier run took along ends well, and asks neither service for anything."""
    iru, snow = sum(watch.asked().values()), _snow_requests(watch)
    report = watch.flow().run("devices", "r2", triggered=True)
    assert not report.failed
    assert counts(report) == {"computer": {}, "mdm": {}}
    assert (sum(watch.asked().values()), _snow_requests(watch)) == (iru, snow)


def test_a_triggered_run_takes_nothing_for_gone(watch):
    """Devices that such a run does not fetch are no missing devices, and no guard takes them for a shrunk source."""
    device_id = watch.ids()[0]
    watch.change(device_id, user=None)
    notice(watch, device_id)
    flow = watch.flow()
    limits = replace(flow.rules.limits, shrunk_source=0.0, many_removals=0.0, floor_rows=1)
    flow = replace(flow, rules=replace(flow.rules, limits=limits))
    report = flow.run("devices", "r2", triggered=True, missing_devices="report")
    assert not report.failed
    assert report.feeds["computer"].details["missing_devices"] == 0


def test_a_changed_device_that_is_gone_is_left_to_the_full_run(watch):
    """A 404 ends that device's part of the run, and nothing else."""
    gone, there = watch.ids()[:2]
    watch.delete(gone)
    watch.change(there, user=None)
    notice(watch, gone, there)
    report = watch.flow().run("devices", "r2", triggered=True)
    assert not report.failed
    assert report.feeds["computer"].counts["extracted"] == 1


def test_many_changed_devices_are_read_with_the_whole_list(watch):
    """Where single requests would cost more than the whole list, the run is a run of the fleet."""
    notice(watch, *watch.ids())
    memory = watch.detector().memory
    memory.take_turn(1e9)
    memory.keep_sweep(dict.fromkeys(watch.ids(), "x"), began_s=1.0)
    report = watch.flow().run("devices", "r2", triggered=True)
    assert report.feeds["computer"].counts["extracted"] == 20
    assert not RunFolder(watch.folder / "runs/iru_devices/r2").scope.exists()
    assert watch.queue.claim("r3") == ()


def test_a_scheduled_run_carries_what_waits(watch):
    """The full run takes all changes along, so that no run is asked for afterwards."""
    notice(watch, watch.ids()[0])
    assert not watch.flow().run("devices", "r2").failed
    assert watch.queue.claim("r3") == ()


@pytest.mark.parametrize(
    "params", [{"mode": "plan"}, {"device_families": ["iPad"]}, {"blueprints": ["x"]}, {"feeds": ["computer"]}], ids=str
)
def test_a_run_that_leaves_something_out_takes_no_changes(watch, params):
    """A rehearsal or a run of a part of the fleet does not make the watcher's changes disappear."""
    device_id = watch.ids()[0]
    notice(watch, device_id)
    watch.flow().run("devices", "r2", **params)
    assert watch.queue.claim("r3") == (device_id,)


def test_a_failed_run_gives_its_devices_back(watch):
    """What a run could not carry goes with the next one."""
    device_id = watch.ids()[0]
    notice(watch, device_id)
    flow = replace(watch.flow(), iru=IruSettings(watch.sandbox.iru.url, "revoked"))
    assert flow.run("devices", "r2", triggered=True).failed
    assert watch.detector().memory.waiting().devices == 1
    assert not watch.flow().run("devices", "r3", triggered=True).failed
    assert watch.queue.claim("r4") == ()


def test_a_killed_run_loses_no_device(watch):
    """What a run that died had taken is taken over by the next one."""
    device_id = watch.ids()[0]
    notice(watch, device_id)
    assert watch.queue.claim("died") == (device_id,)
    report = watch.flow().run("devices", "r2", triggered=True)
    assert report.feeds["computer"].counts["extracted"] == 1


def test_what_a_run_fetched_is_not_noticed_once_more(watch):
    """The sweep after a run sees the devices as the run has carried them."""
    detector, device_id = watch.detector(), watch.ids()[0]
    watch.poll(detector)
    watch.change(device_id, user=None)
    notice(watch, device_id)
    watch.now_s += 700
    assert not watch.flow().run("devices", "r2", triggered=True).failed
    assert watch.poll(detector).ask_for == 0


def test_a_retry_is_about_the_same_devices(watch):
    """A run that goes on after a failed try does not grow or become a run of the fleet."""
    first, second = watch.ids()[:2]
    notice(watch, first)
    flow = watch.flow()
    broken = replace(flow, iru=IruSettings(watch.sandbox.iru.url, "revoked"))
    broken.run("devices", "r2", triggered=True)
    notice(watch, second)
    report = flow.run("devices", "r2", triggered=True)
    assert report.feeds["computer"].counts["extracted"] == 1
    assert read_json(RunFolder(watch.folder / "runs/iru_devices/r2").scope) == [first]
    assert second in watch.queue.claim("r3")


def test_prism_rows_come_by_filter_in_portions(tmp_path):
    """More devices than one filter takes are asked for in portions; every device keeps its Prism row."""
    count = DEVICES_PER_FILTER + 5
    with watching(tmp_path, devices=count) as watch:
        folder = RunFolder(tmp_path / "run")
        client = IruClient(IruSettings(watch.sandbox.iru.url, watch.sandbox.iru.token))
        assert extract_devices(client, folder, watch.ids()) == (count, 0)
        assert watch.asked()["GET /api/v1/prism/device_information"] == 2


@pytest.mark.parametrize(
    ("changed", "fleet", "cheaper"),
    [(0, 1_000, True), (9, 1_000, True), (10, 1_000, False), (60, 10_000, True), (2_000, 10_000, False), (5, 0, True)],
)
def test_single_requests_only_where_they_are_fewer(changed, fleet, cheaper):
    """The list of 1,000 devices and their Prism rows take ten requests, that of 10,000 seventy."""
    assert is_cheaper(changed, fleet) is cheaper


def test_one_run_counts_a_miss_once(tmp_path):
    """A plan that is tried again, or a rehearsal, is no second proof that a device is gone."""
    ledger = Ledger(f"sqlite:///{tmp_path}/l.sqlite", PAIR)
    assert ledger.miss("computer", ["a", "b"], run="r1") == {"a": 1, "b": 1}
    assert ledger.miss("computer", ["a", "b"], run="r1") == {"a": 1, "b": 1}
    assert ledger.miss("computer", ["a", "b"], run="") == {"a": 2, "b": 2}
    assert ledger.miss("computer", ["a"], run="r2") == {"a": 2}
    assert ledger.miss("computer", ["a", "b"], run="r3") == {"a": 3, "b": 1}


def _snow_requests(watch: Watch) -> int:
    url = f"{watch.sandbox.servicenow.url}/_sandbox/counters"
    return int(requests.get(url, timeout=10).json()["requests"])
