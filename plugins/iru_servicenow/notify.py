"""Tell somebody when a run fails or is late, through any of Airflow's notifiers."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from airflow.sdk import (  # type: ignore[attr-defined]  # Airflow's stub lacks the deadlines
    BaseNotifier,
    DeadlineAlert,
    DeadlineReference,
    SyncCallback,
)

from include.errors import SetupWrong
from include.inventory.notify import Notify
from include.inventory.settings import PREFIX, Settings


def notifiers(settings: Settings) -> list[BaseNotifier]:
    """Return the notifiers of a pair, made; SetupWrong names one that cannot be imported or made."""
    return [_make(entry) for entry in settings.notify]


def deadlines(settings: Settings) -> list[DeadlineAlert]:
    """Return the alert of a run that is late, where the settings have a deadline."""
    if not settings.deadline_min:
        return []
    return [
        DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(minutes=settings.deadline_min),
            callback=SyncCallback(tell_late, kwargs={"pair_name": settings.pair}),
            name=f"late after {settings.deadline_min} min",
        )
    ]


def tell_late(context: Any = None, *, pair_name: str = "", **_: Any) -> None:
    """Call a pair's notifiers about a run that is late."""
    for notifier in notifiers(Settings.of_pair(pair_name)):
        notifier(context or {})


def _make(entry: Notify) -> BaseNotifier:
    module, _, name = entry.notifier.rpartition(".")
    try:
        made = getattr(import_module(module), name)(**entry.options)
    except (ImportError, AttributeError) as error:
        raise SetupWrong(f"{PREFIX}NOTIFY names {entry.notifier}, which cannot be imported: {error}.") from None
    except (TypeError, ValueError) as error:
        options = ", ".join(entry.options) or "nothing"
        raise SetupWrong(f"{PREFIX}NOTIFY: {entry.notifier} cannot be made with {options}: {error}.") from None
    if not isinstance(made, BaseNotifier):
        raise SetupWrong(f"{PREFIX}NOTIFY names {entry.notifier}, which is no notifier of Airflow.")
    return made
