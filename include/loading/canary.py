"""Read back what ServiceNow stored of the first chunk, before the others are sent.

insertMultiple drops what it does not know without a word: with wrong keys rows are stored empty, and where the
transform can do without the empty columns it even counts them as inserted. So what is stored is compared with what
was sent.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from include.errors import AnswerUnusable
from include.loading.chunks import Chunk
from include.loading.spec import LoadSpec
from include.loading.verdicts import StoredOtherwise, join, key_of
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import read_import_rows
from include.servicenow.judge import AccessDenied
from include.servicenow.table_api import Row

log = logging.getLogger(__name__)


def check_canary(
    client: ServiceNowClient, spec: LoadSpec, chunk: Chunk, import_set: str, labels: Mapping[str, str]
) -> None:
    """Raise StoredOtherwise for keys that were not sent and for columns whose values were dropped; warn of cut values.

    Where the staging rows may not be read, nothing can be told, and that is logged.
    """
    columns = list(dict.fromkeys(name for record in chunk.records for name in record))
    try:
        rows = read_import_rows(client, spec.table, import_set, columns=columns)
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("What %s stored cannot be compared with what was sent: %s", spec.table, error)
        return
    join(chunk, rows, keys=spec.key_columns, import_set=import_set, others=None)  # refuses keys that were not sent
    pairs = list(_pairs(chunk, rows, spec.key_columns))
    if not pairs:
        log.warning("What %s stored cannot be compared with what was sent: its rows are not shown.", spec.table)
    dropped = [name for name in columns if _all_empty(name, pairs)]
    if dropped:
        keys = ", ".join(repr(labels[name]) for name in dropped)
        raise StoredOtherwise(
            f"ServiceNow took rows into {spec.table} but stored nothing in {', '.join(dropped)}: it does not know the "
            f"{spec.column_keys} {keys}. Correct the column or its label in the mapping, or 'column_keys' in the extra "
            "of the ServiceNow connection. Nothing more was sent."
        )
    for name in columns:
        if any(_is_cut(sent.get(name, ""), stored.get(name, "")) for sent, stored in pairs):
            log.warning("ServiceNow cuts values of %s: its column in %s is too short.", name, spec.table)


def _pairs(chunk: Chunk, rows: Sequence[Row], keys: Sequence[str]) -> Iterable[tuple[Row, Row]]:
    """Yield each record with its staging row, but for keys that occur more than once."""
    stored = {key_of(row, keys): row for row in rows}
    sent = {key_of(record, keys): record for record in chunk.records}
    return ((record, stored[key]) for key, record in sent.items() if key in stored)


def _all_empty(name: str, pairs: Sequence[tuple[Row, Row]]) -> bool:
    """Say whether a column that was sent is shown and holds nothing in any row."""
    found = [stored[name] for sent, stored in pairs if sent.get(name) and name in stored]
    return bool(found) and not any(found)


def _is_cut(sent: str, stored: str) -> bool:
    return bool(stored) and len(stored) < len(sent.strip()) and sent.startswith(stored)
