"""A reconciliation's result: a page, JSON of counts, and one Parquet file per feed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from include.inventory.page import heading, note, page, table
from include.reconcile.compare import KINDS, Drift

MOST_SHOWN = 200
"""Differences that the page shows per feed; the Parquet file holds all."""

WHAT_TO_DO = {
    "missing": "Iru lists it, ServiceNow does not have it.",
    "different": "A field holds something else than what Iru says.",
    "unknown_user": "ServiceNow does not know the assigned user; add the user, then repair.",
    "orphaned": "ServiceNow has it, Iru does not list it. Apps are sent as removed; computers are a person's.",
    "left_by_move": "An MDM record of a blueprint that the device has left. Nothing is deleted here; a person may.",
    "duplicated": "Several records have one key; merge them in ServiceNow.",
}


@dataclass(frozen=True, slots=True)
class FeedResult:
    """What came of one feed: rows on each side, its differences, and what was done; or why it was skipped."""

    listed: int = 0
    fit: int = 0
    records: int = 0
    in_ledger: int = 0
    drifts: Sequence[Drift] = ()
    repaired: int = 0
    rebuilt: int = 0
    skipped: str = ""

    def counts(self) -> dict[str, int]:
        """Return rows concerned by kind; a row whose fields differ counts once."""
        keys = {(drift.kind, drift.key) for drift in self.drifts}
        found = Counter(kind for kind, _ in keys)
        return {kind: found[kind] for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Return all but the differences themselves."""
        told = {name: value for name, value in asdict(self).items() if name != "drifts"}
        by = Counter(by for by, _ in {(drift.mended_by, drift.key) for drift in self.drifts})
        return told | {"drift": self.counts(), "mended_by": dict(by)}


def to_frame(drifts: Sequence[Drift]) -> pd.DataFrame:
    """Return differences as a frame of text."""
    names = list(Drift.__dataclass_fields__)
    return pd.DataFrame([[getattr(drift, name) for name in names] for drift in drifts], columns=names, dtype="str")


def to_page(results: Mapping[str, FeedResult]) -> bytes:
    """Return the page: counts first, then differences."""
    parts = [
        table(
            ("feed", "Iru lists", "fit to send", "ServiceNow has", "ledger knows", *KINDS, "repaired", "rebuilt"),
            [
                (name, r.listed, r.fit, r.records, r.in_ledger, *r.counts().values(), r.repaired, r.rebuilt)
                for name, r in results.items()
            ],
        ),
        table(("kind", "meaning"), list(WHAT_TO_DO.items())),
    ]
    for name, result in results.items():
        parts += [heading(name), *_feed(name, result)]
    return page("Reconciliation of Iru and ServiceNow", parts)


def summary(results: Mapping[str, FeedResult]) -> str:
    """Return the result in one line a feed, without a row's values."""
    lines = []
    for name, result in results.items():
        found = ", ".join(f"{n} {kind}" for kind, n in result.counts().items() if n) or "no drift"
        lines.append(f"{name}: {result.skipped or found}; {result.repaired} repaired, {result.rebuilt} rebuilt")
    return "\n".join(lines)


def _feed(name: str, result: FeedResult) -> list[str]:
    if result.skipped:
        return [note(result.skipped, bad=True)]
    shown = result.drifts[:MOST_SHOWN]
    rows = [(d.kind, d.key.replace("\x1f", " · "), d.column, d.wanted, d.actual, d.mended_by) for d in shown]
    parts = [table(("kind", "row", "column", "Iru", "ServiceNow", "mended by"), rows)] if rows else [note("No drift.")]
    if len(shown) < len(result.drifts):
        parts.insert(0, note(f"The first {len(shown)} of {len(result.drifts)}; all are in drift/{name}.parquet."))
    return parts
