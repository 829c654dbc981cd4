"""Files between stages are whole or absent, and come in the order of their names."""

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from include.storage import list_files, read_json, write_json


class FullDisk(type(Path())):
    """A path on a disk that fills up in the middle of every write."""

    def write_bytes(self, data: bytes) -> int:
        """Write half of it and fail."""
        super().write_bytes(data[: len(data) // 2])
        raise OSError("no space left on device")


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path):
    """A reader sees the old content or the new one, never a part of one."""
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    with pytest.raises(OSError, match="no space"):
        write_json(FullDisk(path), {"a": 2, "b": 3})
    assert read_json(path) == {"a": 1}
    assert [found.name for found in list_files(tmp_path, ".json")] == ["value.json"]


def test_files_come_in_the_order_of_their_names(tmp_path):
    """Pages and verdicts are read in the order in which they were written, whatever the file system says."""
    folder = ObjectStoragePath(str(tmp_path)) / "pages"
    for number in (3, 1, 12, 7):
        write_json(folder / f"page-{number:06d}.json", number)
    assert [read_json(path) for path in list_files(folder, ".json")] == [1, 3, 7, 12]
