"""Files between stages: Parquet frames and JSON under one storage root, local or any fsspec store.

Tasks pass Airflow's ObjectStoragePath, tests a pathlib.Path; both have the methods named here.
"""

import json
import os
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Protocol, Self

import pandas as pd


class StoragePath(Protocol):
    """The part of pathlib's interface that the stages use."""

    @property
    def name(self) -> str:
        """The last part of the path."""

    @property
    def parent(self) -> Self:
        """The folder that holds the path."""

    def __truediv__(self, part: str, /) -> Self: ...

    def exists(self) -> bool:
        """Say whether there is something at the path."""

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a folder."""

    def iterdir(self) -> Iterator[Self]:
        """List a folder."""

    def unlink(self) -> None:
        """Delete the file."""

    def read_bytes(self) -> bytes:
        """Return the file's content."""

    def write_bytes(self, data: bytes, /) -> int:
        """Write the file's content."""


def write_bytes(path: StoragePath, data: bytes) -> None:
    """Write a file so that a reader sees all of it or nothing, also after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if getattr(path, "protocol", "") not in ("", "file"):
        path.write_bytes(data)  # object stores show an object only once it is complete
        return
    partial = path.parent / f".{path.name}.partial"
    partial.write_bytes(data)
    os.replace(_local(partial), _local(path))  # noqa: PTH105 - the path may be Airflow's, which cannot replace a file


def write_json(path: StoragePath, value: Any) -> None:
    """Write a value as readable JSON."""
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=False).encode())


def read_json(path: StoragePath) -> Any:
    """Return the value of a JSON file."""
    return json.loads(path.read_bytes())


def write_frame(path: StoragePath, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet."""
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    write_bytes(path, buffer.getvalue())


def read_frame(path: StoragePath) -> pd.DataFrame:
    """Return the frame of a Parquet file."""
    return pd.read_parquet(BytesIO(path.read_bytes()))


def list_files(folder: StoragePath, suffix: str) -> list[StoragePath]:
    """Return a folder's finished files with a suffix, in the order of their names; nothing where it is not there."""
    if not folder.exists():
        return []
    files = [path for path in folder.iterdir() if path.name.endswith(suffix) and not path.name.startswith(".")]
    return sorted(files, key=lambda path: path.name)


def _local(path: StoragePath) -> str:
    return str(getattr(path, "path", path))
