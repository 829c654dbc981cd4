"""Files between stages: Parquet frames and JSON under one storage root, local or any fsspec store.

Tasks pass Airflow's ObjectStoragePath, tests a pathlib.Path; both have the methods named here.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, Self

import pandas as pd

from include.errors import StorageFailed

_WITHOUT_FOLDERS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Object stores: there, making a folder asks for the bucket once more, and for a permission that we do not need."""


_CLIENTS = frozenset({"aiobotocore", "botocore", "gcsfs", "google", "azure", "aiohttp"})
"""The packages whose errors of their own, which are no OSError, tell of a store that does not answer."""


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
    """Write a file so that a reader sees all of it or nothing, also after a kill; see ``write_pieces``."""
    write_pieces(path, (data,))


def write_pieces(path: StoragePath, pieces: Iterable[bytes]) -> None:
    """Write a file piece by piece; only a whole one takes the place of an earlier one.

    On a local file system the file and every folder made for it are readable by their owner only, whatever the umask.
    Raises StorageFailed when there is no space or no permission; the earlier file is then still there.
    """
    with _failures_named(path, "written"):
        if not is_local(path):
            if getattr(path, "protocol", "") not in _WITHOUT_FOLDERS:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(pieces))  # object stores show an object only once it is complete
            return
        target = Path(local_path(path)).absolute()
        _make_private_folder(target.parent)
        _replace(target, pieces)


def write_json(path: StoragePath, value: Any) -> None:
    """Write a value as readable JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=False)
    write_bytes(path, text.encode(errors="backslashreplace"))  # a lone surrogate becomes JSON's own escape of it


def read_bytes(path: StoragePath) -> bytes:
    """Return a file's content; StorageFailed where it cannot be read."""
    with _failures_named(path, "read"):
        return path.read_bytes()


def read_json(path: StoragePath) -> Any:
    """Return the value of a JSON file; StorageFailed where it cannot be read or is damaged."""
    with _reading(path):
        return json.loads(path.read_bytes())


def write_frame(path: StoragePath, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet."""
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    write_bytes(path, buffer.getvalue())


def read_frame(path: StoragePath, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a Parquet file's frame, or some columns of it; StorageFailed where it cannot be read or is damaged."""
    with _reading(path):
        return pd.read_parquet(BytesIO(path.read_bytes()), columns=list(columns) if columns else None)


def list_files(folder: StoragePath, suffix: str) -> list[StoragePath]:
    """Return a folder's finished files with a suffix, in the order of their names; nothing where it is not there."""
    if not folder.exists():
        return []
    files = [path for path in folder.iterdir() if path.name.endswith(suffix) and not path.name.startswith(".")]
    return sorted(files, key=lambda path: path.name)


def remove_tree(folder: StoragePath) -> None:
    """Remove a folder with all that is in it; StorageFailed where that is not possible."""
    with _failures_named(folder, "removed"):
        if is_local(folder):
            shutil.rmtree(local_path(folder))
        else:
            remote: Any = folder  # every path but a local one has its file system
            remote.fs.rm(remote.path, recursive=True)


def is_local(path: StoragePath) -> bool:
    """Say whether a path lies on a local file system."""
    return getattr(path, "protocol", "") in ("", "file")


def local_path(path: StoragePath) -> str:
    """Return a local path as the operating system spells it."""
    return str(getattr(path, "path", path))


def _make_private_folder(folder: Path) -> None:
    """Make a folder and those above it; one that is there already keeps its permissions."""
    if folder.is_dir():
        return
    _make_private_folder(folder.parent)
    with suppress(FileExistsError):  # another task makes it at the same moment
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)


def _replace(target: Path, pieces: Iterable[bytes]) -> None:
    """Write beside the target first; what a killed writer left there is thrown away, never written into."""
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            os.fchmod(file.fileno(), 0o600)
            for piece in pieces:
                file.write(piece)
            file.flush()
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def _failures_named(path: StoragePath, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageFailed(f"{path} could not be {done}: {reason}. {_remedy(error)}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise StorageFailed(
            f"{path} could not be {done}: {type(error).__name__}. Check the storage root (IRU_SERVICENOW_STORAGE) and "
            "its credentials, of the connection that it names before an @ or of the environment."
        ) from error


@contextmanager
def _reading(path: StoragePath) -> Iterator[None]:
    try:
        with _failures_named(path, "read"):
            yield
    except ValueError as error:  # of the JSON or Parquet reader; it may show what it read
        raise StorageFailed(
            f"{path} could not be read: its content is damaged ({type(error).__name__}). Clear the task that writes "
            "it, and run it again."
        ) from None


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free space under the storage root (IRU_SERVICENOW_STORAGE), or raise the quota or file size limit."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Let the account that runs Airflow's workers write and read the storage root (IRU_SERVICENOW_STORAGE)."
    return "Check the storage root (IRU_SERVICENOW_STORAGE)."
