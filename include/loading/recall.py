"""Find out what became of a request whose answer was lost, so that nothing is sent a second time without need.

insertMultiple takes no mark of ours, so what arrived is known by its content: the newest staging row with a record's
key, stored since the request was begun, that holds what was sent.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from include.errors import AnswerUnusable
from include.loading.chunks import Chunk
from include.loading.receipts import Begun
from include.loading.records import Record
from include.loading.spec import LoadSpec
from include.loading.transforms import FIRST_POLL_S, Waiting
from include.loading.verdicts import is_pending, key_of
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import ImportSet, read_import_rows, read_newest_rows
from include.servicenow.judge import AccessDenied
from include.servicenow.table_api import Row

log = logging.getLogger(__name__)

_LONGEST_LOOK_S = 8.0
_CLOCK_SLACK_S = 3.0
_UNKNOWN_CLOCK_SLACK_S = 600.0


def find_import_set(
    client: ServiceNowClient,
    spec: LoadSpec,
    chunk: Chunk,
    *,
    begun: Begun,
    known: Collection[str],
    ended: bool,
    waiting: Waiting,
) -> ImportSet | None:
    """Return the import set that a chunk arrived in, or None where it did not arrive.

    ``known`` are import sets of other chunks, and may grow meanwhile. Unless ServiceNow's work on the request has
    ``ended``, it is looked for until it must have. Where staging rows may not be read nothing is found; rows coalesce
    when they are sent again.
    """
    probe = _askable(chunk.records, spec.key_columns)
    if probe is None:
        return None
    deadline_s = begun.at_s + spec.lost_answer_wait_s
    pause_s = FIRST_POLL_S
    while True:
        try:
            found = _look(client, spec, chunk, probe, begun=begun, known=known)
        except (AccessDenied, AnswerUnusable) as error:
            log.warning("Whether rows arrived in %s although the answer was lost cannot be told: %s", spec.table, error)
            return None
        if found and found.whole:
            log.info(
                "The answer to a request into %s was lost; its rows are in import set %s.", spec.table, found.sys_id
            )
            return found
        if ended or waiting.wall_s() >= deadline_s:
            return found
        waiting.sleep(pause_s)
        pause_s = min(_LONGEST_LOOK_S, pause_s * 2)


def find_row(client: ServiceNowClient, spec: LoadSpec, record: Record, *, begun: Begun) -> Row | None:
    """Return the staging row that a record arrived in and that is transformed; None where there is none."""
    if _askable([record], spec.key_columns) is None:
        return None
    try:
        rows = _newest(client, spec, record, begun)
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("Whether a row arrived in %s although its answer was lost cannot be told: %s", spec.table, error)
        return None
    return next((row for row in rows if not is_pending(row.get("sys_import_state", ""))), None)


def _look(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, probe: Record, *, begun: Begun, known: Collection[str]
) -> ImportSet | None:
    rows = _newest(client, spec, probe, begun)
    found = (row.get("sys_import_set", "") for row in rows)
    sys_id = next((import_set for import_set in found if import_set and import_set not in known), None)
    if sys_id is None:
        return None
    stored = read_import_rows(client, spec.table, sys_id, columns=spec.key_columns)
    sent = {key_of(record, spec.key_columns) for record in chunk.records}
    if not {key_of(row, spec.key_columns) for row in stored} <= sent:
        return None
    return ImportSet(sys_id, whole=len(stored) >= len(chunk.records))


def _newest(client: ServiceNowClient, spec: LoadSpec, record: Record, begun: Begun) -> list[Row]:
    """Return the staging rows that hold a record and were stored since the request was begun, newest first."""
    rows = read_newest_rows(client, spec.table, record, keys=spec.key_columns, columns=list(record))
    since_s = begun.at_s - _UNKNOWN_CLOCK_SLACK_S if begun.server_s is None else begun.server_s - _CLOCK_SLACK_S
    since = datetime.fromtimestamp(since_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return [row for row in rows if row.get("sys_created_on", "") >= since and _holds(row, record)]


def _holds(row: Row, record: Record) -> bool:
    """Say whether a staging row may be what became of a record: its columns can be cut, but not hold other things."""
    return all(sent.strip().startswith(row.get(name, "").strip()) for name, sent in record.items())


def _askable(records: Sequence[Record], keys: Sequence[str]) -> Record | None:
    """Return a record whose key an encoded query can spell: a caret would end its condition."""
    return next((r for r in records if all(r.get(name) and "^" not in r[name] for name in keys)), None)
