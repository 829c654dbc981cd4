"""Take ServiceNow's verdicts into the ledger and count every row of a feed exactly once."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from include.errors import CountsDisagree
from include.inventory.ledger import Entry, Ledger
from include.inventory.mapping import Feed
from include.loading.verdicts import IGNORED_BY_SCRIPT
from include.texts import is_among, is_text, values_of

COUNTS = (
    "extracted", "filtered", "rejected", "unchanged", "inserted", "updated", "processed", "ignored", "skipped", "error",
    "removed", "held",
)  # fmt: skip

MAX_IMPORT_SETS = 50
"""Of how many import sets a feed's counts tell the names."""

_CONFIRMED = ("inserted", "updated", "processed")
_NO_CHANGE = "no field values changed"
_HANGS = "its computer was not taken; it goes again with it"
_NO_REASON = "servicenow gave no reason"


@dataclass(frozen=True, slots=True)
class Counted:
    """A feed's verdict counts, and what a person should see: refusals by message, rows that were not sent."""

    counts: dict[str, int]
    refusals: dict[str, int]
    removals_refused: int
    not_sent: int
    import_sets: tuple[str, ...] = ()

    def __add__(self, other: "Counted") -> "Counted":
        """Count two parts of a feed together."""
        return Counted(
            {name: n + other.counts[name] for name, n in self.counts.items()},
            dict((Counter(self.refusals) + Counter(other.refusals)).most_common()),
            self.removals_refused + other.removals_refused,
            self.not_sent + other.not_sent,
            tuple(dict.fromkeys((*self.import_sets, *other.import_sets)))[:MAX_IMPORT_SETS],
        )


def settle_feed(
    ledger: Ledger,
    feed: Feed,
    to_send: pd.DataFrame,
    verdicts: pd.DataFrame,
    *,
    run_id: str,
    newer_runs: Collection[str] = (),
    dangling: Callable[[pd.DataFrame], pd.Series] | None = None,
) -> Counted:
    """Write the ledger's entries for every row that was sent and return the counts of these rows.

    ``to_send`` is the plan's frame, ``verdicts`` the load's (row, outcome, message, import_set). Planned rows without a
    verdict were not sent; they are held. Running it again for the same run changes nothing. What one of ``newer_runs``
    wrote stays: it knows better what ServiceNow holds. ``dangling`` tells which rows refer to one that ServiceNow did
    not take: they go again once it does, however often that takes.
    """
    sent = to_send.reset_index(drop=True).join(verdicts.set_index("row"), how="left")
    answered = sent[sent["outcome"].notna()]
    known = ledger.read_keys(feed.name, values_of(answered["_key"]))
    later = set(values_of(known.loc[is_among(known["run_id"], set(newer_runs)), "key"]))
    hangs = dangling(answered) if dangling else pd.Series(False, index=answered.index)
    answered = answered.assign(_confirmed=is_confirmed(answered) & ~hangs, _hangs=hangs)
    ledger.write(feed.name, _entries(answered[~is_among(answered["_key"], later)], known, run_id))
    listed = answered["_row"] >= 0
    outcomes = answered.loc[listed, "outcome"].value_counts()
    counts = {name: int(outcomes.get(name, 0)) for name in COUNTS}
    counts["held"] = int(((sent["_row"] >= 0) & sent["outcome"].isna()).sum())
    confirmed = answered["_confirmed"]
    counts["removed"] = int((~listed & confirmed).sum())
    refused = answered[~confirmed].assign(message=lambda rows: rows["message"].mask(rows["_hangs"], _HANGS))
    refusals = {str(message): int(n) for message, n in refused["message"].value_counts().items()}
    not_sent = int(sent["outcome"].isna().sum())
    sets = tuple(name for name in answered["import_set"].unique().tolist() if name)[:MAX_IMPORT_SETS]
    return Counted(counts, refusals, int((~listed & ~confirmed).sum()), not_sent, sets)


