"""Records as the Table API shows them: plain, by display value, or both; references with links.

Source: ServiceNow, "Table API" (sysparm_display_value, sysparm_exclude_reference_link). A document ID, such as a
staging row's target, is shown like a reference when display values are asked for, and as a plain sys_id otherwise.
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

    @property
    def table_name(self) -> str:
        """The name of the column beside a document ID that says which table it refers to, else ''."""
        path = self.name.removesuffix(self.column.name)
        return f"{path}{self.column.table_column}" if self.column.table_column else ""


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
        return [{shown.name: self._cell(table, shown, row) for shown in columns} for row in rows]

    def _collect(self, columns: Sequence[Shown], rows: Sequence[Mapping[str, str]]) -> None:
        wanted: dict[str, set[str]] = defaultdict(set)
        for shown in columns:
            if shown.column.reference or shown.table_name:
                for row in rows:
                    wanted[self._refers_to(shown, row)].add(row[shown.name])
        for table, sys_ids in wanted.items():
            self._names[table] = self.store.display_values(table, sys_ids - {""})

    def _refers_to(self, shown: Shown, row: Mapping[str, str]) -> str:
        """Return the table of the record that a cell names, '' where it names none."""
        if not row[shown.name]:
            return ""
        if shown.column.reference or self.mode == "false":
            return shown.column.reference
        return row.get(shown.table_name, "")

    def _cell(self, table: str, shown: Shown, row: Mapping[str, str]) -> Any:
        value, referenced = row[shown.name], self._refers_to(shown, row)
        link = {}
        if self.links and referenced:
            link = {"link": f"{self.base_url}api/now/table/{referenced}/{value}"}
        if self.mode == "false":
            return {**link, "value": value} if link else value
        text = self._text(table, shown.column, value, referenced)
        if self.mode == "true":
            return {"display_value": text, **link} if link else text
        return {"display_value": text, "value": value, **link}

    def _text(self, table: str, column: Column, value: str, referenced: str) -> str:
        if not value:
            return ""
        if referenced:
            return self._names.get(referenced, {}).get(value, "")
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
