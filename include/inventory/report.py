"""The run's report: the same names and numbers in ``report.json``, in the task log and in metrics."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from textwrap import fill
from typing import Any

from rich.console import Console
from rich.table import Table

from include.inventory.guards import told
from include.inventory.settle import COUNTS
from include.privacy import masked

_MESSAGE_WIDTH = 120
"""What to do stands at a message's end, and Airflow's UI does not wrap lines."""
_LOG_WIDTH = 160
_REASONS_KEPT = 50
_REASONS_LOGGED = 10
_OTHERS = "other reasons"
_WITHOUT_CONTENT = ("planned", "filtered_because", "held_because", "cut_to_fit", "not_in_servicenow")
"""Details whose texts are the pipeline's own; all others may repeat what a cell holds."""


@dataclass(frozen=True, slots=True)
class FeedReport:
    """What became of one feed; ``counts`` has the names of ``COUNTS``, ``details`` whatever a person should see.

    ``import_sets`` are the first ones into which its rows went.
    """

    counts: Mapping[str, int]
    details: Mapping[str, Any] = field(default_factory=dict)
    import_sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one run, by service: ``requests`` and ``retries`` of them, and the seconds waited before these.

    ``guards`` are those that struck: guard, message, lifted. ``usage`` is what the usage publisher made of installs.
    """

    dag_id: str
    run_id: str
    mode: str
    feeds: Mapping[str, FeedReport]
    requests: Mapping[str, int]
    failed: str = ""
    retries: Mapping[str, int] = field(default_factory=dict)
    waited_s: Mapping[str, float] = field(default_factory=dict)
    guards: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``report.json``."""
        report: dict[str, Any] = {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "mode": self.mode,
            "feeds": {name: dict(feed.counts) for name, feed in self.feeds.items()},
            "requests": dict(self.requests),
            "retries": dict(self.retries),
            "waited_s": dict(self.waited_s),
            "guards": [dict(guard) for guard in self.guards],
            "details": {name: _bounded_all(feed.details) for name, feed in self.feeds.items() if feed.details},
        }
        usage = {"usage": dict(self.usage)} if self.usage else {}
        return report | usage | ({"failed": self.failed} if self.failed else {})

    def to_text(self) -> str:
        """Return the report as a table for a task's log; values that messages repeat are masked."""
        table = Table()
        table.add_column("feed")
        shown = [name for name in COUNTS if name == "extracted" or any(f.counts[name] for f in self.feeds.values())]
        for name in shown:
            table.add_column(name, justify="right")
        for name, feed in self.feeds.items():
            table.add_row(name, *(str(feed.counts[count]) for count in shown))
        asked = ", ".join(f"{n} to {service}" for service, n in self.requests.items())
        title = f"{self.dag_id} · {self.mode} · {self.run_id}"
        return "\n".join([title, rendered(table), f"Requests: {asked}.{self._waits()}", *self._notes()])

    def _waits(self) -> str:
        tried = ", ".join(f"{n} to {service}" for service, n in self.retries.items() if n)
        return f" Tried again: {tried}, after {sum(self.waited_s.values()):.0f} s of waiting." if tried else ""

    def _notes(self) -> Iterable[str]:
        for name, feed in self.feeds.items():
            for what, value in feed.details.items():
                if value:
                    yield f"{name}: {what.replace('_', ' ')}: {_spelled(value, own=what in _WITHOUT_CONTENT)}"
        for guard in self.guards:
            yield told(guard)
        if self.usage:
            usage = ", ".join(f"{what} {n}" for what, n in self.usage.items())
            yield f"Usage: {usage.replace('_', ' ')}"
        if self.failed:
            yield fill(f"FAILED: {self.failed}", _MESSAGE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _spelled(value: object, *, own: bool) -> str:
    if not isinstance(value, Mapping):
        return str(value) if own or not isinstance(value, str) else masked(value)
    counts = Counter[str]()
    for words, n in value.items():
        counts[words if own else masked(words)] += n
    if len(counts) > _REASONS_LOGGED:
        counts = _without_numbers(counts)
    return "; ".join(f"{words} ({n})" for words, n in _bounded(counts, _REASONS_LOGGED).items())


def _without_numbers(counts: Mapping[str, int]) -> Counter[str]:
    """Count reasons together that differ in a number only, such as a row's."""
    found = Counter[str]()
    for words, n in counts.items():
        found[re.sub(r"\d+", "#", words)] += n
    return found


def _bounded_all(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        what: _bounded(value, _REASONS_KEPT) if isinstance(value, Mapping) else value for what, value in details.items()
    }


def _bounded(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Keep the most frequent reasons, and count the others together: every row may come with words of its own."""
    if len(counts) <= most:
        return dict(counts)
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return dict(ordered[:most]) | {_OTHERS: sum(n for _, n in ordered[most:])}


def rendered(table: Table) -> str:
    """Return a table as text for a task's log."""
    console = Console(file=StringIO(), width=_LOG_WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()
