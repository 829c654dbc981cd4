"""Load one staging frame: cut it, send it, wait for the transforms, keep one verdict per row."""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

from include.errors import RetryLater, SetupWrong
from include.loading.canary import check_canary
from include.loading.chunks import Chunk, iter_chunks, staging_columns, to_records
from include.loading.receipts import Receipts
from include.loading.settle import settle
from include.loading.spec import LoadSpec, RowVerdict
from include.loading.transforms import Waiting
from include.loading.verdicts import StoredOtherwise, from_map_results
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


def ask_again(client: ServiceNowClient, spec: LoadSpec, frame_path: StoragePath) -> frozenset[int]:
    """Settle what an earlier try had sent, send nothing, and return the positions of rows that are still in flight."""
    frame = read_frame(frame_path)
    receipts = Receipts(frame_path)
    in_flight: set[int] = set()
    for chunk in iter_chunks(to_records(frame, staging_columns(frame)), chunk_rows=spec.chunk_rows):
        import_set = None if receipts.is_settled(chunk) else receipts.sent(chunk)
        if import_set is None:
            continue
        try:
            verdicts = settle(client, replace(spec, transform_timeout_s=0), chunk, import_set.sys_id)
        except RetryLater:
            in_flight |= set(range(chunk.first_row, chunk.first_row + len(chunk.records)))
        else:
            receipts.note_verdicts(chunk, verdicts)
    return frozenset(in_flight)


def _labels(client: ServiceNowClient, spec: LoadSpec, columns: Iterable[str]) -> dict[str, str]:
    """Return the key of each column in a request; the dictionary's label beats the spec's, which beats the default."""
    names = list(columns)
    known = read_staging_columns(client, spec.table)
    if known is None:
        log.warning("sys_dictionary may not be read: labels and columns of %s cannot be checked.", spec.table)
    require_columns(spec.table, names, known)
    if spec.method == "single" or spec.column_keys == "name":
        return {name: name for name in names}
    labels = {name: known[name].label if known else spec.labels.get(name, default_label(name)) for name in names}
    _refuse_shared_labels(spec.table, labels)
    return labels


def _refuse_shared_labels(table: str, labels: Mapping[str, str]) -> None:
    """Two columns of one label cannot both be sent by label; ServiceNow compares labels without case."""
    names: dict[str, list[str]] = {}
    for name, label in labels.items():
        names.setdefault(label.casefold(), []).append(name)
    shared = [" and ".join(group) for group in names.values() if len(group) > 1]
    if shared:
        raise SetupWrong(
            f"In {table} the columns {', '.join(shared)} have the same label, so that insertMultiple cannot tell them "
            "apart. Change a label in ServiceNow, or map insertMultiple to column names and set 'column_keys' = 'name' "
            "in the extra of the ServiceNow connection."
        )


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
        self._late = False
        self._proven = False

    def run(self, chunks: list[Chunk]) -> None:
        """Bring every chunk to its verdicts.

        What an earlier try sent is asked about before anything is sent. The first chunk goes alone: it proves the
        set-up before the rest is sent.
        """
        open_chunks = [chunk for chunk in chunks if not self._receipts.is_settled(chunk)]
        if len(open_chunks) < len(chunks):
            log.info(
                "%d of %d chunks have their verdicts from an earlier try.", len(chunks) - len(open_chunks), len(chunks)
            )
        acknowledged = [chunk for chunk in open_chunks if self._receipts.sent(chunk)]
        _raise_first(self._each(self._settle, acknowledged, go_on=True))
        unsent = [chunk for chunk in open_chunks if chunk not in acknowledged]
        if self._spec.method == "single":
            self._load_one_by_one(unsent)
        elif unsent:
            self._load_in_bulk(unsent[0], unsent[1:])

    def _load_in_bulk(self, first: Chunk, rest: list[Chunk]) -> None:
        self._send(first)
        self._settle(first)
        errors = self._each(self._send, rest)
        errors += self._each(self._settle, [chunk for chunk in rest if self._receipts.sent(chunk)], go_on=True)
        _raise_first(errors)

    def _load_one_by_one(self, chunks: list[Chunk]) -> None:
        _raise_first(self._each(self._send_one_by_one, chunks[:1]))
        _raise_first(self._each(self._send_one_by_one, chunks[1:]))

    def _each(self, step: Callable[[Chunk], None], chunks: list[Chunk], *, go_on: bool = False) -> list[BaseException]:
        """Run a step for every chunk on the load's threads and return the errors; after one, start no more chunks.

        ``go_on`` starts them all the same.
        """
        failed = Event()

        def guarded(chunk: Chunk) -> None:
            if failed.is_set():
                return
            try:
                step(chunk)
            except BaseException:
                if not go_on:
                    failed.set()
                raise

        with ThreadPoolExecutor(self._spec.concurrency, thread_name_prefix="load") as pool:
            futures = [pool.submit(guarded, chunk) for chunk in chunks]
        errors = (future.exception() for future in futures)
        return [error for error in errors if error]

    def _send(self, chunk: Chunk) -> None:
        import_set = insert_multiple(
            self._client, self._spec.table, chunk.keyed_by(self._labels), multi_import_set=self._multi_import_set
        )
        self._multi_import_set = self._multi_import_set or import_set.multi_import_set
        self._receipts.note_sent(chunk, import_set)
        log.info("Sent %s of %s as import set %s.", chunk.name, self._spec.table, import_set.sys_id)

    def _settle(self, chunk: Chunk) -> None:
        import_set = self._receipts.sent(chunk) or ImportSet("")
        # Once one chunk came too late, the others are looked at without waiting: the queue behind them is the same.
        spec = replace(self._spec, transform_timeout_s=0) if self._late else self._spec
        try:
            verdicts = settle(self._client, spec, chunk, import_set.sys_id, waiting=self._waiting)
            if not self._proven:
                check_canary(self._client, spec, chunk, import_set.sys_id, self._labels)
                self._proven = True
        except (StoredOtherwise, Refused):
            self._receipts.forget_sent(chunk)  # once the cause is mended, these rows have to be sent again
            raise
        except RetryLater:
            self._late = True
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


def _raise_first(errors: list[BaseException]) -> None:
    if errors:
        raise errors[0]
