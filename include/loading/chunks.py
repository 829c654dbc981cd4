"""Cut a staging frame into chunks that one request may carry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import pandas as pd

from include.loading.records import LazyRecords, Picked, Record
from include.servicenow.import_sets import MAX_BODY_BYTES, encode, encode_records


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a frame: their positions in it, and the rows by column name, without empty cells."""

    rows: tuple[int, ...]
    records: Sequence[Record]

    @property
    def name(self) -> str:
        """A name for the chunk's files: no two chunks of other rows share it."""
        first, last = self.rows[0], self.rows[-1]
        gaps = "" if last - first + 1 == len(self.rows) else f"-{_digest(self.rows)}"
        return f"rows-{first:08d}-{last:08d}{gaps}"

    def keyed_by(self, labels: Mapping[str, str]) -> list[Record]:
        """Return the records with each column name replaced by its label."""
        return [{labels[name]: value for name, value in record.items()} for record in self.records]

    def body(self, labels: Mapping[str, str]) -> bytes:
        """Return the body of the request that sends the chunk, each column called by its label."""
        if isinstance(self.records, Picked):
            return f'{{"records":[{self.records.spelled(labels)}]}}'.encode()
        return encode_records(self.keyed_by(labels))

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """Return the chunk's two halves; it must have two rows at least."""
        middle = len(self.rows) // 2
        return (
            Chunk(self.rows[:middle], self.records[:middle]),
            Chunk(self.rows[middle:], self.records[middle:]),
        )


def staging_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are sent; those with a leading underscore are the pipeline's own notes."""
    return [str(name) for name in frame.columns if not str(name).startswith("_")]


def pick(records: Sequence[Record], rows: Sequence[int]) -> Chunk:
    """Return the chunk of some rows of a frame."""
    rows = tuple(rows)
    return Chunk(rows, Picked(records, rows) if isinstance(records, LazyRecords) else [records[row] for row in rows])


def iter_chunks(
    records: Sequence[Record], rows: Sequence[int], *, chunk_rows: int, max_bytes: int = MAX_BODY_BYTES
) -> Iterator[Chunk]:
    """Yield the chunks of some rows of a frame, each of at most ``chunk_rows`` rows and about ``max_bytes`` bytes."""
    if isinstance(records, LazyRecords) and records.longest_bytes * chunk_rows <= max_bytes:
        for first in range(0, len(rows), chunk_rows):
            yield pick(records, rows[first : first + chunk_rows])
        return
    size_bytes, batch = 0, list[int]()
    for row in rows:
        record_bytes = _most_bytes(records, row)
        if record_bytes * chunk_rows > max_bytes:
            record_bytes = len(encode(records[row])) + 1
        if batch and (len(batch) == chunk_rows or size_bytes + record_bytes > max_bytes):
            yield pick(records, batch)
            size_bytes, batch = 0, []
        batch.append(row)
        size_bytes += record_bytes
    if batch:
        yield pick(records, batch)


def _most_bytes(records: Sequence[Record], row: int) -> int:
    """Return what a record takes at most as JSON, where a character may take six bytes; cheaper than encoding it."""
    if isinstance(records, LazyRecords):
        return records.most_bytes(row)
    record = records[row]
    return 6 * (len("".join(record)) + len("".join(record.values())) + len(record)) + 3


def _digest(rows: Sequence[int]) -> str:
    return blake2b(repr(tuple(rows)).encode(), digest_size=4).hexdigest()
