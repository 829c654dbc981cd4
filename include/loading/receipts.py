"""Remember, chunk by chunk, what was sent and what came of it, so that a load started again goes on where it was.

``<rows>.begun.json`` is written before a chunk is sent, ``<rows>.sent.json`` as soon as ServiceNow acknowledged it,
``<rows>.verdicts.parquet`` once its rows have their verdicts (``.verdicts.json`` where all have the same one). A row
with a verdict is not sent again, one that was sent is asked about, one that was begun is looked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import pandas as pd

from include.loading.chunks import Chunk
from include.loading.spec import Outcome, RowVerdict
from include.storage import StoragePath, list_files, read_frame, read_json, write_frame, write_json

_VERDICTS = ".verdicts.parquet"
_SAME = ".verdicts.json"
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
        self._read_before: dict[str, list[RowVerdict]] = {}

    def note_begun(self, chunk: Chunk, *, at_s: float, server_s: float | None) -> None:
        """Remember that a chunk is about to be sent."""
        self._write(chunk, _BEGUN, asdict(Begun(_spans(chunk.rows), at_s, server_s)))

    def note_sent(self, chunk: Chunk, sent: Sent) -> None:
        """Remember that ServiceNow took a chunk."""
        self._write(chunk, _SENT, asdict(sent) | {"rows": _spans(chunk.rows)})

    def note_verdicts(self, chunk: Chunk, verdicts: Iterable[RowVerdict]) -> None:
        """Remember the verdicts of a chunk's rows; rows without one are open again."""
        noted = list(verdicts)
        same = {(verdict.outcome.value, verdict.message, verdict.import_set) for verdict in noted}
        suffix, other = (_SAME, _VERDICTS) if len(same) == 1 else (_VERDICTS, _SAME)
        path = self._folder / f"{chunk.name}{suffix}"
        if suffix == _SAME:
            write_json(path, {"rows": _spans(verdict.row for verdict in noted), "verdict": same.pop()})
        else:
            write_frame(path, _to_frame(noted))
        self._read_before[path.name] = noted
        earlier = self._folder / f"{chunk.name}{other}"
        if earlier.exists():
            earlier.unlink()

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

    def began_s(self) -> float | None:
        """Return when the first chunk in the order of the rows was about to be sent (unix seconds); None: none was."""
        names = sorted(self._names(_BEGUN))
        return float(self._read(names[0], _BEGUN)["at_s"]) if names else None

    def read_verdicts(self) -> pd.DataFrame:
        """Return the verdicts of all settled rows: row, outcome, message, import_set."""
        verdicts = self._verdicts()
        return _to_frame(verdicts[row] for row in sorted(verdicts))

    def settled_rows(self) -> set[int]:
        """Return the rows that have their verdict."""
        return set(self._verdicts())

    def count(self) -> dict[str, int]:
        """Return the number of rows by outcome."""
        outcomes = Counter(verdict.outcome for verdict in self._verdicts().values())
        return {outcome.value: outcomes[outcome] for outcome in Outcome}

    def _verdicts(self) -> dict[int, RowVerdict]:
        """Return the verdicts by row; where two files name one, the later one in the order of their names counts."""
        files = [path for suffix in (_VERDICTS, _SAME) for path in list_files(self._folder, suffix)]
        ordered = sorted(files, key=lambda path: path.name)
        return {verdict.row: verdict for path in ordered for verdict in self._read_verdicts(path)}

    def _read_verdicts(self, path: StoragePath) -> list[RowVerdict]:
        """Return the verdicts of one file, which is written once and read once by each try."""
        if path.name not in self._read_before:
            if path.name.endswith(_SAME):
                told = read_json(path)
                outcome, message, import_set = told["verdict"]
                word = Outcome(outcome)
                verdicts = [RowVerdict(row, word, message, import_set) for row in _rows(told["rows"])]
            else:
                verdicts = _from_frame(read_frame(path))
            self._read_before[path.name] = verdicts
        return self._read_before[path.name]

    def _open(self, suffix: str) -> list[str]:
        return sorted(self._names(suffix) - self._names(_VERDICTS) - self._names(_SAME))

    def _names(self, suffix: str) -> set[str]:
        return {path.name.removesuffix(suffix) for path in list_files(self._folder, suffix)}

    def _write(self, chunk: Chunk, suffix: str, value: dict[str, Any]) -> None:
        write_json(self._folder / f"{chunk.name}{suffix}", value)

    def _read(self, name: str, suffix: str) -> dict[str, Any]:
        told = read_json(self._folder / f"{name}{suffix}")
        return dict(told) | {"rows": tuple(_rows(told["rows"]))}


def _spans(rows: Iterable[int]) -> Any:
    """Return rows as pairs of first and last: most chunks are one run of rows."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return spans


def _rows(spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    return (row for first, last in spans for row in range(first, last + 1))


def _from_frame(frame: pd.DataFrame) -> list[RowVerdict]:
    columns = (frame[name].tolist() for name in ("row", "outcome", "message", "import_set"))
    return [RowVerdict(int(row), Outcome(outcome), *rest) for row, outcome, *rest in zip(*columns, strict=True)]


def _to_frame(verdicts: Iterable[RowVerdict]) -> pd.DataFrame:
    rows = [(v.row, v.outcome.value, v.message, v.import_set) for v in verdicts]
    frame = pd.DataFrame(rows, columns=["row", "outcome", "message", "import_set"])
    return frame.astype({"row": "int64", "outcome": "str", "message": "str", "import_set": "str"})
