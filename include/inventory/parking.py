"""Do not send a row for ever that ServiceNow refuses again and again: park it until it changes or is released.

A row that somebody parked by hand waits until a later order for it, whatever it holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from include.inventory.params import RELEASE_ALL
from include.inventory.settings import MAX_ATTEMPTS
from include.texts import is_among

BY_HAND = "parked by hand"
"""Why a row waits that a person has parked."""


@dataclass(frozen=True, slots=True)
class ParkingRule:
    """After how many refusals of one payload a row is parked, and which rows are released by name.

    ``ordered`` are the keys of rows that an order releases, ``by_hand`` those that one has parked.
    """

    max_attempts: int = MAX_ATTEMPTS
    released: tuple[str, ...] = ()
    ordered: frozenset[str] = frozenset()
    by_hand: frozenset[str] = frozenset()

    def releases(self, key: str, payload: Mapping[str, str]) -> bool:
        """Say whether an operator released a row, by its key, its serial number, or all at once."""
        if key in self.ordered:
            return True
        names = {name.casefold() for name in self.released}
        return bool({RELEASE_ALL, key, payload.get("serial_number", "").casefold()} & names)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often in a row ServiceNow refused one payload of a row, and what it said last.

    One that is ``by_hand`` keeps any payload of the row, also where ServiceNow has never refused one.
    """

    attempts: int = 0
    tried_hash: str = ""
    verdict: str = ""
    message: str = ""
    by_hand: bool = False

    @property
    def reason(self) -> str:
        """Why the row waits, in words."""
        return BY_HAND if self.by_hand else f"parked after {self.attempts} refusals"

    def holds(self, row_hash: str) -> bool:
        """Say whether a payload is the one that waits."""
        return self.by_hand or self.tried_hash == row_hash


def refusals(known: pd.DataFrame, rule: ParkingRule) -> dict[str, Refusal]:
    """Return what is parked, by key: entries that were refused often enough, and what is parked by hand."""
    is_often = (known["attempts"].fillna(0) >= rule.max_attempts) & known["tried_hash"].notna()
    often = known[is_often | is_among(known["key"], rule.by_hand)]
    names = ["key", "attempts", "tried_hash", "verdict", "message"]
    found = {
        str(key): Refusal(int(attempts), str(tried), str(verdict), str(message))
        for key, attempts, tried, verdict, message in often[names].itertuples(index=False, name=None)
    }
    return found | {key: replace(found.get(key, Refusal()), by_hand=True) for key in rule.by_hand}


def to_frame(parked: Mapping[str, tuple[int, Refusal]]) -> pd.DataFrame:
    """Return the parked rows (-1: a removal) by key as a frame: row, key, attempts, verdict, message."""
    found = [(row, key, r.attempts, r.verdict, r.message) for key, (row, r) in parked.items()]
    frame = pd.DataFrame(found, columns=["row", "key", "attempts", "verdict", "message"])
    return frame.astype({"row": "int64", "key": "str", "attempts": "int64", "verdict": "str", "message": "str"})
