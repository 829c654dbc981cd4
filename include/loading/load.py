"""Load one staging frame: cut it, send it, wait for the transforms, keep one verdict per row."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from include.errors import PipelineError, SetupWrong
from include.loading.chunks import Chunk, iter_chunks, staging_columns, to_records
from include.loading.receipts import Receipts
from include.loading.settle import Waiting, settle
from include.loading.spec import LoadSpec, RowVerdict
from include.loading.verdicts import from_map_results
from include.servicenow.client import ServiceNowClient
from include.servicenow.dictionary import default_label, read_staging_columns, require_columns
from include.servicenow.import_sets import ImportSet, insert_multiple, insert_one
from include.servicenow.judge import Refused
from include.storage import StoragePath, read_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Rows by outcome, and what the load cost."""

    rows: int
    outcomes: dict[str, int]
    requests: int


def load_frame(
    client: ServiceNowClient, spec: LoadSpec, frame_path: StoragePath, *, waiting: Waiting | None = None
) -> LoadResult:
    """Load the Parquet frame at ``frame_path`` and return what came of its rows.

    Started again on the same frame, it goes on where it was: chunks with verdicts are left alone, chunks that were
    acknowledged are asked about. When a chunk fails, the others that were sent still get their verdicts before the
    error is raised.
    """
    frame = read_frame(frame_path)
    columns = staging_columns(frame)
    labels = _labels(client, spec, columns)
    receipts = Receipts(frame_path)
    chunks = list(iter_chunks(to_records(frame, columns), chunk_rows=spec.chunk_rows))
    _Load(client, spec, receipts, labels, waiting or Waiting()).run(chunks)
    return LoadResult(rows=len(frame), outcomes=receipts.count(), requests=client.requests.total)


def _labels(client: ServiceNowClient, spec: LoadSpec, columns: Iterable[str]) -> dict[str, str]:
    """Return the key of each column in a request; the dictionary's label beats the spec's, which beats the default."""
    names = list(columns)
    known = read_staging_columns(client, spec.table)
    if known is None:
        log.warning("sys_dictionary may not be read: labels and columns of %s cannot be checked.", spec.table)
    require_columns(spec.table, names, known)
    if spec.method == "single" or spec.column_keys == "name":
        return {name: name for name in names}
    return {name: known[name].label if known else spec.labels.get(name, default_label(name)) for name in names}


class _Load:
    """One load under way; holds what its steps share."""

    def __init__(
        self,
        client: ServiceNowClient,
        spec: LoadSpec,
        receipts: Receipts,
        labels: dict[str, str],
        waiting: Waiting,
    ) -> None:
        self._client = client
        self._spec = spec
        self._receipts = receipts
        self._labels = labels
        self._waiting = waiting
        self._multi_import_set = ""

    def run(self, chunks: list[Chunk]) -> None:
        """Bring every chunk to its verdicts, the first one alone: it proves the set-up before the rest is sent."""
        open_chunks = [chunk for chunk in chunks if not self._receipts.is_settled(chunk)]
        if len(open_chunks) < len(chunks):
            log.info(
                "%d of %d chunks have their verdicts from an earlier try.", len(chunks) - len(open_chunks), len(chunks)
            )
        if not open_chunks:
            return
        first, rest = open_chunks[0], open_chunks[1:]
        if self._spec.method == "single":
            self._each(self._send_one_by_one, [first])
            self._each(self._send_one_by_one, rest)
            return
        self._send(first)
        self._settle(first)
        error = self._each(self._send, rest, keep_error=True)
        self._each(self._settle, [chunk for chunk in rest if self._receipts.sent(chunk)])
        if error:
            raise error

    def _each(
        self, step: Callable[[Chunk], None], chunks: list[Chunk], *, keep_error: bool = False
    ) -> PipelineError | None:
        """Run a step for every chunk on the load's threads; after an error, start no more and raise or return it."""
        with ThreadPoolExecutor(self._spec.concurrency, thread_name_prefix="load") as pool:
            futures: list[Future[None]] = [pool.submit(step, chunk) for chunk in chunks]
            wait(futures, return_when=FIRST_EXCEPTION)
            pool.shutdown(wait=True, cancel_futures=True)
        errors = [future.exception() for future in futures if not future.cancelled() and future.exception()]
        if errors and keep_error and isinstance(errors[0], PipelineError):
            return errors[0]
        if errors and errors[0]:
            raise errors[0]
        return None

    def _send(self, chunk: Chunk) -> None:
        if self._receipts.sent(chunk):
            return
        import_set = insert_multiple(
            self._client, self._spec.table, chunk.keyed_by(self._labels), multi_import_set=self._multi_import_set
        )
        self._multi_import_set = self._multi_import_set or import_set.multi_import_set
        self._receipts.note_sent(chunk, import_set)
        log.info("Sent %s of %s as import set %s.", chunk.name, self._spec.table, import_set.sys_id)

    def _settle(self, chunk: Chunk) -> None:
        import_set = self._receipts.sent(chunk) or ImportSet("")
        try:
            verdicts = settle(self._client, self._spec, chunk, import_set.sys_id, waiting=self._waiting)
        except (SetupWrong, Refused):
            self._receipts.forget_sent(chunk)  # once the cause is mended, these rows have to be sent again
            raise
        self._keep(chunk, verdicts)

    def _send_one_by_one(self, chunk: Chunk) -> None:
        verdicts = [
            from_map_results(row, insert_one(self._client, self._spec.table, record))
            for row, record in enumerate(chunk.records, chunk.first_row)
        ]
        self._keep(chunk, verdicts)

    def _keep(self, chunk: Chunk, verdicts: list[RowVerdict]) -> None:
        self._receipts.note_verdicts(chunk, verdicts)
        counts = {outcome: sum(v.outcome == outcome for v in verdicts) for outcome in {v.outcome for v in verdicts}}
        told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
        log.info("%s of %s: %s.", chunk.name, self._spec.table, told)
