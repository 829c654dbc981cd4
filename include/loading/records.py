"""The rows of a frame as records, made when they are asked for: the first chunk leaves before the last is made."""

from collections.abc import Iterator, Sequence

import pandas as pd
import pyarrow as pa

from include.loading.chunks import Record, to_records

_BLOCK_ROWS = 500


class LazyRecords(Sequence[Record]):
    """The records of a frame, made a block at a time; may be read by several threads."""

    def __init__(self, frame: pd.DataFrame, columns: Sequence[str]) -> None:
        self._rows, self._columns = len(frame), columns
        self._cells = [pa.array(frame[column], from_pandas=True) for column in columns]
        self._blocks: dict[int, list[Record]] = {}

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, row):  # type: ignore[no-untyped-def]  # an overload each for positions and slices says less
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        block, place = divmod(row, _BLOCK_ROWS)
        made = self._blocks.get(block)
        if made is None:
            made = self._blocks[block] = self._make(block * _BLOCK_ROWS)
        return made[place]

    def __iter__(self) -> Iterator[Record]:
        return (self[row] for row in range(len(self)))

    def _make(self, first: int) -> list[Record]:
        """Return what ``to_records`` does, for a block of rows in columns that hold nothing but text."""
        names = self._columns
        cells = [column.slice(first, _BLOCK_ROWS).to_pylist() for column in self._cells]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in zip(*cells, strict=True)
        ]


def records_of(frame: pd.DataFrame, columns: Sequence[str]) -> Sequence[Record]:
    """Return a frame's rows as records of strings; SetupWrong, at once, where a column holds other than text."""
    if all(isinstance(frame[column].dtype, pd.StringDtype) for column in columns):
        return LazyRecords(frame, columns)
    return to_records(frame, columns)
