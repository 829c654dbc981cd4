"""What Iru said of a device, as shaped by the newest run whose files are kept."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from include.errors import PipelineError
from include.insight.scope import Scope
from include.insight.times import iso
from include.inventory.run_folder import RunFolder
from include.inventory.sync_tables import RUNS
from include.storage import StoragePath, is_local, local_path, read_bytes, read_json

log = logging.getLogger(__name__)

RUNS_LOOKED_AT = 30
"""Runs of a few devices lie between those of the whole fleet; further back nothing is worth the time."""

OpenFolder = Callable[[str], StoragePath]


@dataclass(frozen=True, slots=True)
class Shaped:
    """A feed's row as a run shaped it, and when that run began (ISO 8601)."""

    payload: dict[str, str]
    at: str | None


def newest_shaped(scope: Scope, open_folder: OpenFolder, device_id: str, keys: Mapping[str, str]) -> dict[str, Shaped]:
    """Return what the newest runs with files shaped of a device, by feed; ``keys`` are its rows' keys by feed."""
    asked = sa.select(RUNS.c.folder, RUNS.c.began_at).where(*scope.reader.of(RUNS), RUNS.c.flow == "devices")
    newest = scope.reader.by(asked.order_by(RUNS.c.ended_at.desc()).limit(RUNS_LOOKED_AT), RUNS, "sync_runs_by_end")
    runs, wanted = scope.reader.rows(newest), dict(keys)
    scope.reader.close()  # files may take long, and nobody may wait for us meanwhile
    found: dict[str, Shaped] = {}
    for run in runs:
        if not wanted:
            break
        for feed, payload in _rows(RunFolder(open_folder(run.folder)), device_id, wanted):
            found[feed] = Shaped(payload, iso(run.began_at))
            del wanted[feed]
    return found


def _rows(folder: RunFolder, device_id: str, keys: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Return what a run shaped of a device; nothing where its files cannot be read, or are removed meanwhile."""
    try:
        if not _is_about(folder, device_id):
            return []
        rows = ((feed, _row(folder, feed, key)) for feed, key in keys.items())
        return [(feed, row) for feed, row in rows if row is not None]
    except (PipelineError, OSError, pa.ArrowException) as error:
        log.warning("The files of a run cannot be read (%s); an earlier run's are looked at.", type(error).__name__)
        return []


def _is_about(folder: RunFolder, device_id: str) -> bool:
    if not folder.scope.exists():
        return True
    return device_id in {str(each).casefold() for each in read_json(folder.scope)}


def _row(folder: RunFolder, feed: str, key: str) -> dict[str, str] | None:
    """Read the one bucket of a feed's rows in which a key is; None where it is not, or its files are gone."""
    buckets = folder.told_by(f"shape-{feed}").get("buckets")
    if not isinstance(buckets, int) or buckets < 1:
        return None
    bucket = crc32(key.encode()) % buckets
    for path in folder.rows(feed).paths():
        with pq.ParquetFile(_source(path)) as file:
            if bucket >= file.num_row_groups:
                continue
            rows = file.read_row_group(bucket)
        ours = rows.filter(pc.equal(rows["_key"], key)).slice(0, 1).to_pylist()
        if ours:
            return {name: value for name, value in ours[0].items() if _is_cell(name, value)}
    return None


def _is_cell(name: str, value: Any) -> bool:
    return isinstance(value, str) and not name.startswith("_")


def _source(path: StoragePath) -> Any:
    return local_path(path) if is_local(path) else BytesIO(read_bytes(path))
