"""Load one staging frame: cut it, send it, wait for the transforms, keep one verdict per row."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from threading import Event, Semaphore
from typing import TYPE_CHECKING, TypeVar

from include.errors import RetryLater, SetupWrong
from include.loading.bulk import Bulk
from include.loading.canary import BULK_ROWS, check_canary, choose_canary
from include.loading.chunks import Chunk, iter_chunks, pick, staging_columns
from include.loading.labels import labels_of
from include.loading.one_by_one import OneByOne
from include.loading.receipts import Begun, Receipts, Sent
from include.loading.records import Record, records_of
from include.loading.spec import LoadSpec
from include.loading.transforms import TransformPending, Waiting
from include.privacy import masked
from include.servicenow.client import ServiceNowClient
from include.storage import StoragePath, read_frame
from include.web.transport import RequestCount

if TYPE_CHECKING:
    from include.servicenow.import_sets import RunCounters

log = logging.getLogger(__name__)
T = TypeVar("T")

_MAX_ROUNDS = 12
"""How often rows that a broken-off transform left behind are sent again, in ever smaller chunks."""

_LET_SEND_S = 0.02
"""How long the next chunk is not made after one is done: the thread that is to send another goes first."""

_SINGLE_CHUNK_ROWS = 50
"""Rows between two receipts where they are sent one by one: what a kill makes the next try look for."""

_CANARY_FROM_ROWS = 500
"""Among how many of the first rows the canary is chosen."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Rows by outcome, and what the load cost: requests, among them repetitions, and the seconds waited for these.

    ``ruled`` requests were counted by a rate limit rule as well, which allows ``rule_limit`` an hour. ``ended_s``: when
    the last verdict was there, in unix seconds; 0 where nothing was sent.
    """

    rows: int
    outcomes: dict[str, int]
    requests: int
    retries: int = 0
    waited_s: float = 0.0
    ruled: int = 0
    rule_limit: int = 0
    ended_s: float = 0.0

    @classmethod
    def of(cls, rows: int, outcomes: dict[str, int], cost: RequestCount) -> "LoadResult":
        """Return the result of a load that ends now."""
        waited_s = round(cost.waited_s, 1)
        return cls(rows, outcomes, cost.total, cost.retries, waited_s, cost.ruled, cost.rule_limit, time.time())


def load_frame(
    client: ServiceNowClient,
    spec: LoadSpec,
    frame_path: StoragePath,
    *,
    waiting: Waiting | None = None,
    proven: bool = False,
) -> LoadResult:
    """Load the Parquet frame at ``frame_path`` and return what came of its rows; one that is ``proven`` has no canary.

    Started again on the same frame, it goes on where it was: rows with verdicts are left alone, rows that were
    acknowledged are asked about, rows that were begun are looked for. When a chunk fails, the others that were sent
    still get their verdicts before the error is raised.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="labels") as beside:
        signed_in = beside.submit(client.check_sign_in)
        frame = read_frame(frame_path)
        columns, receipts = staging_columns(frame), Receipts(frame_path)
        read_labels = beside.submit(lambda: (signed_in.result(), labels_of(client, spec, columns))[1])
        records = records_of(frame, columns)
        labels = read_labels.result()
    with _Load(client, spec, receipts, records, labels, waiting=waiting or Waiting(), proven=proven) as load:
        load.run()
    return LoadResult.of(len(frame), receipts.count(), client.requests)


def ask_again(
    client: ServiceNowClient, spec: LoadSpec, frame_path: StoragePath, *, waiting: Waiting | None = None
) -> frozenset[int]:
    """Settle what an earlier try on a frame had sent or begun; send nothing, and wait for no transform.

    Returns the positions of the rows that are in ServiceNow and not transformed yet. Raises what stood in the way of
    asking, but for transforms that have not ended.
    """
    receipts = Receipts(frame_path)
    if not receipts.has_open():
        return frozenset()
    frame = read_frame(frame_path)
    columns = staging_columns(frame)
    impatient, names = replace(spec, transform_timeout_s=0), {name: name for name in columns}
    with _Load(client, impatient, receipts, records_of(frame, columns), names, waiting=waiting or Waiting()) as load:
        errors = load.ask()
    _raise_first([error for error in errors if not (isinstance(error, RetryLater) and error.maybe_done)])
    return frozenset(row for sent in receipts.sent() for row in sent.rows)


