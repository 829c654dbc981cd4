"""How long it is between two scheduled runs."""

from datetime import UTC, datetime
from itertools import pairwise

from croniter import croniter

_FIRES = 10
_CRON_OF = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""Airflow's presets. Source: Airflow, "Cron & Time Intervals"."""


def period_s(schedule: str | None, at: datetime) -> float | None:
    """Return the longest pause between the next fires of a schedule, in seconds; None without a schedule.

    The longest, so that a schedule of working hours is not late every night.
    """
    if not schedule:
        return None
    fires = croniter(_CRON_OF.get(schedule, schedule), at.astimezone(UTC))
    moments = [fires.get_next(float) for _ in range(_FIRES)]
    return max(float(later - earlier) for earlier, later in pairwise(moments))
