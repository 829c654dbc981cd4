"""The watcher: it notices what changed in Iru, once, within its share of the quota, whatever happens to its process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from factories import MAPPING
from watching import Watch, watching

from include.detection.cadence import LONGEST_SWEEP_S, SHORTEST_SWEEP_S, Cadence, backoff_s
from include.detection.detector import BURST_DEVICES, LEASE_S, LOST_EVENT_S
from include.detection.fingerprint import fingerprints, watched_fields
from include.detection.memory import LeaseLost
from include.inventory.mapping import Column
from include.iru.audit import iter_audit, newest_event
from include.iru.client import IruClient, IruSettings
from include.iru.quota import Quota

HOUR = 10_000


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Watch a tenant of eight devices."""
    with watching(tmp_path) as started:
        yield started


def test_the_first_look_asks_for_nothing(watch):
    """What was there before is carried by the scheduled run, not by an event for every device of the fleet."""
    assert watch.poll(watch.detector()).ask_for == 0
    assert watch.queue.claim("r1") == ()


def test_a_device_that_is_given_to_another_user_is_noticed(watch):
    """Assignment leaves no trace in the audit log; the list of devices tells it at the next sweep."""
    detector, device_id = watch.detector(), watch.ids()[0]
    watch.poll(detector)
    watch.change(device_id, user=None)
    assert watch.poll(detector).ask_for == 1
    assert watch.queue.claim("r1") == (device_id,)


def test_a_new_device_is_noticed(watch):
    """An enrolled device needs no earlier look to be compared with."""
    detector = watch.detector()
    watch.poll(detector)
    watch.change_fleet(enroll=2)
    assert watch.poll(detector).ask_for == 2


def test_the_audit_log_is_quicker_than_a_sweep_that_is_rare(watch):
    """Where a fleet is too large for frequent sweeps, a move to another blueprint is known within half a minute."""
    detector = watch.detector(cadence=Cadence(share=0.001))
    watch.poll(detector)
    watch.poll(detector, after_s=40)
    sweeps = watch.asked()["GET /api/v1/devices"]
    moved = watch.change_fleet(move_blueprint=1)
    assert watch.poll(detector, after_s=40).ask_for == 1, moved
    assert watch.asked()["GET /api/v1/devices"] == sweeps


def test_one_change_that_both_ways_report_is_one_change(watch):
    """An event from before the last sweep is no news, and when the change was noticed is told once it is carried."""
    detector = watch.detector()
    watch.poll(detector)
    watch.change_fleet(move_blueprint=1)
    seen_later = watch.poll(detector, after_s=16)
    seen_s = watch.now_s
    assert seen_later.ask_for == 1
    watch.queue.claim("r1")
    for _ in range(4):
        assert watch.poll(detector).ask_for == 0
    assert watch.queue.confirm("r1") == (seen_s,)
    assert watch.queue.confirm("r1") == ()


def test_a_check_in_is_no_change(watch):
    """A device that was merely seen again costs nothing but the sweep."""
    detector = watch.detector()
    watch.poll(detector)
    watch.change_fleet(check_in=5)
    assert watch.poll(detector).ask_for == 0


def test_a_deleted_device_asks_for_no_run(watch):
    """The scheduled full run alone concludes that a device is gone."""
    detector, device_id = watch.detector(), watch.ids()[0]
    watch.poll(detector)
    watch.delete(device_id)
    assert [watch.poll(detector).ask_for for _ in range(4)] == [0, 0, 0, 0]


def test_a_device_that_comes_back_is_new(watch):
    """A device that was missed twice and is listed again is carried again."""
    memory = watch.detector().memory
    memory.take_turn(1e9)
    for seen in ({"d1": "a", "d2": "b"}, {"d1": "a"}, {"d1": "a"}):
        assert memory.keep_sweep(seen, began_s=1.0) == frozenset()
    assert memory.keep_sweep({"d1": "a", "d2": "b"}, began_s=1.0) == {"d2"}


def test_a_device_that_one_sweep_passed_by_is_not_new(watch):
    """Offset paging may pass a device by once; that alone starts no run."""
    memory = watch.detector().memory
    memory.take_turn(1e9)
    for seen in ({"d1": "a", "d2": "b"}, {"d1": "a"}, {"d1": "a", "d2": "b"}, {"d1": "a"}, {"d1": "a", "d2": "b"}):
        assert memory.keep_sweep(seen, began_s=1.0) == frozenset()


def test_a_restart_loses_and_repeats_nothing(watch):
    """A new process of the triggerer compares with what the old one saw, and goes on in the audit log where it was."""
    watch.poll(watch.detector("old"))
    watch.change(watch.ids()[0], user=None)
    after = watch.detector("new")
    assert watch.poll(after, after_s=LEASE_S + 1).ask_for == 1
    watch.queue.claim("r1")
    watch.queue.confirm("r1")
    assert watch.poll(watch.detector("third"), after_s=LEASE_S + 1).ask_for == 0


