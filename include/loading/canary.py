"""Read back what ServiceNow stored of a few rows, before the others are sent.

insertMultiple drops what it does not know without a word: with wrong keys rows are stored empty, and where the
transform can do without the empty columns it even counts them as inserted. So what is stored is compared with what
was sent.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from include.errors import AnswerUnusable, RetryLater
from include.loading.chunks import Chunk
from include.loading.records import Record
from include.loading.spec import LoadSpec
from include.loading.verdicts import StoredOtherwise, is_pending, join, key_of
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import read_import_rows, read_newest_rows
from include.servicenow.judge import AccessDenied
from include.servicenow.table_api import Row

log = logging.getLogger(__name__)

BULK_ROWS = 50
"""A load of more rows sends a canary first; a smaller one is its own."""


def choose_canary(records: Sequence[Record], rows: Sequence[int]) -> list[int]:
    """Return the fewest rows, of the fullest first, that between them fill every column that any row fills."""
    missing = {name for row in rows for name in records[row]}
    chosen: list[int] = []
    while missing:
        best = max(rows, key=lambda row: (len(missing & records[row].keys()), sum(map(len, records[row].values()))))
        chosen.append(best)
        missing -= records[best].keys()
    return sorted(chosen)


def check_canary(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, labels: Mapping[str, str]
) -> None:
    """Raise StoredOtherwise for keys that were not sent, and for columns whose values were dropped or cut.

    Where the staging rows may not be read, nothing can be told, and that is logged.
    """
    columns = _columns(chunk)
    try:
        rows = _stored(client, spec, chunk, import_set, columns)
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("What %s stored cannot be compared with what was sent: %s", spec.table, error)
        return
    _compare(spec, chunk, rows, labels)


def check_at_once(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, labels: Mapping[str, str]
) -> bool:
    """Check a canary that was just sent; False, and nothing checked, where its rows are not all there and transformed.

    Raises as ``check_canary`` does.
    """
    try:
        rows = read_import_rows(client, spec.table, import_set, columns=_columns(chunk))
    except (AccessDenied, AnswerUnusable, RetryLater):
        return False
    if len(rows) != len(chunk.rows) or any(is_pending(row.get("sys_import_state", "")) for row in rows):
        return False
    join(chunk, rows, keys=spec.key_columns, import_set=import_set, others=None)  # refuses keys that were not sent
    _compare(spec, chunk, rows, labels)
    return True


def _columns(chunk: Chunk) -> list[str]:
    return list(dict.fromkeys(name for record in chunk.records for name in record))


def _compare(spec: LoadSpec, chunk: Chunk, rows: Sequence[Row], labels: Mapping[str, str]) -> None:
    columns = _columns(chunk)
    pairs = list(_pairs(chunk, rows, spec.key_columns))
    if not pairs:
        log.warning("What %s stored cannot be compared with what was sent: its rows are not shown.", spec.table)
    if _shows_keys_only(pairs, spec.key_columns):
        log.warning("What %s stored cannot be compared with what was sent: its columns are not shown.", spec.table)
        return
    _refuse_dropped(spec, [name for name in columns if _is_dropped(name, pairs)], labels)
    for name in columns:
        if any(_is_cut(sent.get(name, ""), stored.get(name, "")) for sent, stored in pairs):
            _refuse_cut(spec, name)


def _stored(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, columns: Sequence[str]
) -> list[Row]:
    if spec.method == "single":  # its rows are in an import set with others'
        return [row for record in chunk.records for row in _newest(client, spec, record, columns)]
    rows = read_import_rows(client, spec.table, import_set, columns=columns)
    join(chunk, rows, keys=spec.key_columns, import_set=import_set, others=None)  # refuses keys that were not sent
    return rows


def _newest(client: ServiceNowClient, spec: LoadSpec, record: Record, columns: Sequence[str]) -> list[Row]:
    """Return the newest staging row of a record; of several in one second, the one that is most like it."""
    rows = read_newest_rows(client, spec.table, record, keys=spec.key_columns, columns=columns)
    same_second = [row for row in rows if row.get("sys_created_on") == rows[0].get("sys_created_on")]
    return sorted(same_second, key=lambda row: sum(row.get(name) == value for name, value in record.items()))[-1:]


def _refuse_dropped(spec: LoadSpec, dropped: Sequence[str], labels: Mapping[str, str]) -> None:
    if not dropped:
        return
    keys = ", ".join(repr(labels[name]) for name in dropped)
    kind = "name" if spec.method == "single" else spec.column_keys
    raise StoredOtherwise(
        f"ServiceNow took rows into {spec.table} but stored nothing in {', '.join(dropped)}: it does not know the "
        f"{kind} {keys}, or the service account may not read the column. Correct the column or its label in the "
        "mapping, 'column_keys' in the extra of the ServiceNow connection, or the account's access. Nothing more was "
        "sent."
    )


def _refuse_cut(spec: LoadSpec, name: str) -> None:
    if name in spec.may_be_cut:
        log.warning("ServiceNow cuts values of %s: its column in %s is too short.", name, spec.table)
        return
    raise StoredOtherwise(
        f"ServiceNow cut a value of {name}: its column in {spec.table} is too short. Widen it in ServiceNow, or "
        f'allow the cut with too_long = "cut" for {name} in the mapping. Nothing more was sent.'
    )


def _pairs(chunk: Chunk, rows: Sequence[Row], keys: Sequence[str]) -> Iterable[tuple[Row, Row]]:
    """Yield each record with its staging row, but for keys that occur more than once."""
    stored = {key_of(row, keys): row for row in rows}
    sent = {key_of(record, keys): record for record in chunk.records}
    return ((record, stored[key]) for key, record in sent.items() if key in stored)


def _shows_keys_only(pairs: Sequence[tuple[Row, Row]], keys: Sequence[str]) -> bool:
    """Say whether rows were sent with other columns than their keys and none of these is shown."""
    others = [(name, stored) for sent, stored in pairs for name in sent if name not in keys]
    return bool(others) and not any(name in stored for name, stored in others)


def _is_dropped(name: str, pairs: Sequence[tuple[Row, Row]]) -> bool:
    """Say whether a column that was sent holds nothing in any row; one that does not exist is not even shown."""
    rows = [stored for sent, stored in pairs if sent.get(name)]
    return bool(rows) and not any(stored.get(name) for stored in rows)


def _is_cut(sent: str, stored: str) -> bool:
    return bool(stored) and len(stored) < len(sent.strip()) and sent.startswith(stored)
