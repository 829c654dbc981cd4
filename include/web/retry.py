"""The one retry policy: the server's hint first, else exponential with full jitter, within bounds."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.stop import stop_after_attempt

from include.errors import RetryLater
from include.web.transport import RequestCount

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long one request may be tried again inside a task.

    ``budget_s`` bounds the waiting of one request in total; a server that asks for more gets its wish from Airflow's
    own task retry instead of a blocked worker slot. ``elapsed_budget_s`` bounds waiting and trying together: no new
    try begins that long after the first one. ``run_budget_s`` bounds the waiting of all requests that share a count,
    so that a sick server does not hold a worker for hours (the waits of threads add up).
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    budget_s: float = 120.0
    elapsed_budget_s: float = 600.0
    run_budget_s: float = 900.0
    sleep: Callable[[float], None] = field(default=time.sleep)

    def call(self, attempt: Callable[[], T], *, repeat_unsure: bool, count: RequestCount | None = None) -> T:
        """Call ``attempt`` until it succeeds or the bounds are reached; its last error is raised.

        ``repeat_unsure`` False leaves a RetryLater with ``maybe_done`` to the caller. Each repetition and its wait go
        into ``count``, which also holds what is left of the run's budget.
        """
        kept = RequestCount() if count is None else count
        retrying = Retrying(
            retry=retry_if_exception(lambda error: _repeatable(error, repeat_unsure)),
            stop=lambda state: stop_after_attempt(self.attempts)(state) or self._over_budget(state, kept),
            wait=self._wait_s,
            sleep=self.sleep,
            before_sleep=lambda state: _note(state, kept),
            reraise=True,
        )
        return retrying(attempt)

    def _wait_s(self, state: RetryCallState) -> float:
        hint_s = getattr(_error(state), "after_s", None)
        if hint_s is not None:
            return float(hint_s)
        ceiling_s = min(self.longest_wait_s, self.first_wait_s * 2 ** (state.attempt_number - 1))
        return random.uniform(0, ceiling_s)  # noqa: S311 - jitter, not cryptography

    def _over_budget(self, state: RetryCallState, count: RequestCount) -> bool:
        wait_s = state.upcoming_sleep
        if state.idle_for + wait_s > self.budget_s:
            return True
        if (state.seconds_since_start or 0.0) + wait_s > self.elapsed_budget_s:
            return True
        spent = count.waited_s + wait_s > self.run_budget_s
        if spent:
            log.warning("This run has waited %.0f s for the server already; no more within this task.", count.waited_s)
        return spent


def _repeatable(error: BaseException, repeat_unsure: bool) -> bool:
    return isinstance(error, RetryLater) and (repeat_unsure or not error.maybe_done)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _note(state: RetryCallState, count: RequestCount) -> None:
    count.add_retry(state.upcoming_sleep)
    log.warning("%s Trying again in %.1f s (attempt %d).", _error(state), state.upcoming_sleep, state.attempt_number)
