"""Send chunks through insertMultiple and learn, from the import sets afterwards, what became of their rows."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from include.errors import RetryLater
from include.loading.canary import check_at_once
from include.loading.chunks import Chunk
from include.loading.recall import find_import_set
from include.loading.receipts import Begun, Receipts, Sent
from include.loading.settle import settle, settle_by_run
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.loading.together import iter_ended
from include.loading.transforms import Waiting
from include.loading.verdicts import StoredOtherwise
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import ImportSet, RunCounters, insert_multiple
from include.servicenow.judge import AnswerLost, NoSuchTable, Refused

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Bulk:
    """Sends and settles the chunks of one load.

    ``known`` are its import sets, an earlier try's too; ``gone`` the rows whose import set was deleted before it told
    of them.
    """

    client: ServiceNowClient
    spec: LoadSpec
    receipts: Receipts
    labels: Mapping[str, str]
    waiting: Waiting
    multi_import_set: str = ""
    late: bool = False
    known: set[str] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)

    _bodies: dict[tuple[int, ...], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known |= {sent.sys_id for sent in self.receipts.sent()}

    def prepare(self, chunk: Chunk) -> Chunk:
        """Encode a chunk before it is its turn, so that a thread that has sent one has the next at hand."""
        if chunk.rows not in self._bodies:
            self._bodies[chunk.rows] = self._body(chunk)
        return chunk

    def send(self, chunk: Chunk) -> None:
        """Send a chunk; one that is refused as a whole is split until the bad rows are alone, which are then refused.

        A row that is refused alone gets its verdict here.
        """
        begun = Begun(chunk.rows, self.waiting.wall_s(), self.client.server_now_s())
        self.receipts.note_begun(chunk, at_s=begun.at_s, server_s=begun.server_s)
        try:
            import_set = insert_multiple(
                self.client,
                self.spec.table,
                self._bodies.pop(chunk.rows, b"") or self._body(chunk),
                recall=lambda lost: self._recall(chunk, begun, ended=isinstance(lost, AnswerLost)),
                multi_import_set=self.multi_import_set,
            )
        except NoSuchTable:
            self.receipts.forget(chunk)
            raise
        except Refused as refused:
            self._split(chunk, refused)
        except RetryLater as error:
            if not error.maybe_done:
                self.receipts.forget(chunk)
            raise
        else:
            self._note_sent(chunk, import_set)

    def iter_ended(self, sent: Iterable[Sent]) -> Iterator[dict[str, RunCounters]]:
        """Wait for the transforms of import sets at once, where there are several; see ``together.iter_ended``."""
        sets = {each.sys_id: len(each.rows) for each in sent}
        if len(sets) < 2:
            return
        deadline_s = self.waiting.now_s() + self._patience_s
        yield from iter_ended(self.client, sets, self.waiting, patience_s=self._patience_s)
        self.late = self.late or self.waiting.now_s() >= deadline_s

    def settle(
        self, chunk: Chunk, sent: Sent, *, check: Callable[[Chunk, str], None], run: RunCounters | None = None
    ) -> None:
        """Wait for a chunk's transform and keep its verdicts; ``check`` may refuse what ServiceNow stored of it.

        ``run`` is the one run of an import set that is known to have ended. What became of an import set that is gone,
        or that stored something else, is of no use: its rows are open again.
        """
        try:
            verdicts = settle_by_run(self.client, self.spec, chunk, sent, run) if run else None
            if verdicts is None:
                verdicts = settle(
                    self.client, self.spec, chunk, sent, waiting=self.waiting, patience_s=self._patience_s
                )
            check(chunk, sent.sys_id)
        except StoredOtherwise:
            self.receipts.forget(chunk)  # once the cause is mended, these rows have to be sent again
            raise
        except Refused as refused:
            self.receipts.forget(chunk)
            if self.gone.intersection(chunk.rows):
                raise
            self.gone.update(chunk.rows)
            log.warning("Import set %s is no longer there, its rows are sent again: %s", sent.sys_id, refused)
            return
        except RetryLater as error:
            if self._is_given_up(chunk, sent, error):
                return
            self.late = True
            raise
        self._keep(chunk, verdicts)

    def proves(self, chunk: Chunk) -> bool:
        """Say whether a chunk that was just sent is transformed already and shows what was sent.

        Raises StoredOtherwise where it shows something else; its rows have to be sent again once that is mended.
        """
        sent = next((each for each in self.receipts.sent() if each.rows == chunk.rows), None)
        if sent is None:
            return False
        try:
            return check_at_once(self.client, self.spec, chunk, sent.sys_id, self.labels)
        except StoredOtherwise:
            self.receipts.forget(chunk)
            raise

    @property
    def _patience_s(self) -> float:
        """For how long to wait; once one chunk came too late, the others are only looked at: it is the same queue."""
        return 0.0 if self.late else self.spec.transform_timeout_s

    def look_for(self, chunk: Chunk, begun: Begun) -> None:
        """Note the import set of a chunk that was begun, where it arrived; its rows are open again where it did not."""
        import_set = self._recall(chunk, begun, ended=False)
        if import_set:
            self._note_sent(chunk, import_set)
        else:
            self.receipts.forget(chunk)

    def _body(self, chunk: Chunk) -> bytes:
        return chunk.body(self.labels)

    def _recall(self, chunk: Chunk, begun: Begun, *, ended: bool) -> ImportSet | None:
        return find_import_set(
            self.client,
            self.spec,
            chunk,
            begun=begun,
            known=self.known,
            ended=ended,
            waiting=self.waiting,
        )

    def _note_sent(self, chunk: Chunk, import_set: ImportSet) -> None:
        self.multi_import_set = self.multi_import_set or import_set.multi_import_set
        self.known.add(import_set.sys_id)
        sent = Sent(chunk.rows, self.waiting.wall_s(), import_set.sys_id, import_set.multi_import_set, import_set.whole)
        self.receipts.note_sent(chunk, sent)
        log.info("Sent %s of %s as import set %s.", chunk.name, self.spec.table, import_set.sys_id)

    def _split(self, chunk: Chunk, refused: Refused) -> None:
        self.receipts.forget(chunk)
        if len(chunk.rows) == 1:
            self._keep(chunk, [RowVerdict(chunk.rows[0], Outcome.ERROR, refused.words, "")])
            return
        log.warning("%s is refused as a whole and split: %s", chunk.name, refused)
        for half in chunk.halves():
            self.send(half)

    def _is_given_up(self, chunk: Chunk, sent: Sent, error: RetryLater) -> bool:
        """Say whether an import set has waited for its transform so long that its rows are to be sent again."""
        if self.waiting.wall_s() - sent.at_s < self.spec.forget_after_s:
            return False
        log.warning("%s It is given up: its rows are sent again.", error)
        self.receipts.forget(chunk)
        return True

    def _keep(self, chunk: Chunk, verdicts: list[RowVerdict]) -> None:
        if len(verdicts) < len(chunk.rows):
            left = len(chunk.rows) - len(verdicts)
            log.warning("The transform of %s was broken off; %d rows are sent again.", chunk.name, left)
        if verdicts:
            self.receipts.note_verdicts(chunk, verdicts)
        else:
            self.receipts.forget(chunk)
        counts = Counter(verdict.outcome.value for verdict in verdicts)
        told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
        log.info("%s of %s: %s.", chunk.name, self.spec.table, told or "no verdict")
