"""Cut a staging frame into chunks that one request may carry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from include.errors import SetupWrong
from include.servicenow.import_sets import MAX_BODY_BYTES, encode

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of a frame, by column name, without empty cells; ``first_row`` is their position in it."""

    first_row: int
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """A name for the chunk's files, ordered like the rows."""
        return f"rows-{self.first_row:08d}-{self.first_row + len(self.records) - 1:08d}"

    def keyed_by(self, labels: Mapping[str, str]) -> list[Record]:
        """Return the records with each column name replaced by its label."""
        return [{labels[name]: value for name, value in record.items()} for record in self.records]


def staging_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are sent; those with a leading underscore are the pipeline's own notes."""
    return [str(name) for name in frame.columns if not str(name).startswith("_")]


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


def iter_chunks(records: Sequence[Record], *, chunk_rows: int, max_bytes: int = MAX_BODY_BYTES) -> Iterator[Chunk]:
    """Yield chunks of at most ``chunk_rows`` rows and about ``max_bytes`` bytes of body."""
    first_row, size_bytes, batch = 0, 0, list[Record]()
    for record in records:
        record_bytes = len(encode(record)) + 1
        if batch and (len(batch) == chunk_rows or size_bytes + record_bytes > max_bytes):
            yield Chunk(first_row, tuple(batch))
            first_row, size_bytes, batch = first_row + len(batch), 0, []
        batch.append(record)
        size_bytes += record_bytes
    if batch:
        yield Chunk(first_row, tuple(batch))
