"""The few ``javascript:`` values that integrations put into queries: points in time.

Source: ServiceNow, "GlideSystem" (gs.dateGenerate, gs.daysAgo, gs.hoursAgo, gs.minutesAgo, gs.beginningOfToday).
"""

import re
from datetime import UTC, datetime, timedelta

_CALL = re.compile(r"javascript:\s*gs\.(?P<name>\w+)\((?P<arguments>[^)]*)\)", re.IGNORECASE)
_UNITS = {"daysago": "days", "hoursago": "hours", "minutesago": "minutes"}


def evaluate(value: str, now: datetime) -> str | None:
    """Return what a ``javascript:`` value stands for, the value itself otherwise, None for a script not known."""
    if not value.lower().startswith("javascript:"):
        return value
    match = _CALL.match(value)
    if match is None:
        return None
    arguments = [part.strip().strip("'\"") for part in match["arguments"].split(",")]
    moment = _moment(match["name"].lower(), arguments, now.astimezone(UTC))
    return moment if isinstance(moment, str) or moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def _moment(name: str, arguments: list[str], now: datetime) -> datetime | str | None:
    if name == "dategenerate" and len(arguments) == 2:
        clock = {"start": "00:00:00", "end": "23:59:59"}.get(arguments[1], arguments[1])
        return f"{arguments[0]} {clock}"
    if name in _UNITS and arguments[0].isdigit():
        return now - timedelta(**{_UNITS[name]: int(arguments[0])})
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"beginningoftoday": 0, "beginningofyesterday": -1, "endofyesterday": 0, "endoftoday": 1}
    if name not in days:
        return None
    return midnight + timedelta(days=days[name]) - timedelta(seconds=name.startswith("endof"))
