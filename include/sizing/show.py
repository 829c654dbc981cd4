"""The sheet for a terminal and for a page."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from include.sizing.sheet import Part


def as_table(parts: Sequence[Part], columns: Sequence[str]) -> Table:
    """Return a table for a terminal."""
    table = Table("devices", *columns, box=box.SIMPLE, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for part in parts:
        table.add_section()
        table.add_row(f"[bold]{part.title}[/bold]")
        for line in part.lines:
            table.add_row(line.label.replace("`", ""), *(cell.replace("`", "") for cell in line.cells))
    return table


def as_markdown(parts: Sequence[Part], columns: Sequence[str]) -> str:
    """Return the same table in Markdown."""
    rows = [("devices", *columns), ("---", *("---:" for _ in columns))]
    for part in parts:
        rows.append((f"**{part.title}**", *("" for _ in columns)))
        rows += [(line.label, *line.cells) for line in part.lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
