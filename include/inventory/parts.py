"""Frames that are too large to hold at once: a folder of Parquet files, worked on part by part.

A bucket holds the rows whose group (or key) has a certain hash, so that what belongs together is together: repetitions
of a row, all rows of a device. A part that was written in buckets has one row group for each.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.storage import (
    StoragePath,
    is_local,
    list_files,
    local_path,
    read_bytes,
    read_frame,
    write_bytes,
    write_frame,
)
from include.texts import to_arrow

PART_ROWS = 50_000
"""Rows of a part that is collected from small portions."""

_SUFFIX = ".parquet"
_LEVEL: dict[str, Any] = {"compression": "zstd", "compression_level": 1}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one frame; all have the same columns, and there is one at least, be it empty."""

    folder: StoragePath

    def path(self, number: int) -> StoragePath:
        """Return where a part is."""
        return self.folder / f"part-{number:06d}{_SUFFIX}"

    def paths(self) -> list[StoragePath]:
        """Return the parts that are there, in their order."""
        return list_files(self.folder, _SUFFIX)

    def clear(self, *, keep: int = 0) -> None:
        """Remove parts of an earlier try, but for the first ones."""
        for path in self.paths()[keep:]:
            path.unlink()

    def write(self, number: int, frame: pd.DataFrame) -> None:
        """Write one part."""
        write_frame(self.path(number), frame)

    def frames(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the parts, or some columns of them."""
        return (read_frame(path, columns) for path in self.paths())

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all parts as one frame, or some columns of them."""
        return pd.concat(list(self.frames(columns)), ignore_index=True)

    def write_buckets(self, number: int, frame: pd.DataFrame, buckets: np.ndarray, of: int) -> None:
        """Write one part with a row group for each of ``of`` buckets; ``buckets`` tells each row's."""
        order = np.argsort(buckets, kind="stable")
        bounds = np.searchsorted(buckets[order], np.arange(of + 1))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.take(order)
        packed = BytesIO()
        with pq.ParquetWriter(packed, table.schema, **_LEVEL) as writer:
            for first, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                writer.write_table(table.slice(first, end - first), row_group_size=max(1, end - first))
        write_bytes(self.path(number), packed.getvalue())


class Collected:
    """Writes rows that come in small portions as parts of a decent size."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: list[pd.DataFrame] = []
        self._written = 0
        self.rows = 0

    def add(self, frame: pd.DataFrame) -> None:
        """Take some rows."""
        if len(frame):
            self.rows += len(frame)
            self._waiting.append(frame)
        if sum(map(len, self._waiting)) >= PART_ROWS:
            self._write()

    def close(self, nothing: pd.DataFrame) -> None:
        """Write what is left, or ``nothing`` where there were no rows, and remove the parts of an earlier try."""
        if not self._written and not self._waiting:
            self._waiting = [nothing]
        if self._waiting:
            self._write()
        self._parts.clear(keep=self._written)

    def _write(self) -> None:
        self._parts.write(self._written, pd.concat(self._waiting, ignore_index=True))
        self._written, self._waiting = self._written + 1, []


class Buckets:
    """Reads parts bucket by bucket; parts of an object store are fetched once, into a temporary folder."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stack = ExitStack()

    def __enter__(self) -> "Buckets":
        self._files = [self._stack.enter_context(pq.ParquetFile(path)) for path in self._local_paths()]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, bucket: int) -> pd.DataFrame:
        """Return the rows of a bucket, in the order of the parts."""
        rows: pd.DataFrame = self.table(bucket).to_pandas(ignore_metadata=True, types_mapper=_types)
        return rows

    def table(self, bucket: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of a bucket as Arrow's table, or some columns of them."""
        chosen = list(columns) if columns else None
        return pa.concat_tables([file.read_row_group(bucket, columns=chosen) for file in self._files])

    def _local_paths(self) -> Iterator[str]:
        paths = self._parts.paths()
        if all(map(is_local, paths)):
            yield from map(local_path, paths)
            return
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="iru-")))
        for number, path in enumerate(paths):
            copy = folder / str(number)
            copy.write_bytes(read_bytes(path))
            yield str(copy)


def bucket_of(texts: pd.Series, of: int) -> np.ndarray:
    """Return the bucket of each text, the same on every machine; null is in bucket 0."""
    coded = to_arrow(texts).dictionary_encode()
    known = np.array([crc32(text.encode()) % of for text in coded.dictionary.to_pylist()] + [0], dtype="int64")
    found: np.ndarray = known[coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return found


def _types(kind: pa.DataType) -> Any:
    """Let texts be what they are everywhere else: pandas' str."""
    return pd.StringDtype(na_value=np.nan) if pa.types.is_large_string(kind) or pa.types.is_string(kind) else None
