"""Which failures Airflow tries again, and when."""

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

from include.errors import CountsDisagree, RetryLater, RunUnsafe, SetupWrong

if TYPE_CHECKING:
    from airflow.sdk import Context

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
