"""Rows as Iru sends them, and the frames that the stages make of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import load_mapping
from include.inventory.page_files import append_page, clear_pages
from include.inventory.params import RunParams
from include.inventory.plan import with_payloads
from include.inventory.read_sources import iter_source
from include.inventory.run import Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import run_shape

MAPPING = load_mapping()
PAIR = Pair("https://tenant.example", "https://instance.example")

Record = dict[str, Any]


def device(number: int = 1, **changes: Any) -> Record:
    """Return a row of GET /devices."""
    row: Record = {
        "device_id": f"d{number}",
        "device_name": f"Mac {number}",
        "model": "MacBook Air (M1, 2020)",
        "serial_number": f"SER{number}",
        "platform": "Mac",
        "os_version": "14.4.1",
        "user": {"email": f"u{number}@example.com", "name": "U", "id": "1", "is_archived": False},
        "blueprint_id": "b1",
        "blueprint_name": "Main hive",
        "last_enrollment": "2024-05-13 20:09:27.374451+00:00",
    }
    return row | changes


def prism_device(number: int = 1, **changes: Any) -> Record:
    """Return a row of Prism's device_information."""
    return {"device_id": f"d{number}", "model_name": "MacBook Air", "device_capacity": 245.0} | changes


def app(number: int = 1, on: int = 1, **changes: Any) -> Record:
    """Return a row of Prism's apps."""
    row: Record = {
        "device_id": f"d{on}",
        "device__family": "Mac",
        "serial_number": f"SER{on}",
        "blueprint_id": "b1",
        "blueprint_name": "Main hive",
        "bundle_id": f"com.example.app{number}",
        "name": f"App {number}",
        "developer_name": "Example Inc.",
        "version": "1.0",
        "path": f"/Applications/App {number}.app",
        "updated_at": "2024-05-13T20:09:27.374451Z",
    }
    return row | changes


@dataclass(frozen=True)
class Shaped:
    """What the shape stage left of a feed: its rows with their payloads, all keys that were listed, and the rest."""

    rows: pd.DataFrame
    seen: pd.DataFrame
    rejects: pd.DataFrame
    filtered: pd.DataFrame
    told: dict[str, Any]

    extracted = property(lambda self: self.told["extracted"])
    rejected = property(lambda self: self.told["rejected"])
    unkeyed = property(lambda self: self.told["unkeyed"])

    @classmethod
    def read(cls, folder: RunFolder, feed: Any) -> "Shaped":
        """Read the frames of a feed."""
        name = feed.name
        rows = with_payloads(feed, folder.rows(name).read().sort_values("_row", ignore_index=True))
        seen = pd.concat([rows[["_key"]], folder.also_seen(name).read(["_key"])], ignore_index=True)
        told = folder.told_by(f"shape-{name}")
        return cls(rows, seen, folder.rejects(name).read(), folder.filtered(name).read(), told)


def keep_pages(folder: RunFolder, **collections: list[Record]) -> None:
    """Write pages as the extract stage leaves them."""
    for name, rows in collections.items():
        clear_pages(folder.pages(name))
        append_page(folder.pages(name), 0, rows)


def params(carried: tuple[str, ...] = ("computer", "mdm", "apps"), /, **values: Any) -> RunParams:
    """Return the params of a run."""
    return RunParams.parse({"mode": "load"} | values, feeds=carried)


def shaped(tmp_path: Path, feed: str, rows: list[Record], **options: Any) -> Shaped:
    """Shape rows of a source into a feed's frame, through the files between the stages."""
    folder = RunFolder(tmp_path / "run")
    mapping = options.pop("mapping", MAPPING)
    prism = options.pop("prism", [])
    source = mapping.feeds[feed].source
    if source == "devices":
        keep_pages(folder, devices=rows, device_information=prism)
    else:
        keep_pages(folder, apps=rows)
    run_shape(Run(source, params((feed,), **options), mapping, folder))
    return Shaped.read(folder, mapping.feeds[feed])


def source_frame(folder: RunFolder, source: str, mapping: Any = MAPPING) -> pd.DataFrame:
    """Return all source frames of a run as one."""
    frame = pd.concat(list(iter_source(folder, mapping, source)))
    return frame.astype(object).where(frame.notna(), None)


def cells(frame: pd.DataFrame, row: int = 0) -> dict[str, str | None]:
    """Return a row of a frame without the pipeline's own notes and without nulls."""
    values = frame.iloc[row]
    return {name: values[name] for name in frame if not name.startswith("_") and not pd.isna(values[name])}


def reasons(result: Shaped) -> dict[int, str]:
    """Return why rows were rejected, by row, all reasons in one text."""
    found: dict[int, str] = {}
    for row, column, reason in result.rejects[["row", "column", "reason"]].itertuples(index=False):
        found[row] = f"{found.get(row, '')} {column} {reason}".strip()
    return found


def ledger(tmp_path: Path, pair: Pair = PAIR) -> Ledger:
    """Open the ledger of a test."""
    return Ledger(f"sqlite:///{tmp_path}/ledger.sqlite", pair)
