"""Tell when an import set's transform has ended, from whatever the account may read of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from include.errors import RetryLater, SetupWrong
from include.loading.spec import LoadSpec
from include.loading.verdicts import is_pending
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import RunCounters, read_import_rows, read_runs, read_state
from include.servicenow.judge import AccessDenied

FIRST_POLL_S = 0.25
LONGEST_POLL_S = 5.0

SET_DONE = ("processed", "complete", "complete_with_errors")
_SET_BROKEN = ("error", "cancelled")
_RUN_DONE = ("complete", "complete_with_errors", "complete with errors")
_RUN_BROKEN = ("cancelled", "did_not_complete", "did not complete", "error")
_POLLS_BETWEEN_RUNS = 8
_LAST_POLL = 0
"""The poll before a load gives up waiting asks the runs too: one may have been broken off behind the set's back."""


class TransformPending(RetryLater):
    """An import set is not transformed yet; nothing is wrong, and it is to be asked about again."""


class Ending(StrEnum):
    """How a transform ended: DONE, or BROKEN, where rows may be left that nothing will transform any more."""

    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes while a transform runs; tests bring their own. ``wall_s`` is the date, in unix seconds."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wall_s: Callable[[], float] = time.time


def wait_for_transform(
    client: ServiceNowClient,
    spec: LoadSpec,
    import_set: str,
    *,
    rows: int,
    waiting: Waiting,
    patience_s: float | None = None,
) -> Ending:
    """Return how the transform of an import set of so many ``rows`` ended, once it has.

    Raises TransformPending when it takes longer than the spec, or ``patience_s``, allows; SetupWrong when nothing of it
    may be read.
    """
    deadline_s = waiting.now_s() + (spec.transform_timeout_s if patience_s is None else patience_s)
    pause_s, polls = FIRST_POLL_S, 1
    while not (ending := _ending(client, spec, import_set, rows=rows, poll=polls)):
        if waiting.now_s() >= deadline_s:
            if ending := _ending(client, spec, import_set, rows=rows, poll=_LAST_POLL):
                return ending
            raise TransformPending(
                f"The transform of import set {import_set} in {spec.table} has not ended after "
                f"{spec.transform_timeout_s:.0f} s: it is queued, or no transform map is active. It will be asked "
                "about, not sent, again.",
                maybe_done=True,
            )
        waiting.sleep(pause_s)
        pause_s, polls = min(LONGEST_POLL_S, pause_s * 1.5), polls + 1
    return ending


def have_ended(client: ServiceNowClient, spec: LoadSpec, sets: Mapping[str, int]) -> bool:
    """Say, asking once, whether the transforms of all import sets have ended; ``sets`` are rows by sys_id.

    Raises what stands in the way of asking, Refused among it where a set is no longer there.
    """
    return all(_ending(client, spec, sys_id, rows=rows, poll=_LAST_POLL) for sys_id, rows in sets.items())


def is_under_way(state: str) -> bool:
    """Say whether an import set's state, where it is shown, means that its transform is still to end."""
    return bool(state) and state not in (*SET_DONE, *_SET_BROKEN)


def has_ended(runs: Sequence[RunCounters], rows: int) -> bool:
    """Say whether the runs of an import set of so many rows tell that its transform has ended, well or not."""
    return bool(runs) and _ending_of(runs, rows) is not None


def runs_of(client: ServiceNowClient, import_set: str) -> list[RunCounters]:
    """Return the counters of an import set's runs, or nothing where the account may not read them."""
    try:
        return read_runs(client, import_set)
    except AccessDenied:
        return []


def is_broken(runs: Sequence[RunCounters]) -> bool:
    """Say whether a run of an import set was broken off."""
    return any(run.state in _RUN_BROKEN for run in runs)


def _ending(client: ServiceNowClient, spec: LoadSpec, import_set: str, *, rows: int, poll: int) -> Ending | None:
    """Believe the import set's state; ask its runs, then its rows, where that says nothing. None while it goes on."""
    state = _state(client, import_set)
    if state in SET_DONE:
        return Ending.DONE
    if state in _SET_BROKEN:
        return Ending.BROKEN
    if state and poll % _POLLS_BETWEEN_RUNS:
        return None
    runs = runs_of(client, import_set)
    if runs:
        return _ending_of(runs, rows)
    return Ending.DONE if not state and _rows_have_ended(client, spec, import_set, rows=rows) else None


def _ending_of(runs: Sequence[RunCounters], rows: int) -> Ending | None:
    if is_broken(runs):
        return Ending.BROKEN
    return Ending.DONE if all(run.state in _RUN_DONE and run.counted >= rows for run in runs) else None


def _state(client: ServiceNowClient, import_set: str) -> str:
    """Return the import set's state, "" where the account may not read it."""
    try:
        return read_state(client, import_set)
    except AccessDenied:
        return ""


def _rows_have_ended(client: ServiceNowClient, spec: LoadSpec, import_set: str, *, rows: int) -> bool:
    try:
        found = read_import_rows(client, spec.table, import_set, columns=spec.key_columns)
    except AccessDenied as error:
        raise SetupWrong(
            f"The service account may read neither sys_import_set, nor its runs, nor the rows of {spec.table}, so that "
            f"no row's verdict can be known ({error}) Let it read import sets, or load with load_method = 'single'."
        ) from None
    return len(found) == rows and not any(is_pending(row.get("sys_import_state", "")) for row in found)
