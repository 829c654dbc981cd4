"""Check a schedule when it is read: a cron that is wrong, or that never fires, would keep a DAG silent for ever."""

from datetime import UTC, datetime

from croniter import CroniterBadDateError, croniter

from include.errors import SetupWrong

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
"""Airflow's names for crons. Source: Airflow, "Cron & Time Intervals"."""

_NONE = ("", "none")


def read_schedule(text: str, *, setting: str) -> str | None:
    """Return a cron or one of Airflow's presets, None for no schedule; SetupWrong names the setting and why."""
    schedule = text.strip()
    if schedule.lower() in _NONE:
        return None
    if schedule in PRESETS:
        return schedule
    if len(schedule.split()) != 5 or not croniter.is_valid(schedule):
        raise SetupWrong(
            f"{setting} is {schedule!r}, which is no cron of five fields, such as '0 2 * * *', none of "
            f"{', '.join(PRESETS)}, and not none."
        )
    try:
        croniter(schedule, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except CroniterBadDateError:
        raise SetupWrong(f"{setting} is {schedule!r}, a cron that never fires; correct its day or month.") from None
    return schedule
