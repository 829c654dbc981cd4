"""How the API spells the same thing in different places.

Four forms of time, two of nothing (``""`` and null), two of Apple TV, two of capacity, and booleans
as words: https://api-docs.kandji.io (examples of each endpoint).
"""

from datetime import UTC, datetime

_GIB_PER_GB = 1000**3 / 1024**3


def stored_time(moment: datetime) -> str:
    """Return the form kept in the database, which is also Prism's: ``2025-03-18T19:06:43.216114+00:00``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def read_time(text: str) -> datetime:
    """Return the moment that a client or the database spelled; raise ``ValueError`` for anything else."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def zulu_time(stored: str | None) -> str:
    """Return ``2024-07-23T14:11:37.150080Z``, or "" for never."""
    return stored.removesuffix("+00:00") + "Z" if stored else ""


def spaced_time(stored: str | None) -> str:
    """Return ``2024-01-26 16:15:36.087016+00:00``, or "" for never."""
    return stored.replace("T", " ") if stored else ""


def spaced_seconds(stored: str | None) -> str:
    """Return ``2024-06-17 11:32:35+00:00``, or "" for never."""
    return f"{stored[:19].replace('T', ' ')}+00:00" if stored else ""


def profile_time(stored: str | None) -> str:
    """Return ``2024-05-13 20:09:23 +0000``, or "" for never."""
    return f"{stored[:19].replace('T', ' ')} +0000" if stored else ""


def word(value: object) -> str:
    """Return a boolean as ``/details`` and ``/apps`` spell it: "True" or "False", "" for unknown."""
    return "" if value is None else str(bool(value))


def prism_family(family: str) -> str:
    """Return the family as Prism names it: tvOS where ``/devices`` says AppleTV."""
    return "tvOS" if family == "AppleTV" else family


def details_capacity(gigabytes: float, family: str) -> str:
    """Return the capacity as ``/details`` labels it: GiB called GB on Macs, decimal GB elsewhere."""
    if family == "Mac":
        return f"{gigabytes * _GIB_PER_GB:.2f} GB"
    return f"{gigabytes:.1f} GB"
