"""Do not leave somebody else's name on a computer: empty a reference whose new value ServiceNow does not know.

A transform map with the choice action "ignore" drops an unknown value and keeps the record's old one. So where a row
moves from one user to another, and ServiceNow has no such user, the column is emptied instead.
"""

import logging
from dataclasses import dataclass

import pandas as pd

from include.errors import AnswerUnusable
from include.inventory.cells import CLEARS
from include.inventory.mapping import Feed
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied
from include.servicenow.lookup import find_existing
from include.texts import is_among

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Referred:
    """The rows to send, and by column how many of them name something that ServiceNow does not have."""

    to_send: pd.DataFrame
    unknown: dict[str, int]


def clear_unknown(feed: Feed, to_send: pd.DataFrame, changes: pd.DataFrame, client: ServiceNowClient) -> Referred:
    """Order ServiceNow to empty every ``known_in`` column that changed to a value which it does not know.

    ``changes`` are the plan's: key, action, column, before, after. What the ledger keeps of a row is not touched: it is
    sent again only once Iru's value changes. Nothing is done where the table may not be read or shows nothing.
    """
    unknown: dict[str, int] = {}
    to_send = to_send.copy()
    for column in feed.columns:
        moved = changes[(changes["column"] == column.name) & changes["before"].notna() & changes["after"].notna()]
        if column.known_in and not moved.empty:
            keys = _keys_of_unknown(moved, column.known_in, client)
            to_send.loc[is_among(to_send["_key"], set(keys)), column.name] = CLEARS
            unknown |= {column.name: len(keys)} if len(keys) else {}
    return Referred(to_send, unknown)


def _keys_of_unknown(moved: pd.DataFrame, known_in: str, client: ServiceNowClient) -> pd.Series:
    table, _, field = known_in.partition(".")
    values = sorted(set(moved["before"]) | set(moved["after"]))
    try:
        existing = find_existing(client, table, field, values)
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("Whether ServiceNow knows the new values of %s cannot be told: %s", known_in, error)
        return moved["key"].iloc[:0]
    if not existing:  # not even the earlier values: the account does not see the table's rows
        return moved["key"].iloc[:0]
    return moved.loc[~is_among(moved["after"].str.casefold(), existing), "key"]
