"""Fill staging columns from source columns, as the mapping says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from include.inventory.cells import Unusable, boolean, digest, escape, number, text, timestamp
from include.inventory.mapping import Column, Feed

_CONVERT: Mapping[str, Callable[[object], str | None]] = {
    "text": text,
    "number": number,
    "boolean": boolean,
    "timestamp": timestamp,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one row cannot be carried: its position in the source, the column, and the reason in words."""

    row: int
    column: str
    reason: str


def fill(source: pd.DataFrame, feed: Feed) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the staging frame of every source row, and what could not be converted.

    The frame has the feed's columns as text and the index of ``source``; a cell that could not be converted is null.
    """
    problems: list[Problem] = []
    cells = {column.name: _column(source, column, feed, problems) for column in feed.columns}
    frame = pd.DataFrame({name: pd.Series(values, index=source.index, dtype="str") for name, values in cells.items()})
    return frame, problems


def keys(frame: pd.DataFrame, feed: Feed) -> pd.Series:
    """Return each row's key as ServiceNow tells rows apart, that is without case; null where a part is missing."""
    parts = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in feed.key]
    joined = [join_key(values) for values in zip(*parts, strict=True)]
    return pd.Series(joined, index=frame.index, dtype="str")


def join_key(values: Sequence[str | None]) -> str | None:
    """Return the ledger's key for the values of a feed's key columns."""
    present = [value for value in values if value]
    return "\x1f".join(value.casefold() for value in present) if len(present) == len(values) else None


def _column(source: pd.DataFrame, column: Column, feed: Feed, problems: list[Problem]) -> list[str | None]:
    if column.constant is not None:
        return [column.constant] * len(source)
    if column.digest_of:
        return _digests(source, column)
    values = _first_given(source, column, problems)
    if column.required or column.name in feed.key:
        values = [escape(value.strip()) if value else value for value in values]
    return _translate(values, column, source.index, problems) if column.translate else values


def _first_given(source: pd.DataFrame, column: Column, problems: list[Problem]) -> list[str | None]:
    values: list[str | None] = [None] * len(source)
    for name in column.fields:
        if name not in source:
            continue
        converted = _converted(source[name], column, problems)
        values = [value if value is not None else other for value, other in zip(values, converted, strict=True)]
    return values


def _converted(cells: pd.Series, column: Column, problems: list[Problem]) -> list[str | None]:
    convert = _CONVERT[column.type]
    values: list[str | None] = []
    for row, cell in cells.items():
        try:
            values.append(None if isinstance(cell, Unusable) else convert(cell))
        except ValueError as error:
            problems.append(Problem(_as_int(row), column.name, str(error)))
            values.append(None)
    return values


def _translate(values: list[str | None], column: Column, index: pd.Index, problems: list[Problem]) -> list[str | None]:
    known = {word.casefold(): translation for word, translation in column.translate.items()}
    translated = [known.get(value.casefold()) if value else None for value in values]
    for row, value, translation in zip(index, values, translated, strict=True):
        if value and translation is None:
            reason = f"{value[:40]!r} is not one of {', '.join(column.translate)}"
            problems.append(Problem(_as_int(row), column.name, reason))
    return translated


def _digests(source: pd.DataFrame, column: Column) -> list[str | None]:
    """Identify each row by the digest of some fields; null where one is no text or one of the first two is empty.

    A digest over half of a key would look like another row, and the row itself like one that is gone. Text that no
    cell can hold still tells one row from another: such a row is rejected, but not taken for one that is gone.
    """
    rows = zip(*(source[name] for name in column.digest_of), strict=True)
    return [_digest(cells) for cells in rows]


def _digest(cells: Sequence[object]) -> str | None:
    if any(isinstance(cell, Unusable) and not cell.digest for cell in cells):
        return None
    parts = [f"\x00{cell.digest}" if isinstance(cell, Unusable) else text(cell) for cell in cells]
    return digest(parts) if all(parts[:2]) else None


def _as_int(label: object) -> int:
    if not isinstance(label, int):
        raise TypeError("a source frame is indexed by position")
    return label
