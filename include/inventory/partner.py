"""Rows that refer to another feed's rows: an install and an MDM record refer to their computer by serial number.

ServiceNow drops a reference that it cannot resolve and never looks for it again, so such a row waits for its partner,
and counts as confirmed only once the partner is there.
"""

import logging
from collections.abc import Callable, Collection

import pandas as pd

from include.errors import AnswerUnusable
from include.inventory.columns import join_key
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.run import Run
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied
from include.servicenow.lookup import find_existing

log = logging.getLogger(__name__)

COMPUTER_TABLE = "cmdb_ci_computer"


def waiting_rows(
    rows: pd.DataFrame,
    partner: Feed,
    known: pd.DataFrame,
    client: ServiceNowClient,
    *,
    coming: Collection[str] = (),
    ask: bool = True,
) -> dict[int, str]:
    """Return the rows that must wait for their partner, by position, with the reason.

    ``known`` are the partner's ledger entries, ``coming`` the keys of the partners that this run sends before. Serial
    numbers of neither are looked up in ServiceNow's computers; where that is not allowed, nothing is held and
    ServiceNow decides. ``ask`` False spares the look-up: this run itself carries the partners.
    """
    column = partner.key[0]
    there = confirmed_keys(known) | set(coming)
    serials = {value for value in rows[column].dropna().unique() if join_key([value]) not in there}
    if not serials:
        return {}
    try:
        existing = find_existing(client, COMPUTER_TABLE, "serial_number", sorted(serials)) if ask else set()
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("Whether ServiceNow has the computers of %d devices cannot be told: %s", len(serials), error)
        return {}
    missing = {serial for serial in serials if serial.casefold() not in existing}
    reason = f"its computer is not in ServiceNow yet; the feed {partner.name!r} brings it"
    waiting = rows.loc[rows[column].isin(missing), "_row"]
    return {int(row): reason for row in waiting}


def confirmed_keys(known: pd.DataFrame) -> set[str]:
    """Return the keys of ledger entries that ServiceNow has confirmed."""
    return set(known.loc[known["row_hash"].notna(), "key"])


def dangling_in(run: Run, feed: Feed, ledger: Ledger) -> Callable[[pd.DataFrame], pd.Series] | None:
    """Return what tells which rows of a frame refer to a partner that this run sent and ServiceNow did not take.

    The partner's verdicts must be in the ledger already. None where the feed has no partner in this run.
    """
    partner = run.partner_of(feed)
    if partner is None:
        return None
    column, untaken = partner.key[0], run.sent_keys(partner.name) - confirmed_keys(ledger.read(partner.name))

    def dangling(sent: pd.DataFrame) -> pd.Series:
        keys = [join_key([value]) if isinstance(value, str) else None for value in sent[column]]
        return pd.Series([key in untaken for key in keys], index=sent.index, dtype=bool)

    return dangling
