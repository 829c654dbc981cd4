"""Shape a source batch by batch into the parts of one feed, and settle which of the rows with one key goes on.

Rows that share a key may be in any two batches, so that they are looked for once all are written; only the keys'
hashes are kept in memory meanwhile, 8 bytes a row.
"""

import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from include.inventory.cells import timestamp
from include.inventory.columns import Problem
from include.inventory.mapping import Feed
from include.inventory.parts import Buckets, Collected, Parts, bucket_of
from include.inventory.run_folder import RunFolder
from include.inventory.shape import Batch, rejected
from include.storage import read_frame
from include.texts import text_series

BUCKET_ROWS = 30_000
"""About how many rows are planned at a time."""

_REPEATED = "an exact repetition of another row"


def buckets_for(rows: int, *, partitions: int = 1) -> int:
    """Return in how many buckets so many rows are worked on: a multiple of the partitions that share them."""
    return max(1, math.ceil(rows / BUCKET_ROWS / partitions)) * partitions


class Shaper:
    """Takes the batches of one feed and writes its parts; ``told`` is what the stage notes of it in the end."""

    def __init__(self, folder: RunFolder, feed: Feed, *, buckets: int) -> None:
        self._feed, self._buckets = feed, buckets
        self._rows, self._seen = folder.rows(feed.name), folder.also_seen(feed.name)
        self._rejects = Collected(folder.rejects(feed.name))
        self._filtered = Collected(folder.filtered(feed.name))
        self._batches = self._extracted = self._unkeyed = self._rejected = self._kept = 0
        self._hashes: list[np.ndarray] = []
        self._reasons: dict[str, Counter[str]] = {"filtered": Counter(), "rejected": Counter()}

    def add(self, batch: Batch) -> None:
        """Write one batch."""
        number, self._batches = self._batches, self._batches + 1
        self._write(self._rows, number, batch.rows)
        self._write(self._seen, number, batch.also_seen)
        self._extracted += batch.extracted
        self._unkeyed += batch.unkeyed
        self._kept += len(batch.rows)
        self._hashes.append(_hashes(batch.rows))
        self._tell(batch.rejects, batch.filtered)

    def finish(self) -> dict[str, Any]:
        """Take out rows that repeat another one, or whose key a newer one has; return what the stage tells."""
        for parts in (self._rows, self._seen):
            parts.clear(keep=self._batches)
        self._take_out_shared()
        self._rejects.close(rejected([], pd.DataFrame(columns=["device_id", "serial_number"], dtype="str")))
        self._filtered.close(_filtered([], ""))
        return {
            "extracted": self._extracted,
            "buckets": self._buckets,
            "rows": self._kept,
            "filtered": self._reasons["filtered"].total(),
            "rejected": self._rejected,
            "unkeyed": self._unkeyed,
            "filtered_because": _ordered(self._reasons["filtered"]),
            "rejected_because": _ordered(self._reasons["rejected"]),
        }

    def _write(self, parts: Parts, number: int, frame: pd.DataFrame) -> None:
        by = "_device" if self._feed.grouped else "_key"
        parts.write_buckets(number, frame, bucket_of(frame[by], self._buckets), self._buckets)

    def _tell(self, rejects: pd.DataFrame, filtered: pd.DataFrame) -> None:
        self._rejects.add(rejects)
        self._filtered.add(filtered)
        self._rejected += int(rejects["row"].nunique())
        self._reasons["filtered"].update(filtered["reason"].tolist())
        self._reasons["rejected"].update((rejects["column"] + " " + rejects["reason"]).tolist())

    def _take_out_shared(self) -> None:
        """Take out all but one row of each key."""
        found, times = np.unique(np.concatenate(self._hashes), return_counts=True)
        shared = found[times > 1]
        if not len(shared):
            return
        out: list[int] = []
        with Buckets(self._rows) as buckets:
            for bucket in range(self._buckets):
                rows = buckets.read(bucket)
                rows = rows[np.isin(_hashes(rows), shared)]
                repeated, older = _shared(rows.set_index("_row", drop=False), self._feed)
                out += [*repeated, *(problem.row for problem in older)]
                self._tell(_with_identity(older, rows), _filtered(repeated, _REPEATED))
        self._rewrite(set(out))

    def _rewrite(self, out: set[int]) -> None:
        for number, path in enumerate(self._rows.paths()):
            rows = read_frame(path)
            kept = rows[~rows["_row"].isin(out)]
            if len(kept) < len(rows):
                self._write(self._rows, number, kept)
        self._kept -= len(out)


def _filtered(rows: list[int], reason: str) -> pd.DataFrame:
    return pd.DataFrame({"row": pd.Series(rows, dtype="int64"), "reason": text_series([reason] * len(rows))})


def _hashes(rows: pd.DataFrame) -> np.ndarray:
    """Return what tells keys apart within this process; two keys that share it are looked at, and no more."""
    found: np.ndarray = pd.util.hash_array(rows["_key"].to_numpy(dtype=object), categorize=False)
    return found


def _shared(rows: pd.DataFrame, feed: Feed) -> tuple[list[int], list[Problem]]:
    """Return the rows that repeat another one exactly, and those that share a key with a newer, different row."""
    rows = rows.sort_index()
    rows = rows[rows.duplicated("_key", keep=False)]
    repeated = rows.index[rows.duplicated(["_key", *feed.column_names], keep="first")].tolist()
    older: list[Problem] = []
    for _, group in rows.drop(index=repeated).groupby("_key"):
        if len(group) > 1:
            newest = max(zip(map(_moment, group["_age"]), group.index, strict=True))[1]
            reason = f"row {newest} has the same key and is newer"
            older += [Problem(int(row), ", ".join(feed.key), reason) for row in group.index if row != newest]
    return repeated, older


def _with_identity(problems: list[Problem], rows: pd.DataFrame) -> pd.DataFrame:
    """Return rejects with the identity that staging rows have."""
    identity = (
        rows.set_index("_row").drop(columns="device_id", errors="ignore").rename(columns={"_device": "device_id"})
    )
    return rejected(problems, identity.reindex(columns=["device_id", "serial_number"]).astype("str"))


def _moment(cell: object) -> str:
    """Return a time in a form that sorts; what is no time is oldest."""
    try:
        return timestamp(cell) or "" if isinstance(cell, str) else ""
    except ValueError:
        return ""


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
