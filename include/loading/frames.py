"""Load a frame that lies in several files: each is loaded by itself, with receipts of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from include.errors import SetupWrong
from include.loading.load import LoadResult, load_frame
from include.loading.spec import LoadSpec
from include.loading.transforms import TransformPending, Waiting
from include.memory import return_freed_memory
from include.servicenow.client import ServiceNowClient
from include.storage import StoragePath, list_files

_PARQUET = ".parquet"


@dataclass(frozen=True, slots=True)
class Share:
    """Which of several equal shares of a frame's files somebody loads, from 0."""

    number: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.of:
            raise SetupWrong(f"partition must be between 0 and {self.of - 1}, not {self.number}.")


def frame_parts(path: StoragePath, share: Share | None = None) -> list[StoragePath]:
    """Return the files of a frame: the path itself where it is one, else those in its folder; or a share of them."""
    share = share or Share()
    files = [path] if path.name.endswith(_PARQUET) else list_files(path, _PARQUET)
    return files[share.number :: share.of]


def load_frames(
    client: ServiceNowClient, spec: LoadSpec, parts: Sequence[StoragePath], *, waiting: Waiting | None = None
) -> LoadResult:
    """Load the files of a frame one after another; started again, it goes on where it was. See ``load_frame``.

    The first file proves the set-up for all. Those between it and the last are sent without waiting for their
    transforms, which are asked about in the end: ServiceNow transforms the ones while it takes the others.
    """
    return_freed_memory()
    rows, outcomes = 0, Counter[str]()
    impatient, pending = replace(spec, transform_timeout_s=0.0), list[StoragePath]()

    def load(path: StoragePath, how: LoadSpec, *, proven: bool) -> None:
        nonlocal rows
        result = load_frame(client, how, path, waiting=waiting, proven=proven)
        rows += result.rows
        outcomes.update(result.outcomes)

    for path in parts[:1]:
        load(path, spec, proven=False)
    for path in parts[1:-1]:
        try:
            load(path, impatient, proven=True)
        except TransformPending:
            pending.append(path)
    for path in [*parts[1:][-1:], *pending]:
        load(path, spec, proven=True)
    return LoadResult.of(rows, dict(outcomes), client.requests)
