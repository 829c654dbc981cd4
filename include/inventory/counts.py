"""How many rows of each feed there are on both sides: in scope in Iru, and active in ServiceNow."""

import logging
from collections.abc import Callable, Mapping

from include.errors import PipelineError
from include.inventory.bulk_write import write_rows
from include.inventory.database import storage_failures
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.sync_tables import COUNTS_SEEN

log = logging.getLogger(__name__)

IRU, SERVICENOW = "iru", "servicenow"
LOAD, RECONCILE = "load", "reconcile"
"""Who told a count."""

_SOURCE, _ACTIVE = "discovery_source", "active"


def our_active_rows(feed: Feed) -> str:
    """Return the query for a feed's active records; "" where the mapping does not say how to tell them apart."""
    fields = feed.target_fields
    if not feed.target_table or _SOURCE not in fields or _SOURCE not in feed.column_names:
        return ""
    active = [f"{fields[_ACTIVE]}=true"] if _ACTIVE in feed.removed_values and _ACTIVE in fields else []
    source = feed.column(_SOURCE).constant
    return "^".join([f"{fields[_SOURCE]}={source}", *active]) if source else ""


def count_in_servicenow(feeds: list[Feed], count: Callable[[str, str], int]) -> dict[str, int]:
    """Return the active records of some feeds, one question each; ``count`` asks by table and query.

    A feed that ServiceNow does not let us count is not among them.
    """
    found: dict[str, int] = {}
    for feed in feeds:
        query = our_active_rows(feed)
        try:
            found |= {feed.name: count(feed.target_table, query)} if query else {}
        except PipelineError as error:
            log.warning("Feed %s: what ServiceNow holds cannot be counted: %s", feed.name, error)
    return found


def note_counts(ledger: Ledger, side: str, rows: Mapping[str, int], *, told_by: str, at: str) -> None:
    """Keep the newest counts of one side, by feed."""
    names = ("source", "target", "feed", "side", "rows", "at", "told_by")
    own = (ledger.pair.source, ledger.pair.target)
    with storage_failures(), ledger.engine.begin() as connection:
        told = ((*own, feed, side, n, at, told_by) for feed, n in sorted(rows.items()))
        write_rows(connection, COUNTS_SEEN, names, told)