def test_of_two_triggerers_one_watches(watch):
    """Two watchers ask Iru no more than one, and report a change once."""
    first, second = watch.detector("a"), watch.detector("b")
    watch.poll(first)
    asked = sum(watch.asked().values())
    watch.change(watch.ids()[0], user=None)
    before = sum(watch.asked().values())
    assert watch.poll(second, after_s=1).ask_for == 0
    assert sum(watch.asked().values()) == before > asked
    assert watch.poll(first, after_s=15).ask_for == 1
    assert watch.poll(second, after_s=1).ask_for == 0


def test_a_watcher_that_lost_its_turn_writes_nothing(watch):
    """A process that hung through its lease does not overwrite what its successor saw."""
    hung, successor = watch.detector("hung"), watch.detector("next")
    watch.poll(hung)
    watch.poll(successor, after_s=LEASE_S + 1)
    watch.change(watch.ids()[0], user=None)
    with pytest.raises(LeaseLost):
        hung.memory.keep_sweep({}, began_s=1.0)
    assert watch.poll(successor).ask_for == 1


def test_a_run_is_asked_for_once_until_it_begins(watch):
    """Changes that come while a run is on its way go with it instead of asking for another."""
    detector = watch.detector()
    watch.poll(detector)
    watch.change(watch.ids()[0], user=None)
    assert watch.poll(detector).ask_for == 1
    watch.change(watch.ids()[1], user=None)
    assert watch.poll(detector).ask_for == 0
    assert len(watch.queue.claim("r1")) == 2
    watch.change(watch.ids()[2], user=None)
    assert watch.poll(detector).ask_for == 1


def test_an_event_that_was_lost_is_repeated(watch):
    """A run that never begins does not leave its devices waiting until the next full run."""
    detector = watch.detector()
    watch.poll(detector)
    watch.change(watch.ids()[0], user=None)
    assert watch.poll(detector).ask_for == 1
    assert watch.poll(detector, after_s=LOST_EVENT_S + 1).ask_for == 1


def test_a_mass_enrolment_makes_few_runs(tmp_path):
    """A burst waits until a sweep finds no more of it, but not for ever."""
    with watching(tmp_path, devices=4) as watch:
        detector = watch.detector()
        watch.poll(detector)
        asked = []
        for _ in range(3):
            watch.change_fleet(enroll=BURST_DEVICES + 1)
            asked.append(watch.poll(detector).ask_for)
        asked.append(watch.poll(detector).ask_for)
        assert asked == [0, 0, 0, 3 * (BURST_DEVICES + 1)]


def test_a_failed_run_gives_its_devices_back_but_not_at_once(watch):
    """Devices of a run that failed wait for the next one; runs that keep failing come less and less often."""
    detector, device_id = watch.detector(), watch.ids()[0]
    watch.poll(detector)
    watch.change(device_id, user=None)
    watch.poll(detector)
    assert watch.queue.claim("r1") == (device_id,)
    watch.queue.give_back("r1")
    assert watch.poll(detector, after_s=16).ask_for == 0
    assert watch.poll(detector, after_s=16).ask_for == 1
    assert watch.queue.claim("r2") == (device_id,)
    watch.queue.give_back("r2")
    assert watch.poll(detector, after_s=35).ask_for == 0
    assert watch.poll(detector, after_s=30).ask_for == 1


def test_a_device_that_changes_while_a_run_carries_it_waits_anew(watch):
    """The run confirms what it fetched, not what came afterwards."""
    detector, device_id = watch.detector(), watch.ids()[0]
    watch.poll(detector)
    watch.change(device_id, user=None)
    watch.poll(detector)
    watch.queue.claim("r1")
    watch.change_fleet(rename=8)
    watch.poll(detector)
    watch.queue.confirm("r1")
    assert device_id in watch.queue.claim("r2")


def test_a_tenant_that_is_down_is_left_alone_for_longer_and_longer(watch):
    """A failing Iru is asked less often, nothing is lost meanwhile, and no error ends the watcher."""
    detector = watch.detector()
    watch.poll(detector)
    watch.change(watch.ids()[0], user=None)
    url = f"{watch.sandbox.iru.url}/_sandbox/faults"
    requests.post(url, json=[{"kind": "error_503", "share": 1.0}], timeout=10).raise_for_status()
    waits = [watch.poll(detector, after_s=700).again_in_s for _ in range(4)]
    assert waits[0] >= 15
    assert waits[3] > waits[0]
    requests.delete(url, timeout=10).raise_for_status()
    assert watch.poll(detector, after_s=700).ask_for == 1


