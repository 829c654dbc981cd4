"""Do not send a row for ever that ServiceNow refuses again and again: park it until it changes or is released."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from include.inventory.params import RELEASE_ALL
from include.inventory.settings import MAX_ATTEMPTS


@dataclass(frozen=True, slots=True)
class ParkingRule:
    """After how many refusals of one payload a row is parked, and which rows are released by name."""

    max_attempts: int = MAX_ATTEMPTS
    released: tuple[str, ...] = ()

    def releases(self, key: str, payload: Mapping[str, str]) -> bool:
        """Say whether an operator released a row, by its key, its serial number, or all at once."""
        names = {name.casefold() for name in self.released}
        return bool({RELEASE_ALL, key, payload.get("serial_number", "").casefold()} & names)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often in a row ServiceNow refused one payload of a row, and what it said last."""

    attempts: int
    tried_hash: str
    verdict: str
    message: str

    @property
    def reason(self) -> str:
        """Why the row waits, in words."""
        return f"parked after {self.attempts} refusals"


def refusals(known: pd.DataFrame, rule: ParkingRule) -> dict[str, Refusal]:
    """Return the ledger's entries that were refused often enough to be parked, by key."""
    often = known[(known["attempts"].fillna(0) >= rule.max_attempts) & known["tried_hash"].notna()]
    names = ["key", "attempts", "tried_hash", "verdict", "message"]
    return {
        str(key): Refusal(int(attempts), str(tried), str(verdict), str(message))
        for key, attempts, tried, verdict, message in often[names].itertuples(index=False, name=None)
    }


def to_frame(parked: Mapping[str, tuple[int, Refusal]]) -> pd.DataFrame:
    """Return the parked rows (-1: a removal) by key as a frame: row, key, attempts, verdict, message."""
    found = [(row, key, r.attempts, r.verdict, r.message) for key, (row, r) in parked.items()]
    frame = pd.DataFrame(found, columns=["row", "key", "attempts", "verdict", "message"])
    return frame.astype({"row": "int64", "key": "str", "attempts": "int64", "verdict": "str", "message": "str"})
