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
from include.texts import is_among

log = logging.getLogger(__name__)

COMPUTER_TABLE = "cmdb_ci_computer"


class Partners:
    """Tells which rows must wait for their partner; what ServiceNow was asked once it is not asked again.

    ``there`` are the keys of the partners that ServiceNow has, or gets from this run before. Serial numbers that are
    not among them are looked up in ServiceNow's computers; where that is not allowed, nothing is held and ServiceNow
    decides. ``ask`` False spares the look-up: this run itself carries the partners.
    """

    def __init__(
        self, partner: Feed, there: Collection[str], client: Callable[[], ServiceNowClient], *, ask: bool = True
    ) -> None:
        self._partner = partner
        self._there = there
        self._client = client
        self._ask = ask
        self._asked: dict[str, bool] = {}

    def waiting(self, rows: pd.DataFrame) -> dict[int, str]:
        """Return the rows that must wait, by position, with the reason."""
        column = self._partner.key[0]
        serials = {value for value in rows[column].dropna().unique() if join_key([value]) not in self._there}
        self._look_up(serials - self._asked.keys())
        missing = {serial for serial in serials if not self._asked[serial]}
        reason = f"its computer is not in ServiceNow yet; the feed {self._partner.name!r} brings it"
        return {int(row): reason for row in rows.loc[is_among(rows[column], missing), "_row"]}

    def _look_up(self, serials: Collection[str]) -> None:
        if not serials:
            return
        if not self._ask:
            self._asked |= dict.fromkeys(serials, False)
            return
        try:
            existing = find_existing(self._client(), COMPUTER_TABLE, "serial_number", sorted(serials))
        except (AccessDenied, AnswerUnusable) as error:
            log.warning("Whether ServiceNow has the computers of %d devices cannot be told: %s", len(serials), error)
            self._asked |= dict.fromkeys(serials, True)
            return
        self._asked |= {serial: serial.casefold() in existing for serial in serials}


def dangling_in(run: Run, feed: Feed, ledger: Ledger) -> Callable[[pd.DataFrame], pd.Series] | None:
    """Return what tells which rows of a frame refer to a partner that this run sent and ServiceNow did not take.

    The partner's verdicts must be in the ledger already. None where the feed has no partner in this run.
    """
    partner = run.partner_of(feed)
    if partner is None:
        return None
    column, untaken = partner.key[0], run.sent_keys(partner.name) - ledger.confirmed_keys(partner.name)

    def dangling(sent: pd.DataFrame) -> pd.Series:
        keys = [join_key([value]) if isinstance(value, str) else None for value in sent[column]]
        return pd.Series([key in untaken for key in keys], index=sent.index, dtype=bool)

    return dangling
