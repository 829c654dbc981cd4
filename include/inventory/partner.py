"""Hold rows whose partner is not in ServiceNow yet: an install refers to its computer by serial number."""

import logging

import pandas as pd

from include.errors import AnswerUnusable
from include.inventory.columns import join_key
from include.inventory.mapping import Feed
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied
from include.servicenow.lookup import find_existing

log = logging.getLogger(__name__)

COMPUTER_TABLE = "cmdb_ci_computer"


def waiting_rows(rows: pd.DataFrame, partner: Feed, known: pd.DataFrame, client: ServiceNowClient) -> dict[int, str]:
    """Return the rows that must wait for their partner, by position, with the reason.

    ``known`` are the partner's ledger entries. Serial numbers that it does not confirm are looked up in ServiceNow's
    computers; where that is not allowed, nothing is held and ServiceNow decides.
    """
    column = partner.key[0]
    confirmed = set(known.loc[known["row_hash"].notna(), "key"])
    serials = {value for value in rows[column].dropna().unique() if join_key([value]) not in confirmed}
    if not serials:
        return {}
    try:
        there = find_existing(client, COMPUTER_TABLE, "serial_number", sorted(serials))
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("Whether ServiceNow has the computers of %d devices cannot be told: %s", len(serials), error)
        return {}
    missing = {serial for serial in serials if serial.casefold() not in there}
    reason = f"its computer is not in ServiceNow yet; the feed {partner.name!r} brings it"
    waiting = rows.loc[rows[column].isin(missing), "_row"]
    return {int(row): reason for row in waiting}
