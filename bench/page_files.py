"""The files that the newest run of a seeded ledger has left: what it shaped of every device."""

from pathlib import Path

import numpy as np
import pandas as pd

from bench.page_seed import Seeded
from include.inventory.parts import bucket_of
from include.inventory.read_sources import BATCH_ROWS
from include.inventory.run_folder import RunFolder
from include.inventory.shaper import buckets_for


def write_files(seeded: Seeded, runs: Path) -> None:
    """Write what the newest run shaped of the computers, below the folder of all DAGs' runs."""
    folder = RunFolder(runs / "iru_devices" / "run-1")
    devices = seeded.sizes.devices
    buckets = buckets_for(devices)
    for part, start in enumerate(range(0, devices, BATCH_ROWS)):
        numbers = range(start, min(devices, start + BATCH_ROWS))
        rows = pd.DataFrame([seeded.computer(number) for number in numbers])
        notes = {
            "_row": np.arange(start, start + len(rows)),
            "_key": rows["serial_number"].str.casefold(),
            "_device": [seeded.device_id(number) for number in numbers],
            "_age": "2026-11-01 00:00:00",
        }
        frame = pd.concat([pd.DataFrame(notes), rows], axis=1).astype({"_key": "str", "_device": "str", "_age": "str"})
        folder.rows("computer").write_buckets(part, frame, bucket_of(frame["_key"], buckets), buckets)
    folder.note("shape-computer", {"buckets": buckets})
