"""Guards: judge by counts alone whether going on could damage what ServiceNow holds.

A share guard strikes only when at least ``floor_rows`` rows are concerned, so that a small fleet can change; a source
that lists nothing at all is never taken for a small change.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from include.errors import RunUnsafe, SetupWrong

log = logging.getLogger(__name__)

SHARE_GUARDS = ("shrunk_source", "many_removals", "many_changes", "many_rejects")
GUARDS = (*SHARE_GUARDS, "incomplete_extract", "iru_quota", "ambiguous_key")
"""Every guard by the name that lifts it. ``iru_quota`` strikes while the source is fetched."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """The highest share of rows that may be concerned, between 0 and 1; None switches a guard off.

    ``shrunk_source`` and ``many_removals`` are shares of the rows that the ledger holds as active, ``many_changes`` of
    the rows that it holds, ``many_rejects`` of the extracted rows.
    """

    shrunk_source: float | None = 0.20
    many_removals: float | None = 0.10
    many_changes: float | None = 0.50
    many_rejects: float | None = 0.20
    floor_rows: int = 50

    @classmethod
    def parse(cls, text: str, *, setting: str) -> Self:
        """Read "many_removals=0.05,shrunk_source=off,floor_rows=50"; SetupWrong names ``setting`` and what is wrong."""
        values: dict[str, float | int | None] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (word.strip() for word in part.partition("="))
            if name not in [field.name for field in fields(cls)]:
                known = ", ".join(field.name for field in fields(cls))
                raise SetupWrong(f"{setting} has {name!r}, which is no limit. Known limits: {known}.")
            values[name] = _whole(setting, name, value) if name == "floor_rows" else _share(setting, name, value)
        return cls(**values)  # type: ignore[arg-type]  # floor_rows is a whole number, checked above


@dataclass(frozen=True, slots=True)
class Finding:
    """One guard that struck; ``message`` tells the numbers and the limit, and holds no personal data."""

    guard: str
    message: str


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """What the guards judge a feed by, in rows.

    ``active``: held by the ledger as active. ``gone``: active, and not listed by the source. ``new``: to be sent, and
    not active. ``removals``: to be sent as removed or retired. ``updates``: to be sent with other values than the
    ledger holds; creates and resends do not count.
    """

    extracted: int = 0
    rejected: int = 0
    active: int = 0
    gone: int = 0
    new: int = 0
    removals: int = 0
    updates: int = 0


def judge_feed(feed: str, counts: FeedCounts, limits: GuardLimits) -> list[Finding]:
    """Return every share guard that strikes for a feed."""
    shrunk = counts.gone - counts.new
    told = {
        "shrunk_source": (
            shrunk, counts.active,
            f"the source lists {counts.active - shrunk} rows where ServiceNow holds {counts.active}, {shrunk} fewer",
        ),
        "many_removals": (
            counts.removals, counts.active,
            f"{counts.removals} of {counts.active} rows that ServiceNow holds would be sent as removed",
        ),
        "many_changes": (
            counts.updates, counts.active,
            f"{counts.updates} of {counts.active} rows that ServiceNow holds would change",
        ),
        "many_rejects": (
            counts.rejected, counts.extracted, f"{counts.rejected} of {counts.extracted} rows were rejected",
        ),
    }  # fmt: skip
    floors = {"shrunk_source": limits.floor_rows if counts.extracted else 1}
    return [
        Finding(guard, f"{feed}: {what} ({concerned / of:.0%}; the limit is {limit:.0%})")
        for guard, (concerned, of, what) in told.items()
        if (limit := getattr(limits, guard)) is not None
        and _strikes(concerned, of, limit, floors.get(guard, limits.floor_rows))
    ]


def judge_key(feed: str, columns: Collection[str], *, rows: int, ambiguous: int) -> list[Finding]:
    """Return the guard ``ambiguous_key`` when rows share the values by which ServiceNow tells records apart."""
    if not ambiguous:
        return []
    key = ", ".join(columns)
    said = f"{ambiguous} of {rows} rows share their {key} with another row, and ServiceNow's transform map coalesces on"
    return [Finding("ambiguous_key", f"{feed}: {said} {key}: it would fold them into one record")]


def enforce(findings: Iterable[Finding], *, lifted: Collection[str], stops: bool) -> None:
    """Log what struck, and raise RunUnsafe that names every guard which is not lifted; ``stops`` False only logs."""
    found = list(findings)
    standing = [finding for finding in found if finding.guard not in lifted]
    for finding in found:
        how = "would stop a run that loads" if finding in standing else "is lifted for this run"
        if not stops or finding not in standing:
            log.warning("Guard %s: %s. It %s.", finding.guard, finding.message, how)
    if standing and stops:
        raise RunUnsafe(_spelled(standing))


def to_json(findings: Iterable[Finding], lifted: Collection[str]) -> list[Mapping[str, str | bool]]:
    """Return findings as a stage keeps them for the report."""
    return [{"guard": f.guard, "message": f.message, "lifted": f.guard in lifted} for f in findings]


def told(finding: Mapping[str, Any]) -> str:
    """Return a kept finding as a line for people."""
    return f"Guard {finding['guard']}{' (lifted)' if finding['lifted'] else ''}: {finding['message']}"


def _spelled(standing: list[Finding]) -> str:
    names = list(dict.fromkeys(finding.guard for finding in standing))
    said = " ".join(f"[{finding.guard}] {finding.message}." for finding in standing)
    lift = ", ".join(f'"{name}"' for name in names)
    return (
        f"Stopped before anything was sent, by {len(names)} guard{'s' * (len(names) > 1)}: {said} The plan lies in the "
        f'run\'s folder. If this is right, lift for one run with the param {{"lift_guards": [{lift}]}}.'
    )


def _strikes(concerned: int, of: int, limit: float, floor_rows: int) -> bool:
    return of > 0 and concerned >= max(floor_rows, 1) and concerned / of > limit


def _share(setting: str, name: str, value: str) -> float | None:
    if value.lower() == "off":
        return None
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SetupWrong(f"{setting}: {name} is {value!r}; it must be a share between 0 and 1, such as 0.1, or off.")
    return share


def _whole(setting: str, name: str, value: str) -> int:
    if not value.isdecimal():
        raise SetupWrong(f"{setting}: {name} is {value!r}; it must be a whole number of rows, such as 20.")
    return int(value)
