"""Whole tables as files: read page by page, each page by a short question of its own, written as CSV or Parquet.

CSV is for spreadsheets, so its cells are safe there; Parquet holds the values as they are.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.insight.paging import Asked, Page, Row, Total
from include.insight.scope import Scope
from include.inventory.problems import safe_cell
from include.inventory.sync_tables import VERDICT_COLUMNS

Ask = Callable[[Asked], Page]

MOST_ROWS = 1_000_000
"""What a spreadsheet opens at all."""

ROWS_A_PAGE = 5000

_BOM = "\ufeff"  # or Excel takes UTF-8 for the code page of its country
_COUNTS = tuple(f"counts.{name}" for name in VERDICT_COLUMNS)

TABLES: dict[str, tuple[str, ...]] = {
    "stuck": (
        "feed", "key_shown", "kind", "verdict", "serial_number", "device_id", "name", "message", "attempts", "since",
        "run_id", "dag_id", "open_order.action", "open_order.ordered_by", "open_order.ordered_at",
    ),
    "runs": (
        "dag_id", "run_id", "flow", "mode", "is_whole", "began_at", "ended_at", "failed", "rows_sent", "load_s",
        "rows_per_s", "requests.iru", "requests.servicenow", "retries", "latency.n", "latency.p50_s", "latency.p95_s",
        "feed", *_COUNTS,
    ),
    "days": ("day", "feed", "runs", "failed", *_COUNTS),
    "orders": (
        "order_id", "feed", "key", "action", "ordered_by", "ordered_at", "reason", "state", "run_id", "done_at",
    ),
    "devices": (
        "device_id", "serial_number", "name", "model", "os_type", "os_version", "is_active", "verdict", "confirmed_at",
        "apps",
    ),
    "device_apps": (
        "key", "name", "publisher", "version", "path", "last_opened", "active", "verdict", "message", "confirmed_at",
        "unconfirmed",
    ),
    "history": (
        "feed", "key_shown", "name", "verdict", "message", "at", "run_id", "dag_id", "import_set.name", "is_present",
    ),
    "titles": (
        "title_id", "name", "publisher", "installs", "devices", "versions", "top_version", "never_opened", "unused_30",
        "unused_90", "unused_180", "newest_opened",
    ),
    "facts": ("fact", "value", "devices"),
    "setup": ("check", "part", "question", "state", "seen", "to_do", "loses_data"),
}  # fmt: skip
"""The columns of each table's file; a point leads into a value that has parts."""

_WHOLE = frozenset({
    "attempts", "rows_sent", "retries", "runs", "apps", "installs", "devices", "versions", "never_opened",
    "unused_30", "unused_90", "unused_180", "requests.iru", "requests.servicenow", "latency.n", *_COUNTS,
})  # fmt: skip
_REAL = frozenset({"load_s", "rows_per_s", "latency.p50_s", "latency.p95_s"})
_FLAGS = frozenset({"is_whole", "is_active", "active", "unconfirmed", "is_present", "loses_data"})


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows are in a file, and how many are not; of a total that is not exact at least so many."""

    rows: int
    left_out: int


def all_at_once(rows: Sequence[Row]) -> Ask:
    """Return a table that is there as a whole as one that is asked page by page."""
    return lambda _: Page(list(rows), None, Total(len(rows)))


def by_feed(ask: Ask) -> Ask:
    """Return a table of runs with a row for each feed of a run."""

    def each(asked: Asked) -> Page:
        page = ask(asked)
        rows = [run | {"feed": feed, "counts": counts} for run in page.rows for feed, counts in run["feeds"].items()]
        return Page(rows, page.next, page.total)

    return each


def write(scope: Scope, table: str, ask: Ask, path: Path, *, most: int | None = None) -> Written:
    """Write a table into a file, at most so many rows; its suffix says whether it is CSV or Parquet."""
    columns, most = TABLES[table], MOST_ROWS if most is None else most
    written, total, cursor = 0, 0, None
    with closing(_writer(table, path)) as writer:
        while written < most:
            scope.reader.renew()
            page = ask(Asked(cursor, ROWS_A_PAGE))
            scope.reader.close()
            rows = page.rows[: most - written]
            writer.write([[_at(row, column) for column in columns] for row in rows])
            written, total, cursor = written + len(rows), page.total.n, page.next
            if cursor is None:
                return Written(written, len(page.rows) - len(rows))
    return Written(written, max(1, total - written))


def _at(row: Row, column: str) -> Any:
    value: Any = row
    for part in column.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _writer(table: str, path: Path) -> "_Csv | _Parquet":
    return _Csv(TABLES[table], path) if path.suffix == ".csv" else _Parquet(table, TABLES[table], path)


class _Csv:
    def __init__(self, columns: Sequence[str], path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", errors="replace", newline="")
        self._file.write(_BOM)
        self.write([list(columns)])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        text = StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([_spelled(cell) for cell in row] for row in rows)
        self._file.write(text.getvalue())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class _Parquet:
    def __init__(self, table: str, columns: Sequence[str], path: Path) -> None:
        self._schema = pa.schema([(name, _kind(table, name)) for name in columns])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        if rows:
            cells = zip(*rows, strict=True)
            arrays = [pa.array(map(_storable, some), kind) for some, kind in zip(cells, self._kinds(), strict=True)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _kinds(self) -> Iterator[Any]:
        return (field.type for field in self._schema)


def _kind(table: str, column: str) -> Any:
    if column in _WHOLE or (table == "days" and column == "failed"):
        return pa.int64()
    if column in _REAL:
        return pa.float64()
    return pa.bool_() if column in _FLAGS else pa.string()


def _spelled(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        return str(cell)
    return safe_cell(cell) if isinstance(cell, str) else ""


def _storable(cell: Any) -> Any:
    """Return a value that UTF-8 can spell."""
    return cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell
