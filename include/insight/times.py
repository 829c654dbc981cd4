"""Times between the ledger, which spells them ``yyyy-MM-dd HH:mm:ss`` in UTC, and the page, which reads ISO 8601."""

from datetime import UTC, datetime

LEDGER_FORM = "%Y-%m-%d %H:%M:%S"


def iso(moment: str | None) -> str | None:
    """Return a time of the ledger as ``2026-11-27T02:00:00Z``."""
    return f"{moment.replace(' ', 'T')}Z" if moment else None


def iso_of_s(moment_s: float | None) -> str | None:
    """Return unix seconds as ``2026-11-27T02:00:00Z``."""
    return None if moment_s is None else datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> datetime:
    """Return the present, in UTC."""
    return datetime.now(UTC)


def age_s(moment: str | None, at: datetime) -> float | None:
    """Return how many seconds ago a time of the ledger was; None for no time and for what is none."""
    if not moment:
        return None
    try:
        began = datetime.strptime(moment, LEDGER_FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, (at - began).total_seconds())
