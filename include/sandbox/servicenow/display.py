"""Records as the Table API shows them: plain, by display value, or both; references with links.

Source: ServiceNow, "Table API" (sysparm_display_value, sysparm_exclude_reference_link).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from include.sandbox.servicenow.schema import Column
from include.sandbox.servicenow.store import Store

DisplayMode = Literal["false", "true", "all"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A column in an answer: its name there, which may be dotted, and its dictionary entry."""

    name: str
    column: Column


@dataclass(slots=True)
class Display:
    """How one answer shows values; collects display values of references for all rows at once."""

    store: Store
    mode: DisplayMode
    links: bool
    base_url: str
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    _choices: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def show(self, table: str, columns: Sequence[Shown], rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """Return rows ready for JSON."""
        if self.mode != "false":
            self._collect(columns, rows)
        return [{shown.name: self._cell(table, shown.column, row[shown.name]) for shown in columns} for row in rows]

    def _collect(self, columns: Sequence[Shown], rows: Sequence[Mapping[str, str]]) -> None:
        wanted: dict[str, set[str]] = defaultdict(set)
        for shown in columns:
            if shown.column.reference:
                wanted[shown.column.reference].update(row[shown.name] for row in rows if row[shown.name])
        for table, sys_ids in wanted.items():
            self._names[table] = self.store.display_values(table, sys_ids)

    def _cell(self, table: str, column: Column, value: str) -> Any:
        if self.mode == "false":
            return {"link": self._link(column, value), "value": value} if self._has_link(column, value) else value
        text = self.text(table, column, value)
        if self.mode == "true":
            return {"display_value": text, "link": self._link(column, value)} if self._has_link(column, value) else text
        both = {"display_value": text, "value": value}
        return {**both, "link": self._link(column, value)} if self._has_link(column, value) else both

    def _has_link(self, column: Column, value: str) -> bool:
        return bool(self.links and column.reference and value)

    def _link(self, column: Column, value: str) -> str:
        return f"{self.base_url}api/now/table/{column.reference}/{value}"

    def text(self, table: str, column: Column, value: str) -> str:
        """Return a value's display value."""
        if not value:
            return ""
        if column.reference:
            return self._names.get(column.reference, {}).get(value, "")
        if column.type == "choice":
            return self._labels(table, column.name).get(value, value)
        if column.type in ("integer", "longint") and value.lstrip("-").isdigit():
            return f"{int(value):,}"
        if column.type == "glide_duration":
            return _duration(value)
        return value

    def _labels(self, table: str, element: str) -> dict[str, str]:
        key = (table, element)
        if key not in self._choices:
            found = self.store.find("sys_choice", {"name": table, "element": element})
            self._choices[key] = {row["value"]: row["label"] for row in found}
        return self._choices[key]


def _duration(value: str) -> str:
    hours, minutes, seconds = (int(part) for part in value[-8:].split(":"))
    named = ((hours, "Hour"), (minutes, "Minute"), (seconds, "Second"))
    return " ".join(f"{n} {unit}{'s' * (n != 1)}" for n, unit in named if n) or "0 Seconds"
