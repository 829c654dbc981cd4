"""Files between stages are whole or absent, their owner's alone, and come in the order of their names."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from airflow.sdk import ObjectStoragePath

from include.errors import StorageFailed
from include.storage import list_files, read_frame, read_json, write_bytes, write_frame, write_json, write_pieces

ROOT = Path(__file__).parents[2]
OVERSIZE = """
import resource, sys
from pathlib import Path
from include.errors import StorageFailed
from include.storage import write_json
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_json(Path(sys.argv[1]), "x" * 100_000)
except StorageFailed as error:
    print(error)
"""


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A process that lets everybody read what it writes."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return a path's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_write_that_hits_a_limit_leaves_the_old_file_and_says_so(tmp_path):
    """The kernel refuses the write half-way: the old content stays, nothing is left beside it, the error says why."""
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    command = [sys.executable, "-c", OVERSIZE, str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{path} could not be written: File too large. Free space" in ended.stdout
    assert read_json(path) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["value.json"]


def test_a_source_that_fails_half_way_leaves_the_old_file(tmp_path):
    """A file that is written piece by piece is replaced only once the last piece is in."""
    path = tmp_path / "report.csv"
    write_bytes(path, b"old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pieces(path, pieces())
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["report.csv"]


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a folder that not even root may write")
def test_a_folder_that_may_not_be_written_is_named():
    """Missing permission names the path and who needs it."""
    with pytest.raises(StorageFailed, match=r"/sys/nobody/value.json could not be written: .* account that runs"):
        write_json(Path("/sys/nobody/value.json"), 1)


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    """Whatever the operating system refuses becomes the project's own error, with the path."""
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(StorageFailed, match=r"Not a directory|File exists"):
        write_json(tmp_path / "runs" / "run" / "value.json", 1)


@pytest.mark.parametrize("read", [read_json, read_frame])
def test_a_damaged_or_missing_file_is_named(tmp_path, read):
    """A file that cannot be read says which one it is and what to do."""
    (tmp_path / "file").write_bytes(b"\x00half")
    with pytest.raises(StorageFailed, match="file could not be read: its content is damaged"):
        read(tmp_path / "file")
    with pytest.raises(StorageFailed, match="gone could not be read: No such file"):
        read(tmp_path / "gone")


def test_what_is_written_is_its_owners_alone(tmp_path, open_umask):
    """Folders are 0700 and files 0600 although the umask would let everybody read; a file of an earlier version too."""
    root = ObjectStoragePath(str(tmp_path)) / "storage"
    write_frame(root / "runs" / "run" / "rows.parquet", pd.DataFrame({"email": ["jane@acme.example"]}))
    folders = [tmp_path / "storage", tmp_path / "storage/runs", tmp_path / "storage/runs/run"]
    assert [mode(folder) for folder in folders] == [0o700] * 3
    path = tmp_path / "storage/runs/run/rows.parquet"
    assert mode(path) == 0o600
    path.chmod(0o644)
    write_bytes(path, b"x")
    assert mode(path) == 0o600


def test_what_a_killed_writer_left_is_ignored_and_replaced(tmp_path):
    """A leftover partial file is not listed, its content and permissions do not reach the new file."""
    leftover = tmp_path / ".page.json.partial"
    leftover.write_bytes(b"half of something longer than what comes")
    leftover.chmod(0o666)
    assert list_files(tmp_path, ".json.partial") == list_files(tmp_path, ".json") == []
    write_json(tmp_path / "page.json", 1)
    assert (tmp_path / "page.json").read_bytes() == b"1"
    assert mode(tmp_path / "page.json") == 0o600
    assert not leftover.exists()


def test_a_planted_link_is_not_followed(tmp_path):
    """A link in the place of the partial file does not let a write go elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"keep")
    (tmp_path / ".value.json.partial").symlink_to(elsewhere)
    write_json(tmp_path / "value.json", 2)
    assert elsewhere.read_bytes() == b"keep"
    assert read_json(tmp_path / "value.json") == 2


def test_text_that_utf_8_cannot_write_survives_in_json(tmp_path):
    """A lone surrogate in a param or a message is escaped, and read back as it was."""
    write_json(tmp_path / "value.json", {"a\ud800": "é\udfff"})
    assert read_json(tmp_path / "value.json") == {"a\ud800": "é\udfff"}


def test_files_come_in_the_order_of_their_names(tmp_path):
    """Pages and verdicts are read in the order in which they were written, whatever the file system says."""
    folder = ObjectStoragePath(str(tmp_path)) / "pages"
    for number in (3, 1, 12, 7):
        write_json(folder / f"page-{number:06d}.json", number)
    assert [read_json(path) for path in list_files(folder, ".json")] == [1, 3, 7, 12]
