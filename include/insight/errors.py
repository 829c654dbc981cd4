"""Why a question of the page has no answer; what each means for the caller is in its name."""

from include.errors import PipelineError, StorageFailed


class NoLedger(StorageFailed):
    """There is no ledger yet: nothing has been synchronised, which is a state and no failure."""


class OtherForm(StorageFailed):
    """The ledger's tables have the form of another release."""


class TooSlow(StorageFailed):
    """A question took longer than it may; a narrower one may do."""


class NotThere(PipelineError):
    """Nothing is known by that name."""


class BadQuestion(PipelineError):
    """The question itself makes no sense: an unknown filter, a cursor that is none of ours."""


class NoAnswer(PipelineError):
    """A service that was asked right now did not answer."""
