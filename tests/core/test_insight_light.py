"""What a feed's traffic light says of it."""

from datetime import UTC, datetime

import pytest

from include.insight.light import Signs, judge, spell
from include.insight.period import period_s

HOUR = 3600.0
WELL = {"has_run": True, "success_age_s": 600.0, "period_s": HOUR, "difference": 0}


@pytest.mark.parametrize(
    ("signs", "light", "said"),
    [
        ({}, "green", ""),
        ({"difference": None}, "green", ""),
        ({"period_s": None, "success_age_s": 90 * HOUR}, "green", ""),
        ({"has_run": False}, "grey", "Trigger its DAG"),
        ({"blocked": "There is no ledger.", "failed": "x"}, "grey", "There is no ledger."),
        ({"failed": "extract: 503."}, "red", "The last run failed: extract: 503."),
        ({"success_age_s": None}, "red", "No run of the whole fleet has succeeded"),
        ({"success_age_s": 3.1 * HOUR}, "red", "3 hours ago; a run is due every 60 minutes"),
        ({"success_age_s": 2.9 * HOUR}, "amber", "The last success was 3 hours ago"),
        ({"success_age_s": 1.4 * HOUR}, "green", ""),
        ({"unconfirmed_age_s": 1.1 * HOUR}, "amber", "without a confirmation for 66 minutes"),
        ({"unconfirmed_age_s": 0.9 * HOUR}, "green", ""),
        ({"noticed_age_s": 1.1 * HOUR}, "amber", "noticed 66 minutes ago"),
        ({"noticed_age_s": 50.0}, "green", ""),
        ({"refused": 1}, "amber", "refused 1 row;"),
        ({"parked": 1200}, "amber", "1,200 rows parked"),
        ({"rejected": 2}, "amber", "2 rows cannot be sent"),
        ({"difference": -3}, "amber", "3 rows fewer than Iru"),
        ({"difference": 4}, "amber", "4 rows more than Iru"),
    ],
)
def test_the_light_follows_the_worst_that_is_known(signs, light, said):
    """A person sees at a glance whether somebody has to act, and why."""
    found, why = judge(Signs(**(WELL | signs)))
    assert found == light
    assert said in " ".join(why)
    assert bool(why) == (light != "green")


def test_the_worst_is_said_first():
    """Of several reasons the one that makes the light red comes first."""
    light, why = judge(Signs(**(WELL | {"refused": 2, "failed": "extract: 503."})))
    assert light == "red"
    assert [sentence.split()[0] for sentence in why] == ["The", "ServiceNow"]


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [("0 * * * *", 1), ("@hourly", 1), ("@daily", 24), ("0 2 * * *", 24), ("0 8-18 * * *", 14), ("@weekly", 168)],
)
def test_a_period_is_the_longest_pause_of_a_schedule(schedule, hours):
    """A feed that rests at night by its schedule is not late every night."""
    assert period_s(schedule, datetime(2026, 3, 4, 12, tzinfo=UTC)) == hours * HOUR


def test_without_a_schedule_nothing_is_late():
    """An operator who starts every run by hand gets no alarm from the clock."""
    assert period_s(None, datetime(2026, 3, 4, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 seconds"), (130, "2 minutes"), (7300, "2 hours"), (2e5, "2 days")]
)
def test_durations_are_said_in_one_unit(seconds, words):
    """Ages are read by people."""
    assert spell(seconds) == words
