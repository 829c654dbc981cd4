"""Every error that the pipeline raises on purpose; the class says what the caller should do."""


class PipelineError(Exception):
    """Base of the project's own errors; its text is fit for an on-call person and holds no secret."""


class SetupWrong(PipelineError):
    """A person must change something (connection, mapping, permission, param); trying again is no use."""


class RunUnsafe(PipelineError):
    """Going on could damage ServiceNow's data, so the run stops before it writes."""


class CountsDisagree(PipelineError):
    """A run's verdicts do not add up to the rows that it extracted."""


class AnswerUnusable(PipelineError):
    """A server answered something that its documentation does not allow for."""


class StorageFailed(PipelineError):
    """A file or the ledger could not be written or read (a full disk, a missing permission)."""


class RetryLater(PipelineError):
    """The same request may succeed later.

    ``after_s`` is the server's own hint in seconds, or None. ``maybe_done`` is True when the server may have
    done the work although its answer was lost, so that a write must not be repeated blindly.
    """

    def __init__(self, message: str, *, after_s: float | None = None, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.maybe_done = maybe_done
