"""Ask which of some values exist in a table."""

from collections.abc import Sequence

from include.servicenow.client import ServiceNowClient
from include.servicenow.table_api import iter_rows

_VALUES_PER_QUERY = 50


def find_existing(client: ServiceNowClient, table: str, field: str, values: Sequence[str]) -> set[str]:
    """Return those of ``values`` that some row of ``table`` has in ``field``, case folded.

    A value with a caret, which would end its condition, is reported only if another value's answer shows it.
    Raises AccessDenied where the table may not be read.
    """
    wanted = {value.casefold() for value in values}
    askable = [value for value in values if value and "^" not in value]
    found: set[str] = set()
    for start in range(0, len(askable), _VALUES_PER_QUERY):
        query = "^OR".join(f"{field}={value}" for value in askable[start : start + _VALUES_PER_QUERY])
        rows = iter_rows(client, table, query=query, fields=("sys_id", field))
        found |= {row.get(field, "").casefold() for row in rows}
    return found & wanted
