"""What ``sys_dictionary`` says about a staging table: its columns, labels and lengths.

Source: ServiceNow, "System dictionary". A service account with only the documented roles may not read it; an access
rule then answers 403 or hides every row, and both mean "cannot tell".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from include.errors import AnswerUnusable, SetupWrong
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied
from include.servicenow.table_api import iter_rows
from include.servicenow.values import to_count


@dataclass(frozen=True, slots=True)
class StagingColumn:
    """One column of a staging table; ``max_length`` is in characters, None where the dictionary is silent."""

    name: str
    label: str
    max_length: int | None


StagingColumns = Mapping[str, StagingColumn]


def default_label(column: str) -> str:
    """Return the label that ServiceNow gives a column by default; it compares labels without case."""
    return column.replace("_", " ")


def read_staging_columns(client: ServiceNowClient, table: str) -> StagingColumns | None:
    """Return the columns of a staging table by name, or None where the account may not read the dictionary."""
    fields = ("sys_id", "name", "element", "column_label", "max_length")
    try:
        rows = list(iter_rows(client, "sys_dictionary", query=f"name={table}", fields=fields))
    except (AccessDenied, AnswerUnusable):
        return None
    columns = {
        row["element"]: StagingColumn(
            name=row["element"],
            label=row.get("column_label") or default_label(row["element"]),
            max_length=_length(row.get("max_length", "")),
        )
        for row in rows
        if row.get("name") == table and row.get("element")
    }
    return columns or None


def require_columns(table: str, wanted: Iterable[str], known: StagingColumns | None) -> None:
    """Raise SetupWrong that names every wanted column which the staging table does not have."""
    if known is None:
        return
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise SetupWrong(
            f"The staging table {table} has no column {', '.join(missing)}, so ServiceNow would drop these values "
            f"without a word. Add the column in ServiceNow or change the mapping. It has: {', '.join(sorted(known))}."
        )


def _length(text: str) -> int | None:
    return to_count(text) or None
