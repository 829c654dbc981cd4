"""The traffic light of a feed: what is known of it, judged, with a sentence for whatever is not as it should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Light = Literal["green", "amber", "red", "grey"]

LATE_PERIODS = 1.5
"""Without a success for so many times the scheduled period a feed is late."""
LOST_PERIODS = 3.0
"""Without a success for so many times the scheduled period somebody has to look."""
WAITING_PERIODS = 1.0
"""A change that waits longer than this was passed over by a scheduled run."""

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Signs:
    """What a feed is judged by: ages in seconds, None for what is not known or does not apply.

    ``failed`` is why the last run failed, "" where it did not. ``blocked`` says why nothing can be known at all.
    """

    has_run: bool
    failed: str = ""
    success_age_s: float | None = None
    period_s: float | None = None
    unconfirmed_age_s: float | None = None
    noticed_age_s: float | None = None
    refused: int = 0
    parked: int = 0
    rejected: int = 0
    difference: int | None = None
    blocked: str = ""


def judge(signs: Signs) -> tuple[Light, list[str]]:
    """Return the light and why, worst first; a green one says nothing."""
    if signs.blocked:
        return "grey", [signs.blocked]
    if not signs.has_run:
        return "grey", ["No run has loaded this feed yet. Trigger its DAG, or wait for its schedule."]
    red, amber = list(_alarms(signs)), list(_cautions(signs))
    return ("red" if red else "amber" if amber else "green"), red + amber


def _alarms(signs: Signs) -> Iterator[str]:
    if signs.failed:
        yield f"The last run failed: {signs.failed}"
    elif signs.success_age_s is None:
        yield "No run of the whole fleet has succeeded yet."
    if _longer(signs.success_age_s, LOST_PERIODS, signs.period_s):
        yield f"The last success was {spell(signs.success_age_s)} ago; a run is due every {spell(signs.period_s)}."


def _cautions(signs: Signs) -> Iterator[str]:
    is_late = _longer(signs.success_age_s, LATE_PERIODS, signs.period_s)
    if is_late and not _longer(signs.success_age_s, LOST_PERIODS, signs.period_s):
        yield f"The last success was {spell(signs.success_age_s)} ago; a run is due every {spell(signs.period_s)}."
    if _longer(signs.unconfirmed_age_s, WAITING_PERIODS, signs.period_s):
        yield f"A row has been without a confirmation for {spell(signs.unconfirmed_age_s)}; see the stuck rows."
    if _longer(signs.noticed_age_s, WAITING_PERIODS, signs.period_s):
        yield f"A change that was noticed {spell(signs.noticed_age_s)} ago is not in ServiceNow yet."
    if signs.refused:
        yield f"ServiceNow refused {_rows(signs.refused)}; they go again with the next run."
    if signs.parked:
        yield f"{_rows(signs.parked).capitalize()} parked: sent no more until somebody releases them."
    if signs.rejected:
        them = "it" if signs.rejected == 1 else "them"
        yield f"{_rows(signs.rejected).capitalize()} cannot be sent as Iru has {them}; see the stuck rows."
    if signs.difference:
        more = "more" if signs.difference > 0 else "fewer"
        yield f"ServiceNow has {_rows(abs(signs.difference))} {more} than Iru."


def _longer(age_s: float | None, times: float, period_s: float | None) -> bool:
    return age_s is not None and period_s is not None and age_s > times * period_s


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def spell(seconds: float | None) -> str:
    """Return a duration as people say it, in the largest unit of which there are two."""
    seconds = seconds or 0.0
    for unit, length in (("days", _DAY_S), ("hours", _HOUR_S), ("minutes", _MINUTE_S)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
