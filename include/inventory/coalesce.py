"""Check that the key by which ServiceNow finds records tells the rows of a feed apart."""

import logging
from collections.abc import Callable, Sequence

import pandas as pd

from include.errors import SetupWrong
from include.inventory.guards import Finding, judge_key
from include.inventory.mapping import Feed
from include.servicenow.client import ServiceNowClient
from include.servicenow.transform_maps import read_transform_map

log = logging.getLogger(__name__)


def check_key(feed: Feed, rows: Callable[[Sequence[str]], pd.DataFrame], client: ServiceNowClient) -> list[Finding]:
    """Return the guard ``ambiguous_key`` when rows of this run would be folded into one record.

    ``rows`` reads some columns of all shaped rows of the run, not only of those to send; it is not asked where
    ServiceNow's key holds all of ours, which tells the rows apart. Raises SetupWrong when nothing transforms the
    staging table, so that rows would be stored there and go no further.
    """
    info = read_transform_map(client, feed.staging_table)
    if info is None:
        return []  # the log says why
    if not info.active:
        raise SetupWrong(
            f"No transform map and no robust transformer of {feed.staging_table} is active, so ServiceNow would store "
            "the rows there and carry them no further. Activate the one that belongs to the integration."
        )
    if not info.coalesce_columns:
        why = (
            "a robust transformer finds records" if info.robust else "the map's key is made by a script, or it has none"
        )
        log.warning("Feed %s: whether ServiceNow tells its rows apart cannot be checked: %s.", feed.name, why)
        return []
    if set(feed.key) <= set(info.coalesce_columns):
        return []
    found = rows(["_key", *(name for name in info.coalesce_columns if name in feed.column_names)])
    ambiguous = count_ambiguous(found, info.coalesce_columns)
    return judge_key(feed.name, info.coalesce_columns, rows=len(found), ambiguous=ambiguous)


def count_ambiguous(rows: pd.DataFrame, columns: tuple[str, ...]) -> int:
    """Return how many rows share the values of some columns with another row.

    Values are compared without case, as ServiceNow does. A column that the feed does not fill tells no row apart. Rows
    that are empty in every column are left out: ServiceNow finds no record for them.
    """
    ours = [name for name in columns if name in rows]
    if not ours:
        return len(rows) if len(rows) > 1 else 0
    values = rows[ours].apply(lambda column: column.str.casefold())
    filled = values.dropna(how="all")
    return int(filled.duplicated(keep=False).sum())
