"""Read the CSV of a Prism export as the rows that Prism's pages show, with bounded memory.

Source: an export names the keys of the category in its first line; an empty cell is JSON's null.
"""

import csv
import io
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, TextIO

from include.errors import AnswerUnusable
from include.iru.quota import PAGE_ROWS

MAX_LINE_CHARS = 4 * 1024 * 1024
"""The longest line and the longest cell; a row of Prism has about 2,000 characters."""

FLAGS = frozenset({
    "ad_hoc_code_signed", "app_store_vendable", "beta_app", "device_based_vpp", "download_canceled",
    "download_failed", "download_paused", "download_waiting", "has_update_available", "installing", "app_clip",
    "validated", "apple_scriptable", "apple_silicon", "shared_ipad", "data_roaming", "hotspot", "mdm_enabled",
    "agent_installed",
})  # fmt: skip
"""The keys of apps and device_information whose values are true and false."""

NUMBERS = frozenset({"device_capacity", "bundle_size", "dynamic_size", "count"})
"""The keys whose values are numbers."""


class ExportUnusable(AnswerUnusable):
    """The tenant gives no export that can take the place of its pages; the pages may be read instead."""


def iter_csv(
    file: BinaryIO, *, required: Collection[str], wanted: Collection[str] = ()
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of an export in pages; ExportUnusable where it is no CSV or lacks a ``required`` column.

    Of each row the ``wanted`` keys are kept, and its device's id; empty means all.
    The file belongs to the reader from here on, and is closed with it.
    """
    csv.field_size_limit(MAX_LINE_CHARS)  # of the whole process; the default refuses long texts that pages may have
    reader = csv.reader(_lines(io.TextIOWrapper(file, encoding="utf-8-sig", newline="")), strict=True)
    try:
        header = next(reader, [])
        _check_header(header, required)
        kept = [each for each in enumerate(header) if not wanted or each[1] in wanted or each[1] == "device_id"]
        page: list[dict[str, Any]] = []
        for cells in reader:
            if len(cells) != len(header):
                line = reader.line_num
                raise ExportUnusable(f"The export has {len(cells)} cells instead of {len(header)} in line {line}.")
            page.append({name: _value(name, cells[position]) for position, name in kept})
            if len(page) == PAGE_ROWS:
                yield page
                page = []
    except (csv.Error, UnicodeDecodeError) as error:
        raise ExportUnusable(
            f"The export is no valid CSV near line {reader.line_num} ({type(error).__name__})."
        ) from None
    if page:
        yield page


def _lines(text: TextIO) -> Iterator[str]:
    while line := text.readline(MAX_LINE_CHARS + 1):
        if len(line) > MAX_LINE_CHARS:
            raise ExportUnusable(f"The export has a line of more than {MAX_LINE_CHARS} characters.")
        yield line


def _check_header(header: list[str], required: Collection[str]) -> None:
    lacking = sorted({"device_id", *required} - set(header))
    if lacking:
        raise ExportUnusable(f"The export lacks the columns {', '.join(lacking)}, which Prism's pages have.")
    if len(set(header)) < len(header):
        raise ExportUnusable("The export names a column twice.")


def _value(name: str, cell: str) -> str | bool | int | float | None:
    """Return a cell as JSON has it; text that is not of its key's kind stays text, for the row's own check."""
    if not cell:
        return None
    if name in FLAGS:
        return {"true": True, "false": False}.get(cell.lower(), cell)
    return _number(cell) if name in NUMBERS else cell


def _number(cell: str) -> str | int | float:
    try:
        return int(cell) if cell.lstrip("-").isdigit() else float(cell)
    except ValueError:
        return cell
