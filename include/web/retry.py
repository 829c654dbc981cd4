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

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long one request may be tried again inside a task.

    ``budget_s`` bounds the waiting of one request in total; a server that asks for more
    gets its wish from Airflow's own task retry instead of a blocked worker slot.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    budget_s: float = 120.0
    sleep: Callable[[float], None] = field(default=time.sleep)

    def call(self, attempt: Callable[[], T], *, repeat_unsure: bool) -> T:
        """Call ``attempt`` until it succeeds or the bounds are reached; its last error is raised.

        ``repeat_unsure`` False leaves a RetryLater with ``maybe_done`` to the caller.
        """
        retrying = Retrying(
            retry=retry_if_exception(lambda error: _repeatable(error, repeat_unsure)),
            stop=lambda state: stop_after_attempt(self.attempts)(state) or self._over_budget(state),
            wait=self._wait_s,
            sleep=self.sleep,
            before_sleep=_say_so,
            reraise=True,
        )
        return retrying(attempt)

    def _wait_s(self, state: RetryCallState) -> float:
        hint_s = getattr(_error(state), "after_s", None)
        if hint_s is not None:
            return float(hint_s)
        ceiling_s = min(self.longest_wait_s, self.first_wait_s * 2 ** (state.attempt_number - 1))
        return random.uniform(0, ceiling_s)  # noqa: S311 - jitter, not cryptography

    def _over_budget(self, state: RetryCallState) -> bool:
        return state.idle_for + state.upcoming_sleep > self.budget_s


def _repeatable(error: BaseException, repeat_unsure: bool) -> bool:
    return isinstance(error, RetryLater) and (repeat_unsure or not error.maybe_done)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _say_so(state: RetryCallState) -> None:
    log.warning("%s Trying again in %.1f s (attempt %d).", _error(state), state.upcoming_sleep, state.attempt_number)