def test_a_tenant_that_says_when_is_left_alone_until_then(watch):
    """An hour that Iru asks for is an hour without a request."""
    detector = watch.detector()
    watch.poll(detector)
    url = f"{watch.sandbox.iru.url}/_sandbox/faults"
    fault = {"kind": "error_503", "share": 1.0, "retry_after_s": 3600}
    requests.post(url, json=[fault], timeout=10).raise_for_status()
    assert watch.poll(detector, after_s=700).again_in_s >= 3600


def test_a_wrong_token_is_said_and_waited_for(watch, caplog):
    """A token that was revoked ends in one clear warning at each try, without the token."""
    detector = watch.detector(token="revoked-token")
    assert watch.poll(detector).ask_for == 0
    assert "401" in caplog.text
    assert "revoked-token" not in caplog.text


def test_without_the_audit_log_the_list_of_devices_is_enough(watch, caplog):
    """A token that may not read the audit log costs speed in large fleets, not changes."""
    url = f"{watch.sandbox.iru.url}/_sandbox/tokens"
    token = requests.post(url, json={"denied": ["GET /audit/*"]}, timeout=10).json()["token"]
    detector = watch.detector(token=token)
    watch.poll(detector)
    assert "audit log is of no use" in caplog.text
    watch.change(watch.ids()[0], user=None)
    assert watch.poll(detector).ask_for == 1
    before = watch.asked()["GET /api/v1/audit/events"]
    watch.poll(detector, after_s=60)
    assert watch.asked()["GET /api/v1/audit/events"] == before


@pytest.mark.parametrize(
    ("devices", "remaining", "every_s"),
    [
        (1_000, 10_000, SHORTEST_SWEEP_S),
        (10_000, 10_000, 3600 * 35 / (2500 - 120)),
        (10_000, 5_000, 3600 * 35 / (2500 - 120)),
        (10_000, 2_500, 3600 * 35 / (1250 - 120)),
        (10_000, 0, LONGEST_SWEEP_S),
        (1_000_000, 10_000, LONGEST_SWEEP_S),
    ],
)
def test_sweeps_keep_to_the_share_of_what_is_left(devices, remaining, every_s):
    """Large fleets are swept less often, and every fleet less often when others use the quota up."""
    assert Cadence(0.25).sweep_every_s(devices, Quota(HOUR, remaining, 0.0)) == pytest.approx(every_s)


def test_an_idle_fleet_costs_two_requests_a_minute_and_its_sweeps(watch):
    """Ten quiet minutes: the audit log every half minute, the list of devices (one page and its end) every 15 s."""
    detector = watch.detector()
    until_s = watch.now_s + 600
    while watch.now_s < until_s:
        poll = detector.poll()
        watch.now_s += poll.again_in_s
    asked = watch.asked()
    assert asked["GET /api/v1/audit/events"] <= 21
    assert asked["GET /api/v1/devices"] <= 2 * 41


def test_a_pause_is_never_shorter_than_the_server_asks():
    """The server's own hint is the least pause, and jitter keeps two installations apart."""
    assert backoff_s(1, after_s=300) == 300
    assert 15 <= backoff_s(1) <= 30
    assert 300 <= backoff_s(9) <= 600


def test_only_mapped_fields_make_a_change():
    """What the mapping does not read may change as it likes; what an operator adds is watched."""
    fields = watched_fields(MAPPING)
    row = {"device_id": "d1", "device_name": "a", "asset_tag": "1", "last_check_in": "t", "user": {"email": "a@b.c"}}
    assert fingerprints([row], fields) == fingerprints([row | {"asset_tag": "2", "last_check_in": "u"}], fields)
    assert fingerprints([row], fields) != fingerprints([row | {"user": ""}], fields)
    computer = MAPPING.feeds["computer"]
    more = replace(computer, columns=(*computer.columns, Column("asset_tag", fields=("asset_tag",))))
    wider = watched_fields(replace(MAPPING, feeds={**MAPPING.feeds, "computer": more}))
    assert fingerprints([row], wider) != fingerprints([row | {"asset_tag": "2"}], wider)


def test_a_hostile_row_has_no_fingerprint():
    """A device id that could not stand in an address is not asked for later."""
    rows = [{"device_id": value} for value in ("../users", "", None, 7, ["a"], "x" * 65)]
    assert fingerprints(rows, watched_fields(MAPPING)) == {}


def test_the_audit_log_is_walked_over_its_pages(watch):
    """More events than a page holds are all read, the oldest first, and only from the moment that was asked for."""
    client = IruClient(IruSettings(watch.sandbox.iru.url, watch.sandbox.iru.token))
    start = newest_event(client)
    watch.change_fleet(enroll=600)
    events = list(iter_audit(client, since=start.occurred_at))
    fresh = [event for event in events if event.event_id != start.event_id]
    assert len({event.event_id for event in fresh}) >= 600
    assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)
