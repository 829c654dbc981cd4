"""Tell when an import set's transform has ended, from whatever the account may read of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from include.errors import RetryLater, SetupWrong
from include.loading.spec import LoadSpec
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import RunCounters, read_import_rows, read_runs, read_state
from include.servicenow.judge import AccessDenied

FIRST_POLL_S = 0.25
LONGEST_POLL_S = 5.0

_SET_ENDED = ("processed", "error", "cancelled", "complete", "complete_with_errors")
_RUN_ENDED = ("complete", "complete_with_errors", "complete with errors", "cancelled", "did_not_complete")
_POLLS_BETWEEN_RUNS = 8
_ROW_NOT_YET = ("", "pending")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes while a transform runs; tests bring their own."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_for_transform(
    client: ServiceNowClient, spec: LoadSpec, import_set: str, *, rows: int, waiting: Waiting
) -> None:
    """Return once the transform of an import set of so many ``rows`` has ended.

    Raises RetryLater when it takes longer than the spec allows, SetupWrong when the account may read nothing of it.
    """
    deadline_s = waiting.now_s() + spec.transform_timeout_s
    pause_s, polls = FIRST_POLL_S, 0
    while not _has_ended(client, spec, import_set, rows=rows, poll=(polls := polls + 1)):
        if waiting.now_s() >= deadline_s:
            raise RetryLater(
                f"The transform of import set {import_set} in {spec.table} has not ended after "
                f"{spec.transform_timeout_s:.0f} s: it is queued, or no transform map is active. It will be asked "
                "about, not sent, again.",
                maybe_done=True,
            )
        waiting.sleep(pause_s)
        pause_s = min(LONGEST_POLL_S, pause_s * 1.5)


def runs_of(client: ServiceNowClient, import_set: str) -> list[RunCounters]:
    """Return the counters of an import set's runs, or nothing where the account may not read them."""
    try:
        return read_runs(client, import_set)
    except AccessDenied:
        return []


def is_pending(state: str) -> bool:
    """Say whether a staging row's state means that its transform is still to come."""
    return state.lower() in _ROW_NOT_YET


def _has_ended(client: ServiceNowClient, spec: LoadSpec, import_set: str, *, rows: int, poll: int) -> bool:
    """Believe the import set's state; ask its runs, then its rows, where that says nothing."""
    state = _state(client, import_set)
    if state in _SET_ENDED:
        return True
    if state and poll % _POLLS_BETWEEN_RUNS:
        return False
    runs = runs_of(client, import_set)
    if runs:
        return all(run.state in _RUN_ENDED and run.counted >= rows for run in runs)
    return not state and _rows_have_ended(client, spec, import_set, rows=rows)


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