class _Load:
    """One load under way: its threads, each with a session of its own, and what its steps share."""

    def __init__(
        self,
        client: ServiceNowClient,
        spec: LoadSpec,
        receipts: Receipts,
        records: Sequence[Record],
        labels: Mapping[str, str],
        *,
        waiting: Waiting,
        proven: bool = False,
    ) -> None:
        self._client = client
        self._spec = spec
        self._receipts = receipts
        self._records = records
        self._labels = labels
        self._bulk = Bulk(client, spec, receipts, labels, waiting)
        self._single = OneByOne(client, spec, receipts, waiting)
        self._pool = ThreadPoolExecutor(spec.concurrency, thread_name_prefix="load")
        self._proven = proven

    def __enter__(self) -> "_Load":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self) -> None:
        """Bring every row to its verdict.

        What an earlier try sent is asked about before anything is sent. A few rows go ahead and prove the set-up before
        the rest is sent.
        """
        _raise_first(self.ask())
        open_rows = self._open_rows()
        ahead: frozenset[int] = frozenset()
        if len(open_rows) > BULK_ROWS and not self._proven:
            ahead = self._send_canary(open_rows)
        for divided in range(_MAX_ROUNDS):
            open_rows = [row for row in self._open_rows() if row not in ahead]
            if not open_rows:
                return
            ahead = frozenset()
            chunk_rows = max(1, self._chunk_rows(len(open_rows)) >> divided)
            self._load(iter_chunks(self._records, open_rows, chunk_rows=chunk_rows))
        if left := len(self._open_rows()):
            raise RetryLater(
                f"{left} rows of {self._spec.table} were sent {_MAX_ROUNDS} times, and each time ServiceNow broke off "
                "their transform or lost their import set; its import log says why.",
                maybe_done=True,
            )

    def ask(self) -> list[BaseException]:
        """Learn what became of all that an earlier try sent or began; return what stood in the way."""
        errors = self._each(self._look_for, self._receipts.begun(), go_on=True)
        return errors + self._settle()

    @property
    def _in_bulk(self) -> bool:
        return self._spec.method == "insert_multiple"

    def _chunk_rows(self, rows: int) -> int:
        """Return how many rows go into a chunk, so that every thread has as much to do."""
        if not self._in_bulk:
            return min(_SINGLE_CHUNK_ROWS, self._spec.chunk_rows)
        return min(self._spec.chunk_rows, max(BULK_ROWS, math.ceil(rows / self._spec.concurrency)))

    def _open_rows(self) -> list[int]:
        settled = self._receipts.settled_rows()
        return [row for row in range(len(self._records)) if row not in settled]

    def _send_canary(self, rows: Sequence[int]) -> frozenset[int]:
        """Send a few of the rows alone and return those whose verdicts are still to be learned, with the others'.

        Raises SetupWrong when ServiceNow refuses even to take any of them.
        """
        canary = choose_canary(self._records, rows[:_CANARY_FROM_ROWS])
        chunk = pick(self._records, canary)
        if self._in_bulk:
            with ThreadPoolExecutor(1, thread_name_prefix="ahead") as beside:
                beside.submit(self._prepare_first, [row for row in rows if row not in canary])
                _raise_first(self._each(self._send, [chunk]))
                self._proven = self._bulk.proves(chunk)
            if self._proven:
                return frozenset(canary)
            _raise_first(self._settle())
        else:
            self._load(iter([chunk]))
        verdicts = self._receipts.read_verdicts()
        of_canary = verdicts[verdicts["row"].isin(canary)]
        if len(of_canary) == len(canary) and (of_canary["import_set"] == "").all():
            raise SetupWrong(
                f"ServiceNow refuses every request into {self._spec.table}, so nothing more was sent. It says: "
                f"{masked(of_canary['message'].iloc[0])}"
            )
        return frozenset()

    def _prepare_first(self, rows: Sequence[int]) -> None:
        """Encode the first chunks while the canary is under way."""
        chunks = iter_chunks(self._records, rows, chunk_rows=self._chunk_rows(len(rows)))
        for chunk in islice(chunks, 2 * self._spec.concurrency):
            self._bulk.prepare(chunk)

    def _load(self, chunks: Iterator[Chunk]) -> None:
        """Send chunks, each once it is cut, and learn their verdicts; while nothing is proven, the first goes alone."""
        if not self._proven:
            _raise_first(self._each(self._send, islice(chunks, 1)) + self._settle())
        ready = map(self._bulk.prepare, chunks) if self._in_bulk else chunks
        _raise_first(self._each(self._send, ready) + self._settle())

    def _send(self, chunk: Chunk) -> None:
        if self._in_bulk:
            self._bulk.send(chunk)
        else:
            self._single.send(chunk, check=self._check)

    def _look_for(self, begun: Begun) -> None:
        chunk = pick(self._records, begun.rows)
        if self._in_bulk:
            self._bulk.look_for(chunk, begun)
        else:
            self._single.look_for(chunk, begun)

    def _settle(self) -> list[BaseException]:
        """Learn the verdicts of everything that was acknowledged; one that cannot be told does not hide the others."""

        runs: dict[str, RunCounters] = {}
        asked: set[str] = set()

        def settle(sent: Sent) -> None:
            chunk, run = pick(self._records, sent.rows), runs.get(sent.sys_id)
            self._bulk.settle(chunk, sent, check=self._check, run=run)

        sent, errors = self._receipts.sent(), list[BaseException]()
        for ended in self._bulk.iter_ended(sent):
            runs |= ended
            errors += self._each(settle, [each for each in sent if each.sys_id in ended], go_on=True)
            asked |= ended.keys()
        return errors + self._each(settle, [each for each in sent if each.sys_id not in asked], go_on=True)

    def _check(self, chunk: Chunk, import_set: str) -> None:
        if not self._proven:
            check_canary(self._client, self._spec, chunk, import_set, self._labels)
            self._proven = True

    def _each(self, step: Callable[[T], None], items: Iterable[T], *, go_on: bool = False) -> list[BaseException]:
        """Run a step for every item on the load's threads and return the errors; after one, start no more items.

        ``go_on`` starts them all the same. Items are taken as the threads need them, with a few in stock.
        """
        failed, stock = Event(), Semaphore(2 * self._spec.concurrency)

        def guarded(item: T) -> None:
            if failed.is_set():
                return
            try:
                step(item)
            except BaseException:
                if not go_on:
                    failed.set()
                raise

        futures = []
        for item in items:
            if not stock.acquire(blocking=False):
                stock.acquire()
                failed.wait(_LET_SEND_S)
            if failed.is_set():
                break
            futures.append(self._pool.submit(guarded, item))
            futures[-1].add_done_callback(lambda _: stock.release())
        errors = [future.exception() for future in futures]
        return [error for error in errors if error]


def _raise_first(errors: Sequence[BaseException]) -> None:
    """Raise an error where there is one, and else that something is still to come."""
    for error in sorted(errors, key=lambda error: isinstance(error, TransformPending)):
        raise error
