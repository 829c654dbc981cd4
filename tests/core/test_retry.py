"""One request is tried again within bounds, and never blindly when it may have been done."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import RetryLater, SetupWrong
from include.web.pace import Pace
from include.web.retry import RetryPolicy
from include.web.transport import RequestCount


class Attempts:
    """Fails with the given errors in turn, then succeeds; counts the calls."""

    def __init__(self, *errors: Exception) -> None:
        self.left = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        """Make one attempt."""
        self.calls += 1
        if self.left:
            raise self.left.pop(0)
        return "done"


def policy(waits: list[float], **options) -> RetryPolicy:
    """Return a policy that notes its waits instead of sleeping."""
    return RetryPolicy(sleep=waits.append, **options)


def test_a_passing_failure_is_tried_again():
    """A request that fails for a moment succeeds without anybody's help."""
    waits: list[float] = []
    attempts = Attempts(RetryLater("busy"), RetryLater("busy"))
    assert policy(waits).call(attempts, repeat_unsure=False) == "done"
    assert (attempts.calls, len(waits)) == (3, 2)


def test_the_servers_hint_is_honoured():
    """Where a server says how long to wait, exactly that long is waited."""
    waits: list[float] = []
    policy(waits).call(Attempts(RetryLater("limit", after_s=7.0), RetryLater("limit", after_s=0.0)), repeat_unsure=True)
    assert waits == [7.0, 0.0]


def test_a_hint_beyond_the_budget_is_left_to_airflow():
    """A server that asks for more than the budget does not block a worker: the error comes at once, with the hint."""
    waits: list[float] = []
    with pytest.raises(RetryLater) as caught:
        policy(waits).call(Attempts(RetryLater("limit", after_s=3600)), repeat_unsure=True)
    assert (waits, caught.value.after_s) == ([], 3600)


def test_the_waits_of_one_request_are_bounded_in_total():
    """However often a server asks to wait, the sum stays within the budget."""
    waits: list[float] = []
    attempts = Attempts(*[RetryLater("limit", after_s=50.0)] * 5)
    with pytest.raises(RetryLater):
        policy(waits, budget_s=120).call(attempts, repeat_unsure=True)
    assert waits == [50.0, 50.0]


def test_attempts_are_bounded():
    """A request that never succeeds ends with its own last error."""
    attempts = Attempts(*[RetryLater(str(n), after_s=0.0) for n in range(9)])
    with pytest.raises(RetryLater, match="5"):
        policy([], attempts=6).call(attempts, repeat_unsure=True)
    assert attempts.calls == 6


@given(st.integers(1, 9), st.floats(0.1, 2), st.floats(2, 60))
def test_waits_grow_with_jitter_up_to_a_ceiling(failures, first_wait_s, longest_wait_s):
    """Without a hint, the n-th wait is between 0 and the doubled first wait, cut at the longest."""
    waits: list[float] = []
    options = {"first_wait_s": first_wait_s, "longest_wait_s": longest_wait_s, "attempts": 20, "budget_s": 1e9}
    policy(waits, **options).call(Attempts(*[RetryLater("busy")] * failures), repeat_unsure=True)
    assert all(0 <= wait <= min(longest_wait_s, first_wait_s * 2**n) for n, wait in enumerate(waits))


def test_repetitions_and_waits_are_counted():
    """The report can say how often requests were repeated, and how long that took."""
    count = RequestCount()
    errors = [RetryLater("limit", after_s=7.0), RetryLater("limit", after_s=1.5)]
    policy([]).call(Attempts(*errors), repeat_unsure=True, count=count)
    assert (count.retries, count.waited_s, count.total) == (2, 8.5, 0)


def test_counts_of_many_threads_add_up():
    """Threads that share a count lose none of each other's repetitions."""
    count = RequestCount()
    with ThreadPoolExecutor(8) as threads:
        for _ in range(2000):
            threads.submit(count.add_retry, 0.5)
            threads.submit(count.add)
    assert (count.total, count.retries, count.waited_s) == (2000, 2000, 1000.0)


def test_the_waits_of_a_whole_run_are_bounded():
    """A server that is sick all day does not hold a worker all day: once the run's waits are spent, errors come."""
    count, waits = RequestCount(), []
    patient = policy(waits, run_budget_s=100.0)
    for _ in range(4):
        assert patient.call(Attempts(RetryLater("busy", after_s=25.0)), repeat_unsure=True, count=count) == "done"
    with pytest.raises(RetryLater) as caught:
        patient.call(Attempts(RetryLater("busy", after_s=25.0)), repeat_unsure=True, count=count)
    assert (sum(waits), caught.value.after_s) == (100.0, 25.0)
    assert policy([]).call(Attempts(RetryLater("busy")), repeat_unsure=True, count=RequestCount()) == "done"


def test_no_new_try_begins_long_after_the_first(monkeypatch):
    """Tries that take long themselves are bounded by time as well, not by their number alone."""
    now = [0.0]
    monkeypatch.setattr("tenacity.time.monotonic", lambda: now[0])

    def slow() -> str:
        now[0] += 250.0
        raise RetryLater("slow", after_s=0.0)

    with pytest.raises(RetryLater):
        policy([], elapsed_budget_s=600.0).call(slow, repeat_unsure=True)
    assert now[0] == 750.0


@pytest.mark.parametrize(("repeat_unsure", "calls"), [(True, 2), (False, 1)])
def test_what_may_be_done_is_repeated_only_where_that_is_harmless(repeat_unsure, calls):
    """A request whose answer was lost is repeated only if the caller says that repeating does no harm."""
    attempts = Attempts(RetryLater("lost", maybe_done=True))
    if repeat_unsure:
        assert policy([]).call(attempts, repeat_unsure=True) == "done"
    else:
        with pytest.raises(RetryLater):
            policy([]).call(attempts, repeat_unsure=False)
    assert attempts.calls == calls


def test_other_errors_are_not_tried_again():
    """A wrong set-up is told at once."""
    attempts = Attempts(SetupWrong("token"))
    with pytest.raises(SetupWrong):
        policy([]).call(attempts, repeat_unsure=True)
    assert attempts.calls == 1


def test_every_repetition_is_logged(caplog):
    """An operator can see in the log that a request was tried again, why, and after how long."""
    with caplog.at_level(logging.WARNING):
        policy([]).call(Attempts(RetryLater("busy.", after_s=3.0)), repeat_unsure=True)
    assert "busy. Trying again in 3.0 s (attempt 1)." in caplog.text


def test_a_pace_spaces_callers_evenly():
    """No more callers pass in a second than the pace allows, and an idle time is not saved up."""
    now, waits = [100.0], []

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    pace = Pace(10, now_s=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pace.wait()
    now[0] = 200.0
    pace.wait()
    pace.wait()
    assert waits == [0.1, 0.2, 0.1]
