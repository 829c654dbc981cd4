"""Read configuration tables that an account may not be allowed to see."""

from collections.abc import Sequence

from include.errors import AnswerUnusable
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied, Refused
from include.servicenow.table_api import iter_rows


def read_config(
    client: ServiceNowClient, table: str, *, query: str, fields: Sequence[str]
) -> list[dict[str, str]] | None:
    """Return the rows of a configuration table, None where the account may not read it or the table is not there."""
    try:
        return list(iter_rows(client, table, query=query, fields=("sys_id", *fields)))
    except (AccessDenied, AnswerUnusable, Refused):
        return None
