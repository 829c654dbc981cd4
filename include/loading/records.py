"""The rows of a frame as records, made where somebody looks into them; a request's body is spelled without them.

A record as a dict costs more than all else that is done for a row, and a large load looks into a few only.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import overload

import pandas as pd
import pyarrow.compute as pc

from include.errors import SetupWrong
from include.texts import is_text, json_rows, to_arrow

Record = dict[str, str]

_BLOCK_ROWS = 500
_BLOCKS_KEPT = 16
_SPELLED_ROWS = 10_000
_LONGEST_ESCAPE = 6  # of an UTF-8 byte in JSON


def to_records(frame: pd.DataFrame, columns: Sequence[str]) -> list[Record]:
    """Return the rows as records of strings; a null cell is left out of its record."""
    for column in columns:
        wrong = next((value for value in frame[column].dropna() if not isinstance(value, str)), None)
        if wrong is not None:
            raise SetupWrong(
                f"Column {column!r} of the frame holds {type(wrong).__name__}; Import Sets take text only."
            )
    cells = [frame[column].astype(object).where(frame[column].notna(), None).tolist() for column in columns]
    return [
        {column: value for column, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(*cells, strict=True)
    ]


class LazyRecords(Sequence[Record]):
    """The records of a frame of text columns, made a block at a time; may be read by several threads."""

    def __init__(self, frame: pd.DataFrame, columns: Sequence[str]) -> None:
        self._frame = frame[list(columns)]
        self._columns = columns
        self._cells = [to_arrow(frame[column]) for column in columns]
        self._blocks: dict[int, list[Record]] = {}
        lengths = [pc.binary_length(cells).fill_null(0).to_numpy(zero_copy_only=False) for cells in self._cells]
        names = sum(len(column.encode()) + 6 for column in columns)
        self._most_bytes = _LONGEST_ESCAPE * (sum(lengths) + names) if lengths else []
        self._texts: tuple[int, Mapping[str, str], list[str]] = (-1, {}, [])
        self.longest_bytes = int(max(self._most_bytes, default=0))

    def __len__(self) -> int:
        return len(self._frame)

    @overload
    def __getitem__(self, row: int) -> Record: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Record]: ...
    def __getitem__(self, row: int | slice) -> Record | Sequence[Record]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        block, place = divmod(row, _BLOCK_ROWS)
        made = self._blocks.get(block)
        if made is None:
            if len(self._blocks) >= _BLOCKS_KEPT:
                self._blocks.clear()
            made = self._blocks[block] = self._make(block * _BLOCK_ROWS)
        return made[place]

    def __iter__(self) -> Iterator[Record]:
        return (self[row] for row in range(len(self)))

    def most_bytes(self, row: int) -> int:
        """Return what a record takes at most as JSON, without spelling it."""
        return int(self._most_bytes[row])

    def spelled(self, rows: Sequence[int], labels: Mapping[str, str]) -> str:
        """Return some records as the items of a JSON list, each column called by its label."""
        return ",".join(text for row in self._by_block(rows) for text in self._spelled_block(row, labels))

    def _by_block(self, rows: Sequence[int]) -> Iterator[list[int]]:
        """Yield rows in lists, each of which lies in one block of those that are spelled at once."""
        for _, some in groupby(rows, key=lambda row: row // _SPELLED_ROWS):
            yield list(some)

    def _spelled_block(self, rows: Sequence[int], labels: Mapping[str, str]) -> Iterator[str]:
        block, known, texts = self._texts
        if block != rows[0] // _SPELLED_ROWS or known != labels:
            block = rows[0] // _SPELLED_ROWS
            frame = self._frame.iloc[block * _SPELLED_ROWS : (block + 1) * _SPELLED_ROWS]
            texts = json_rows(frame, {column: labels[column] for column in self._columns}).to_pylist()
            self._texts = (block, dict(labels), texts)
        return (texts[row - block * _SPELLED_ROWS] for row in rows)

    def _make(self, first: int) -> list[Record]:
        """Return what ``to_records`` does, for a block of rows in columns that hold nothing but text."""
        names = self._columns
        cells = [column.slice(first, _BLOCK_ROWS).to_pylist() for column in self._cells]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in zip(*cells, strict=True)
        ]


class Picked(Sequence[Record]):
    """Some of a frame's records."""

    def __init__(self, records: LazyRecords, rows: Sequence[int]) -> None:
        self._records, self._rows = records, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> Record: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Record]: ...
    def __getitem__(self, position: int | slice) -> Record | Sequence[Record]:
        if isinstance(position, slice):
            return Picked(self._records, self._rows[position])
        return self._records[self._rows[position]]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def spelled(self, labels: Mapping[str, str]) -> str:
        """Return them as the items of a JSON list, each column called by its label."""
        return self._records.spelled(self._rows, labels)


def records_of(frame: pd.DataFrame, columns: Sequence[str]) -> Sequence[Record]:
    """Return a frame's rows as records; SetupWrong, at once, where a column holds anything else than text."""
    if all(is_text(frame[column]) for column in columns):
        return LazyRecords(frame, columns)
    return to_records(frame, columns)
