"""Ask which of some values exist in a table."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus

from include.servicenow.client import ServiceNowClient
from include.servicenow.table_api import iter_rows

_VALUES_PER_QUERY = 50
_QUERY_CHARACTERS = 3000
"""Encoded, in an address: servers and proxies refuse much more than 8,000 in all."""


def find_existing(client: ServiceNowClient, table: str, field: str, values: Sequence[str]) -> set[str]:
    """Return those of ``values`` that some row of ``table`` has in ``field``, case folded.

    A value with a caret, which would end its condition, is reported only if another value's answer shows it;
    so is one that is too long for an address.
    Raises AccessDenied where the table may not be read.
    """
    wanted = {value.casefold() for value in values}
    askable = [value for value in values if value and "^" not in value]
    found: set[str] = set()
    for batch in _batches(askable, field):
        query = "^OR".join(f"{field}={value}" for value in batch)
        rows = iter_rows(client, table, query=query, fields=("sys_id", field))
        found |= {row.get(field, "").casefold() for row in rows}
    return found & wanted


def _batches(values: Sequence[str], field: str) -> Iterator[list[str]]:
    """Yield values in groups whose query an address can hold; one that is too long for any is left out."""
    batch, size = list[str](), 0
    for value in values:
        length = len(quote_plus(f"^OR{field}={value}"))
        if length > _QUERY_CHARACTERS:
            continue
        if batch and (len(batch) == _VALUES_PER_QUERY or size + length > _QUERY_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(value)
        size += length
    if batch:
        yield batch
