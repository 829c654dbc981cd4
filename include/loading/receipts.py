"""Remember, chunk by chunk, what was sent and what came of it, so that a load started again goes on where it was.

``<rows>.sent.json`` is written as soon as ServiceNow acknowledged a chunk, ``<rows>.verdicts.parquet`` once every row
of it has its verdict. A chunk with verdicts is not sent again, one that was only sent is asked about.
"""

from collections.abc import Iterable
from hashlib import sha256

import pandas as pd

from include.loading.chunks import Chunk
from include.loading.spec import Outcome, RowVerdict
from include.servicenow.import_sets import ImportSet
from include.storage import StoragePath, list_files, read_frame, read_json, write_frame, write_json

_VERDICTS = ".verdicts.parquet"
_SENT = ".sent.json"


class Receipts:
    """The receipts of one frame's load, in a folder named after the frame's content."""

    def __init__(self, frame_path: StoragePath) -> None:
        digest = sha256(frame_path.read_bytes()).hexdigest()[:16]
        self._folder = frame_path.parent / f"{frame_path.name}.load-{digest}"

    def sent(self, chunk: Chunk) -> ImportSet | None:
        """Return the import set that a chunk went into, or None where nothing was acknowledged."""
        path = self._folder / f"{chunk.name}{_SENT}"
        return ImportSet(**read_json(path)) if path.exists() else None

    def note_sent(self, chunk: Chunk, import_set: ImportSet) -> None:
        """Remember that ServiceNow took a chunk."""
        path = self._folder / f"{chunk.name}{_SENT}"
        write_json(path, {"sys_id": import_set.sys_id, "multi_import_set": import_set.multi_import_set})

    def forget_sent(self, chunk: Chunk) -> None:
        """Forget that a chunk was taken, because what became of it is of no use."""
        (self._folder / f"{chunk.name}{_SENT}").unlink()

    def is_settled(self, chunk: Chunk) -> bool:
        """Say whether every row of a chunk has its verdict."""
        return (self._folder / f"{chunk.name}{_VERDICTS}").exists()

    def note_verdicts(self, chunk: Chunk, verdicts: Iterable[RowVerdict]) -> None:
        """Remember the verdicts of a chunk's rows."""
        write_frame(self._folder / f"{chunk.name}{_VERDICTS}", _to_frame(verdicts))

    def has_open(self) -> bool:
        """Say whether something was sent whose verdicts are not known."""
        settled = {path.name.removesuffix(_VERDICTS) for path in list_files(self._folder, _VERDICTS)}
        return any(path.name.removesuffix(_SENT) not in settled for path in list_files(self._folder, _SENT))

    def read_verdicts(self) -> pd.DataFrame:
        """Return the verdicts of all settled chunks: row, outcome, message, import_set."""
        frames = [read_frame(path) for path in list_files(self._folder, _VERDICTS)]
        verdicts = pd.concat([_to_frame([]), *frames], ignore_index=True)
        return verdicts.drop_duplicates("row", keep="last").sort_values("row", ignore_index=True)

    def count(self) -> dict[str, int]:
        """Return the number of rows by outcome."""
        outcomes = self.read_verdicts()["outcome"].value_counts()
        return {outcome.value: int(outcomes.get(outcome.value, 0)) for outcome in Outcome}


def _to_frame(verdicts: Iterable[RowVerdict]) -> pd.DataFrame:
    rows = [(v.row, v.outcome.value, v.message, v.import_set) for v in verdicts]
    frame = pd.DataFrame(rows, columns=["row", "outcome", "message", "import_set"])
    return frame.astype({"row": "int64", "outcome": "str", "message": "str", "import_set": "str"})
