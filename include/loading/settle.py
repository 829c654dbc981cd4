"""Wait for an import set's transform and turn its records into one verdict per row."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from include.errors import RetryLater
from include.loading.chunks import Chunk
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.loading.verdicts import SUCCESS_STATES, counted, join, only_success, successes
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import RunCounters, read_import_rows, read_runs, read_state
from include.servicenow.judge import AccessDenied
from include.servicenow.table_api import Row

_FIRST_POLL_S = 0.25
_LONGEST_POLL_S = 5.0
_READS = 5
_TRANSFORM_ENDED = ("processed", "error", "cancelled", "complete", "complete_with_errors")
_NOT_YET = ("", "pending")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes while a transform runs; tests bring their own."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def settle(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, *, waiting: Waiting | None = None
) -> list[RowVerdict]:
    """Return the verdicts of a chunk that went into ``import_set``.

    Raises RetryLater when the transform takes longer than the spec allows; the chunk must then not be sent again
    but asked about later.
    """
    waiting = waiting or Waiting()
    _wait_for_transform(client, spec, import_set, waiting)
    for attempt in range(_READS):
        runs = _runs(client, import_set)
        if len(runs) != 1:
            break
        verdicts = _by_counters(client, spec, chunk, import_set, runs[0])
        if verdicts is not None:
            return verdicts
        waiting.sleep(min(_LONGEST_POLL_S, _FIRST_POLL_S * 2**attempt))
    return _by_rows(client, spec, chunk, import_set, waiting)


def _wait_for_transform(client: ServiceNowClient, spec: LoadSpec, import_set: str, waiting: Waiting) -> None:
    deadline_s = waiting.now_s() + spec.transform_timeout_s
    pause_s = _FIRST_POLL_S
    while (state := read_state(client, import_set)) not in _TRANSFORM_ENDED:
        if waiting.now_s() >= deadline_s:
            raise RetryLater(
                f"Import set {import_set} in {spec.table} is still {state!r} after {spec.transform_timeout_s:.0f} s: "
                "its transform is queued, or no transform map is active. It will be asked about, not sent, again.",
                maybe_done=True,
            )
        waiting.sleep(pause_s)
        pause_s = min(_LONGEST_POLL_S, pause_s * 1.5)


def _runs(client: ServiceNowClient, import_set: str) -> list[RunCounters]:
    """Return the runs' counters, or nothing where the account may not read them: the rows then tell."""
    try:
        return read_runs(client, import_set)
    except AccessDenied:
        return []


def _by_counters(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, run: RunCounters
) -> list[RowVerdict] | None:
    """Settle a chunk by one run's counters and the rows that did not succeed; None where they do not add up (yet)."""
    if counted(run) != len(chunk.records):
        return None
    success = only_success(run)
    if success is None and successes(run):
        rows = _read(client, spec, import_set, without_states=())
        return _join(spec, chunk, import_set, rows, None) if _complete(rows, len(chunk.records)) else None
    wanted = len(chunk.records) - successes(run)
    rows = _read(client, spec, import_set, without_states=SUCCESS_STATES) if wanted else []
    return _join(spec, chunk, import_set, rows, success) if _complete(rows, wanted) else None


def _by_rows(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, waiting: Waiting
) -> list[RowVerdict]:
    """Settle a chunk by the state of every staging row, where counters are missing, lag or count several maps."""
    for attempt in range(_READS):
        rows = _read(client, spec, import_set, without_states=())
        if all(row.get("sys_import_state", "").lower() not in _NOT_YET for row in rows):
            return _join(spec, chunk, import_set, rows, None)
        waiting.sleep(min(_LONGEST_POLL_S, _FIRST_POLL_S * 2**attempt))
    raise RetryLater(
        f"Import set {import_set} in {spec.table} says that it is processed, but rows of it are still pending.",
        maybe_done=True,
    )


def _read(client: ServiceNowClient, spec: LoadSpec, import_set: str, *, without_states: Sequence[str]) -> list[Row]:
    return read_import_rows(
        client, spec.table, import_set, columns=spec.key_columns, without_states=tuple(without_states)
    )


def _complete(rows: Sequence[Row], wanted: int) -> bool:
    return len(rows) == wanted and all(row.get("sys_import_state", "").lower() not in _NOT_YET for row in rows)


def _join(
    spec: LoadSpec, chunk: Chunk, import_set: str, rows: Sequence[Row], others: Outcome | None
) -> list[RowVerdict]:
    return join(chunk, rows, keys=spec.key_columns, import_set=import_set, others=others)
