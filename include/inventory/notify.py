"""Who is told when a run fails or is late: the setting that lists Airflow notifiers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.errors import SetupWrong

_EXAMPLE = '[{"notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "to": "oncall@example.com"}]'


@dataclass(frozen=True, slots=True)
class Notify:
    """One notifier: its class by dotted name, and what it is made with; ``repr`` hides that, it may hold addresses."""

    notifier: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_notify(text: str, *, setting: str) -> tuple[Notify, ...]:
    """Return the notifiers that a setting lists as JSON; SetupWrong names the setting and what is wrong with it."""
    if not text.strip():
        return ()
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SetupWrong(f"{setting} is no JSON list of objects, such as {_EXAMPLE}.")
    return tuple(_entry(entry, setting) for entry in entries)


def _entry(entry: dict[str, Any], setting: str) -> Notify:
    name = entry.get("notifier")
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise SetupWrong(
            f"{setting} needs, in each entry, a 'notifier': the dotted name of its class, as in {_EXAMPLE}."
        )
    return Notify(name, {key: value for key, value in entry.items() if key != "notifier"})
