"""A table of a ledger that is not there yet is empty, which is no failure."""

from collections.abc import Callable
from typing import TypeVar

from include.insight.errors import NoLedger
from include.insight.paging import Row
from include.insight.scope import Scope
from iru_servicenow.sync_api.access import Access

T = TypeVar("T")


def or_empty(mine: Access, question: Callable[[Scope], T], empty: T) -> T:
    """Return what a question answers, or what stands for nothing where there is no ledger yet."""
    try:
        with mine.scope() as scope:
            return question(scope)
    except NoLedger:
        return empty


def no_rows() -> list[Row]:
    """Return a list of nothing."""
    return []
