"""Remember, chunk by chunk, what was sent and what came of it, so that a load started again goes on where it was.

``<rows>.begun.json`` is written before a chunk is sent, ``<rows>.sent.json`` as soon as ServiceNow acknowledged it,
``<rows>.verdicts.parquet`` once its rows have their verdicts. A row with a verdict is not sent again, one that was sent
is asked about, one that was begun is looked for.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import pandas as pd

from include.loading.chunks import Chunk
from include.loading.spec import Outcome, RowVerdict
from include.storage import StoragePath, list_files, read_frame, read_json, write_frame, write_json

_VERDICTS = ".verdicts.parquet"
_SENT = ".sent.json"
_BEGUN = ".begun.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """A chunk that was about to be sent: its rows, and when, by our clock and by ServiceNow's (unix seconds)."""

    rows: tuple[int, ...]
    at_s: float
    server_s: float | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A chunk that ServiceNow acknowledged; ``whole`` is False where it may hold only some of the rows."""

    rows: tuple[int, ...]
    at_s: float
    sys_id: str
    multi_import_set: str = ""
    whole: bool = True


class Receipts:
    """The receipts of one frame's load, in a folder named after the frame's content."""

    def __init__(self, frame_path: StoragePath) -> None:
        digest = sha256(frame_path.read_bytes()).hexdigest()[:16]
        self._folder = frame_path.parent / f"{frame_path.name}.load-{digest}"

    def note_begun(self, chunk: Chunk, *, at_s: float, server_s: float | None) -> None:
        """Remember that a chunk is about to be sent."""
        self._write(chunk, _BEGUN, asdict(Begun(_spans(chunk.rows), at_s, server_s)))

    def note_sent(self, chunk: Chunk, sent: Sent) -> None:
        """Remember that ServiceNow took a chunk."""
        self._write(chunk, _SENT, asdict(sent) | {"rows": _spans(chunk.rows)})

    def note_verdicts(self, chunk: Chunk, verdicts: Iterable[RowVerdict]) -> None:
        """Remember the verdicts of a chunk's rows; rows without one are open again."""
        write_frame(self._folder / f"{chunk.name}{_VERDICTS}", _to_frame(verdicts))

    def forget(self, chunk: Chunk) -> None:
        """Forget that a chunk was sent or begun: it did not arrive, or what became of it is of no use."""
        for suffix in (_SENT, _BEGUN):
            path = self._folder / f"{chunk.name}{suffix}"
            if path.exists():
                path.unlink()

    def sent(self) -> list[Sent]:
        """Return what was acknowledged and has no verdicts yet."""
        return [Sent(**self._read(name, _SENT)) for name in self._open(_SENT)]

    def begun(self) -> list[Begun]:
        """Return what was about to be sent when a process died or an answer was lost."""
        acknowledged = self._names(_SENT)
        return [Begun(**self._read(name, _BEGUN)) for name in self._open(_BEGUN) if name not in acknowledged]

    def has_open(self) -> bool:
        """Say whether something was sent or begun whose verdicts are not known."""
        return bool(self._open(_SENT) or self._open(_BEGUN))

    def read_verdicts(self) -> pd.DataFrame:
        """Return the verdicts of all settled rows: row, outcome, message, import_set."""
        frames = [read_frame(path) for path in list_files(self._folder, _VERDICTS)]
        verdicts = pd.concat([_to_frame([]), *frames], ignore_index=True)
        return verdicts.drop_duplicates("row", keep="last").sort_values("row", ignore_index=True)

    def settled_rows(self) -> set[int]:
        """Return the rows that have their verdict."""
        return {int(row) for row in self.read_verdicts()["row"]}

    def count(self) -> dict[str, int]:
        """Return the number of rows by outcome."""
        outcomes = self.read_verdicts()["outcome"].value_counts()
        return {outcome.value: int(outcomes.get(outcome.value, 0)) for outcome in Outcome}

    def _open(self, suffix: str) -> list[str]:
        return sorted(self._names(suffix) - self._names(_VERDICTS))

    def _names(self, suffix: str) -> set[str]:
        return {path.name.removesuffix(suffix) for path in list_files(self._folder, suffix)}

    def _write(self, chunk: Chunk, suffix: str, value: dict[str, Any]) -> None:
        write_json(self._folder / f"{chunk.name}{suffix}", value)

    def _read(self, name: str, suffix: str) -> dict[str, Any]:
        told = read_json(self._folder / f"{name}{suffix}")
        return dict(told) | {"rows": tuple(row for first, last in told["rows"] for row in range(first, last + 1))}


def _spans(rows: Iterable[int]) -> Any:
    """Return rows as pairs of first and last: most chunks are one run of rows."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return spans


def _to_frame(verdicts: Iterable[RowVerdict]) -> pd.DataFrame:
    rows = [(v.row, v.outcome.value, v.message, v.import_set) for v in verdicts]
    frame = pd.DataFrame(rows, columns=["row", "outcome", "message", "import_set"])
    return frame.astype({"row": "int64", "outcome": "str", "message": "str", "import_set": "str"})
