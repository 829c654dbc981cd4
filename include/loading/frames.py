"""Load a frame that lies in several files: each is loaded by itself, with receipts of its own."""

from collections import Counter
from collections.abc import Sequence

from include.loading.load import LoadResult, load_frame
from include.loading.spec import LoadSpec
from include.loading.transforms import Waiting
from include.servicenow.client import ServiceNowClient
from include.storage import StoragePath, list_files

_PARQUET = ".parquet"


def frame_parts(path: StoragePath) -> list[StoragePath]:
    """Return the files of a frame: the path itself where it is one, else those in its folder, in their order."""
    return [path] if path.name.endswith(_PARQUET) else list_files(path, _PARQUET)


def load_frames(
    client: ServiceNowClient, spec: LoadSpec, parts: Sequence[StoragePath], *, waiting: Waiting | None = None
) -> LoadResult:
    """Load the files of a frame one after another; started again, it goes on where it was. See ``load_frame``."""
    rows, outcomes = 0, Counter[str]()
    for path in parts:
        result = load_frame(client, spec, path, waiting=waiting)
        rows += result.rows
        outcomes.update(result.outcomes)
    cost = client.requests
    return LoadResult(rows, dict(outcomes), cost.total, cost.retries, round(cost.waited_s, 1))
