"""The data model: tables, columns, labels, lengths; what ``sys_db_object`` and ``sys_dictionary`` say.

Source: ServiceNow, "System dictionary", "Table extension and classes".
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Group = Literal["cmdb", "target", "import", "config", "admin"]
"""What access rules tell apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One dictionary entry; ``max_length`` is in characters, ``reference`` names the table of a reference.

    A document ID refers to a record of the table that its row names in ``table_column``.
    """

    name: str
    label: str
    type: str = "string"
    max_length: int = 255
    reference: str = ""
    table_column: str = ""
    mandatory: bool = False
    default: str = ""

    @property
    def is_number(self) -> bool:
        """Say whether values compare as numbers."""
        return self.type in ("integer", "decimal", "float", "longint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; ``parent`` is the table it extends, and an ``abstract`` one only shows the rows of its children."""

    name: str
    label: str
    group: Group
    columns: Mapping[str, Column] = field(default_factory=dict)
    display: str = ""
    parent: str = ""
    abstract: bool = False


def label_of(name: str) -> str:
    """Return the label that ServiceNow gives a column by default: spaces for underscores, first letter upper case."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def column(
    name: str,
    kind: str = "string",
    *,
    length: int | None = None,
    to: str = "",
    table_column: str = "",
    label: str = "",
    mandatory: bool = False,
    default: str = "",
) -> Column:
    """Return a column; ``to`` names a referenced table."""
    kind = "reference" if to else kind
    lengths = {"reference": 32, "GUID": 32, "boolean": 40, "integer": 40, "decimal": 40, "glide_date_time": 40}
    return Column(
        name=name,
        label=label or label_of(name),
        type=kind,
        max_length=length or lengths.get(kind, 255),
        reference=to,
        table_column=table_column,
        mandatory=mandatory,
        default=default,
    )


def system_columns() -> list[Column]:
    """Return the columns that every table has."""
    return [
        column("sys_id", "GUID", label="Sys ID"),
        column("sys_created_on", "glide_date_time", label="Created"),
        column("sys_created_by", length=40, label="Created by"),
        column("sys_updated_on", "glide_date_time", label="Updated"),
        column("sys_updated_by", length=40, label="Updated by"),
        column("sys_mod_count", "integer", label="Updates"),
        column("sys_class_name", "sys_class_name", length=80, label="Class"),
    ]


def table(
    name: str,
    group: Group,
    columns: Iterable[Column],
    *,
    label: str = "",
    display: str = "",
    parent: str = "",
    abstract: bool = False,
) -> Table:
    """Return a table with the system columns before its own."""
    own = {each.name: each for each in [*system_columns(), *columns]}
    return Table(
        name=name,
        label=label or label_of(name),
        group=group,
        columns=own,
        display=display,
        parent=parent,
        abstract=abstract,
    )


class Schema:
    """All tables; changes while the instance runs, when somebody adds a table or a column."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._lock = threading.Lock()
        self._tables = {each.name: each for each in tables}
        self.version = 0
        """Rises with every change, for whoever keeps something derived from it."""

    def find(self, name: str) -> Table | None:
        """Return a table, or None."""
        return self._tables.get(name)

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def tables(self) -> list[Table]:
        """Return all tables."""
        return list(self._tables.values())

    def children(self, name: str) -> list[Table]:
        """Return the tables that extend ``name``, however far down, without the abstract ones."""
        below = [each for each in self.tables() if each.parent == name]
        return [leaf for each in below for leaf in [*([] if each.abstract else [each]), *self.children(each.name)]]

    def is_staging(self, name: str) -> bool:
        """Say whether a table takes import set rows."""
        found = self.find(name)
        return found is not None and found.parent == "sys_import_set_row"

    def put_table(self, new: Table) -> None:
        """Add or replace a table."""
        with self._lock:
            self._tables = {**self._tables, new.name: new}
            self.version += 1

    def put_column(self, table_name: str, new: Column) -> None:
        """Add or replace a column."""
        old = self._tables[table_name]
        self.put_table(replace(old, columns={**old.columns, new.name: new}))

    def drop_column(self, table_name: str, name: str) -> None:
        """Take a column away."""
        old = self._tables[table_name]
        self.put_table(replace(old, columns={key: value for key, value in old.columns.items() if key != name}))

    def set_length(self, table_name: str, name: str, length: int) -> None:
        """Change a column's length in characters."""
        self.put_column(table_name, replace(self._tables[table_name].columns[name], max_length=length))
