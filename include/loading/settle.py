"""Wait for an import set's transform and turn its records into verdicts."""

from collections.abc import Sequence

from include.errors import RetryLater
from include.loading.chunks import Chunk
from include.loading.receipts import Sent
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.loading.transforms import (
    FIRST_POLL_S,
    LONGEST_POLL_S,
    Ending,
    Waiting,
    is_broken,
    runs_of,
    wait_for_transform,
)
from include.loading.verdicts import SUCCESS_STATES, is_pending, join, only_success
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import RunCounters, read_import_rows
from include.servicenow.table_api import Row

_READS = 5


def settle(
    client: ServiceNowClient,
    spec: LoadSpec,
    chunk: Chunk,
    sent: Sent,
    *,
    waiting: Waiting | None = None,
    patience_s: float | None = None,
) -> list[RowVerdict]:
    """Return the verdicts of a chunk that went into an import set.

    Rows that a broken-off transform left behind have none; they may be sent again. Raises RetryLater when the transform
    takes longer than the spec allows (or ``patience_s``, where some of that has passed); the chunk must then not be
    sent again but asked about later.
    """
    waiting = waiting or Waiting()
    ending = wait_for_transform(
        client, spec, sent.sys_id, rows=len(chunk.records), waiting=waiting, patience_s=patience_s
    )
    for attempt in range(_READS):
        runs = runs_of(client, sent.sys_id)
        if ending is Ending.BROKEN or is_broken(runs):
            return _left_behind(client, spec, chunk, sent)
        if len(runs) != 1 or not sent.whole:
            break
        verdicts = _by_counters(client, spec, chunk, sent.sys_id, runs[0])
        if verdicts is not None:
            return verdicts
        waiting.sleep(min(LONGEST_POLL_S, FIRST_POLL_S * 2**attempt))
    return _by_rows(client, spec, chunk, sent, waiting)


def settle_by_run(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, sent: Sent, run: RunCounters
) -> list[RowVerdict] | None:
    """Return the verdicts of a chunk whose import set has ended with this one run; None where that does not tell."""
    return _by_counters(client, spec, chunk, sent.sys_id, run) if sent.whole else None


def _by_counters(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, run: RunCounters
) -> list[RowVerdict] | None:
    """Settle a chunk by one run's counters and the rows that did not succeed; None where they do not add up (yet)."""
    if run.counted != len(chunk.records):
        return None
    success = only_success(run)
    if success is None and run.successes:
        rows = _read(client, spec, import_set, without_states=())
        return _join(spec, chunk, import_set, rows, None) if _complete(rows, len(chunk.records)) else None
    if success and run.successes == len(chunk.rows):
        return [RowVerdict(row, success, "", import_set) for row in chunk.rows]
    wanted = len(chunk.records) - run.successes
    rows = _read(client, spec, import_set, without_states=SUCCESS_STATES) if wanted else []
    return _join(spec, chunk, import_set, rows, success) if _complete(rows, wanted) else None


def _by_rows(client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, sent: Sent, waiting: Waiting) -> list[RowVerdict]:
    """Settle a chunk by the state of every staging row, where counters are missing, lag or count several maps."""
    for attempt in range(_READS):
        rows = _read(client, spec, sent.sys_id, without_states=())
        if all(not is_pending(row.get("sys_import_state", "")) for row in rows):
            return _join(spec, chunk, sent.sys_id, rows, None, whole=sent.whole)
        waiting.sleep(min(LONGEST_POLL_S, FIRST_POLL_S * 2**attempt))
    raise RetryLater(
        f"Import set {sent.sys_id} in {spec.table} says that it is processed, but rows of it are still pending.",
        maybe_done=True,
    )


def _left_behind(client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, sent: Sent) -> list[RowVerdict]:
    """Settle what a broken-off transform did; a row that it leaves behind alone is refused, for it would be again."""
    rows = _read(client, spec, sent.sys_id, without_states=())
    verdicts = _join(spec, chunk, sent.sys_id, rows, None, whole=False)
    if verdicts or len(chunk.rows) > 1:
        return verdicts
    message = "ServiceNow broke off the transform of this row; its import log says why."
    return [RowVerdict(chunk.rows[0], Outcome.ERROR, message, sent.sys_id)]


def _read(client: ServiceNowClient, spec: LoadSpec, import_set: str, *, without_states: Sequence[str]) -> list[Row]:
    return read_import_rows(
        client, spec.table, import_set, columns=spec.key_columns, without_states=tuple(without_states)
    )


def _complete(rows: Sequence[Row], wanted: int) -> bool:
    return len(rows) == wanted and all(not is_pending(row.get("sys_import_state", "")) for row in rows)


def _join(
    spec: LoadSpec, chunk: Chunk, import_set: str, rows: Sequence[Row], others: Outcome | None, *, whole: bool = True
) -> list[RowVerdict]:
    return join(chunk, rows, keys=spec.key_columns, import_set=import_set, others=others, whole=whole)