def settle_unchanged(ledger: Ledger, feed: Feed, keys: Collection[str], *, run_id: str) -> None:
    """Note that the source says again what ServiceNow holds of rows whose last attempt was not confirmed.

    ``keys`` are those that a plan found so; an entry that is confirmed by now stays.
    """
    known = ledger.read_keys(feed.name, keys)
    back = known[known["since"].notna() & known["row_hash"].notna()]
    cells = back.astype(object).where(back.notna(), None).to_dict("records")
    told: dict[str, Any] = {"verdict": "unchanged", "message": "", "attempts": 0, "import_set": "", "run_id": run_id}
    told |= {"tried_at": _now(), "tried_payload": None, "since": None}
    entries = [{str(name): cell for name, cell in row.items()} for row in cells]
    ledger.write(feed.name, [Entry(**(row | told | {"tried_hash": row["row_hash"]})) for row in entries])


def require_balance(feed: str, counts: Mapping[str, int]) -> None:
    """Raise CountsDisagree unless every extracted row ended in exactly one verdict."""
    parts = [name for name in COUNTS if name not in ("extracted", "removed")]
    total = sum(counts[name] for name in parts)
    if total != counts["extracted"]:
        spelled = " + ".join(f"{counts[name]} {name}" for name in parts)
        raise CountsDisagree(
            f"Feed {feed}: {counts['extracted']} rows were extracted, but {spelled} makes {total}. This is a defect of "
            "the pipeline; keep the run's folder and report it."
        )


def is_confirmed(answered: pd.DataFrame) -> pd.Series:
    """Say which rows ServiceNow now holds as sent; a row ignored for another reason than "no change" it does not."""
    unchanged = (answered["outcome"] == "ignored") & _means_no_change(answered["message"])
    return answered["outcome"].isin(_CONFIRMED) | unchanged


def _means_no_change(messages: pd.Series) -> pd.Series:
    words = messages.str.lower()
    plain = words.str.contains(_NO_CHANGE, regex=False) | (words == "") | words.str.startswith(_NO_REASON)
    return plain & ~words.str.contains(IGNORED_BY_SCRIPT, regex=False)  # ServiceNow joins several reasons


def _entries(answered: pd.DataFrame, known: pd.DataFrame, run_id: str) -> Iterator[Entry]:
    before = {
        str(entry["key"]): {str(name): cell for name, cell in entry.items()} for entry in known.to_dict("records")
    }
    now = _now()
    notes = ("_key", "_device", "_hash", "_payload", "_action", "_released")
    names = (*notes, "outcome", "message", "import_set", "_confirmed", "_hangs")
    cells = [values_of(answered[name]) if is_text(answered[name]) else answered[name].tolist() for name in names]
    for values in zip(*cells, strict=True):
        key, device, row_hash, payload, action, released, outcome, message, import_set, confirmed, hangs = values
        last = before.get(key)
        yield Entry(
            key=key,
            row_hash=row_hash if confirmed else _or_none(last, "row_hash"),
            payload=payload if confirmed else _or_none(last, "payload"),
            active=action not in ("remove", "retire") if confirmed else bool(last["active"]) if last else True,
            verdict=outcome,
            message=message,
            attempts=0 if confirmed or hangs else 1 if released else _attempts(last, row_hash, run_id),
            import_set=import_set,
            run_id=run_id,
            tried_at=now,
            confirmed_at=now if confirmed else _or_none(last, "confirmed_at"),
            tried_hash=row_hash,
            device=device,
            tried_payload=None if confirmed else payload,
            since=None if confirmed else _or_none(last, "since") or now,
        )


def _attempts(last: Mapping[str, Any] | None, row_hash: str, run_id: str) -> int:
    """Return how often in a row a payload was refused, this time included; a run's own retries count once."""
    if last is None or last["tried_hash"] != row_hash:
        return 1
    again = last["run_id"] == run_id
    return max(1, int(last["attempts"]) + (0 if again else 1))


def _or_none(last: Mapping[str, object] | None, name: str) -> str | None:
    value = last[name] if last else None
    return value if isinstance(value, str) else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
