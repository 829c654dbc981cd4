"""Bring the ledger to what ServiceNow really holds: the ordinary flow then sends what differs, with all its guards.

Nothing is written to ServiceNow here.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

from include.inventory.cells import canonical
from include.inventory.ledger import Entry, Ledger
from include.inventory.mapping import Feed
from include.inventory.plan import row_hash
from include.reconcile.compare import DIFFERENT, MISSING, Drift, Payload, Sides, field_drifts, payloads, records_by_key

_SEEN = "seen by a reconciliation"


def repair(feed: Feed, ledger: Ledger, sides: Sides, drifts: Iterable[Drift], *, run_id: str) -> int:
    """Let the ledger know what ServiceNow holds of some rows; return how many rows the next run sends again for it.

    A row that is missing is forgotten; a row that differs is known by what is really there, so that the next run sends
    it as an update and clears what has to be cleared.
    """
    actual = records_by_key(sides.actual)
    kinds = {drift.key: drift.kind for drift in drifts if drift.mended_by == "repair"}
    entries = [
        _entry(key, None if kind == MISSING else _as_held(feed, actual[key][0]), run_id=run_id)
        for key, kind in kinds.items()
    ]
    ledger.write(feed.name, entries)
    return len(entries)


def rebuild(feed: Feed, ledger: Ledger, sides: Sides, *, run_id: str) -> int:
    """Write an entry for every record of ServiceNow that has one key; return how many are as Iru wants them.

    Entries that are there already stay: they know more than a reading of the tables can tell.
    """
    wanted = dict(payloads(feed, sides.wanted))
    known: Collection[str] = set(sides.known.loc[sides.known["row_hash"].notna(), "key"])
    entries, equal = [], 0
    for key, rows in records_by_key(sides.actual).items():
        if key in known or rows[1:]:
            continue
        as_sent = wanted.get(key)
        is_equal = as_sent is not None and _holds(feed, as_sent, rows[0])
        equal += is_equal
        held = as_sent if is_equal and as_sent is not None else _as_held(feed, rows[0])
        entries.append(_entry(key, held, run_id=run_id, active=rows[0].get("active", "true") == "true"))
    ledger.write(feed.name, entries)
    return equal


def _holds(feed: Feed, payload: Payload, row: Payload) -> bool:
    """Say whether a record is as it would be sent; a user whom ServiceNow does not know cannot be sent better."""
    return not any(drift.kind == DIFFERENT for drift in field_drifts(feed, payload, row))


def _as_held(feed: Feed, row: Payload) -> Payload:
    """Return a record as a payload of the feed."""
    return {name: row[name] for name in feed.column_names if row.get(name)}


def _entry(key: str, payload: Payload | None, *, run_id: str, active: bool = True) -> Entry:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Entry(
        key=key,
        row_hash=row_hash(payload) if payload else None,
        payload=canonical(payload).decode() if payload else None,
        active=active,
        verdict="",
        message=_SEEN,
        attempts=0,
        import_set="",
        run_id=run_id,
        tried_at=now,
        confirmed_at=now if payload else None,
    )


def in_order(drifts: Iterable[Drift]) -> Iterator[Drift]:
    """Yield differences as a person reads them: by kind, then by key."""
    yield from sorted(drifts, key=lambda drift: (drift.kind, drift.key, drift.column))
