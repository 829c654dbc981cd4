"""Which failures Airflow tries again, and when."""

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryAction, RetryDecision, RetryPolicy, get_current_context
from airflow.sdk.exceptions import AirflowFailException

from include.errors import CountsDisagree, RetryLater, RunUnsafe, SetupWrong

if TYPE_CHECKING:
    from airflow.sdk import Context

MAX_RETRY_DELAY = timedelta(minutes=10)

_FAIL: tuple[tuple[type[Exception], str], ...] = (
    (SetupWrong, "A person must change the set-up; see the message above."),
    (RunUnsafe, "A guard stopped the run; see the message above."),
    (CountsDisagree, "The counts would not add up the next time either."),
)


class AsTold(RetryPolicy):
    """Fails at once what only a person can mend, waits as long as a server asked for, and leaves the rest to Airflow.

    Airflow serialises no more of it than that there is one: it is asked in the worker.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: "Context | None" = None
    ) -> RetryDecision:
        """Return what to do about a task's failure; Airflow still bounds the number of tries."""
        for kind, reason in _FAIL:
            if isinstance(exception, kind):
                return RetryDecision.fail(reason)
        if isinstance(exception, RetryLater) and exception.after_s is not None:
            return RetryDecision.retry(timedelta(seconds=exception.after_s), f"Told to wait {exception.after_s:g} s.")
        return RetryDecision.default()


def pause_s(error: Exception) -> float:
    """Return the longest time, in seconds, until Airflow tries the task again that fails with ``error``; 0 for never.

    A pause that a server asked for counts as one of ours at most: who waits for longer may be overtaken.
    Source: Airflow draws the pause before try n + 1 between ``retry_delay`` * 2 ** (n - 1) and twice as much.
    """
    try:
        context = get_current_context()
    except RuntimeError:  # a stage that is called outside of Airflow
        return 0.0
    ti, task = context["ti"], context["task"]
    decision = AsTold().evaluate(error, ti.try_number, ti.max_tries)
    is_last = ti.try_number > ti.max_tries or isinstance(error, AirflowFailException)
    if is_last or decision.action is RetryAction.FAIL:
        return 0.0
    pause: timedelta = decision.retry_delay or task.retry_delay * 2**ti.try_number
    return min(pause, MAX_RETRY_DELAY).total_seconds()
