"""Fill staging columns from source columns, as the mapping says."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.inventory.cells import Unusable, boolean, digest, escape, number, text, timestamp
from include.inventory.mapping import Column, Feed
from include.texts import (
    constant_series,
    digests,
    each_distinct,
    is_text,
    json_lists,
    text_series,
    to_arrow,
    to_series,
)

_UNIT = "\x1f"
"""Between the parts of a key (ASCII's unit separator)."""

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
    return pd.DataFrame(cells, index=source.index), problems


def keys(frame: pd.DataFrame, feed: Feed) -> pd.Series:
    """Return each row's key as ServiceNow tells rows apart, that is without case; null where a part is missing."""
    parts = [to_arrow(each_distinct(frame[name], lambda value: value.casefold() or None)[0]) for name in feed.key]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, pa.scalar(_UNIT, parts[0].type))
    return to_series(joined, frame.index)


def join_key(values: Sequence[str | None]) -> str | None:
    """Return the ledger's key for the values of a feed's key columns."""
    present = [value for value in values if value]
    return _UNIT.join(value.casefold() for value in present) if len(present) == len(values) else None


def cells_of(column: pd.Series) -> list[Any]:
    """Return the cells of a source column, None for null."""
    return to_arrow(column).to_pylist() if is_text(column) else column.tolist()


def _column(source: pd.DataFrame, column: Column, feed: Feed, problems: list[Problem]) -> pd.Series:
    if column.constant is not None:
        return constant_series(column.constant, source.index)
    if column.digest_of:
        return _digests(source, column)
    values = _first_given(source, column, problems)
    if column.required or column.name in feed.key:
        values, _ = each_distinct(values, lambda value: escape(value.strip()))
    return _translate(values, column, problems) if column.translate else values


def _first_given(source: pd.DataFrame, column: Column, problems: list[Problem]) -> pd.Series:
    values: pd.Series | None = None
    for name in column.fields:
        if name in source:
            converted = _converted(source[name], column, problems)
            values = converted if values is None else values.where(values.notna(), converted)
    return text_series([None] * len(source), source.index) if values is None else values


def _converted(cells: pd.Series, column: Column, problems: list[Problem]) -> pd.Series:
    convert = _CONVERT[column.type]
    if is_text(cells):
        values, refused = each_distinct(cells, convert)
        problems += _problems(cells.index, column, refused)
        return values
    found: list[str | None] = []
    for row, cell in cells.items():
        try:
            found.append(None if isinstance(cell, Unusable) else convert(cell))
        except ValueError as error:
            problems.append(Problem(_as_int(row), column.name, str(error)))
            found.append(None)
    return text_series(found, cells.index)


def _translate(values: pd.Series, column: Column, problems: list[Problem]) -> pd.Series:
    known = {word.casefold(): translation for word, translation in column.translate.items()}

    def translate(value: str) -> str | None:
        if value and value.casefold() not in known:
            raise ValueError(f"{value[:40]!r} is not one of {', '.join(column.translate)}")
        return known.get(value.casefold())

    translated, refused = each_distinct(values, translate)
    problems += _problems(values.index, column, refused)
    return translated


def _problems(index: pd.Index, column: Column, refused: Mapping[str, Iterable[int]]) -> Iterator[Problem]:
    for reason, positions in refused.items():
        yield from (Problem(_as_int(int(index[position])), column.name, reason) for position in positions)


def _digests(source: pd.DataFrame, column: Column) -> pd.Series:
    """Identify each row by the digest of some fields; null where one is no text or one of the first two is empty.

    A digest over half of a key would look like another row, and the row itself like one that is gone. Text that no
    cell can hold still tells one row from another: such a row is rejected, but not taken for one that is gone.
    """
    columns = [source[name] for name in column.digest_of]
    if not all(map(is_text, columns)):
        return text_series([_digest(cells) for cells in zip(*map(cells_of, columns), strict=True)], source.index)
    texts = [each_distinct(cells, text)[0] for cells in columns]
    found = text_series(digests(json_lists(texts)), source.index)
    return found.where(pd.concat([cells.notna() for cells in texts[:2]], axis=1).all(axis=1))


def _digest(cells: Sequence[object]) -> str | None:
    if any(isinstance(cell, Unusable) and not cell.digest for cell in cells):
        return None
    parts = [f"\x00{cell.digest}" if isinstance(cell, Unusable) else text(cell) for cell in cells]
    return digest(parts) if all(parts[:2]) else None


def _as_int(label: object) -> int:
    if not isinstance(label, int):
        raise TypeError("a source frame is indexed by position")
    return label
