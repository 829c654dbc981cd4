"""Send chunks through insertMultiple and learn, from the import sets afterwards, what became of their rows."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from include.errors import RetryLater
from include.loading.chunks import Chunk
from include.loading.recall import find_import_set
from include.loading.receipts import Begun, Receipts, Sent
from include.loading.settle import settle
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.loading.transforms import Waiting
from include.loading.verdicts import StoredOtherwise
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import ImportSet, insert_multiple
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

    def __post_init__(self) -> None:
        self.known |= {sent.sys_id for sent in self.receipts.sent()}

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
                chunk.keyed_by(self.labels),
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

    def settle(self, chunk: Chunk, sent: Sent, *, check: Callable[[Chunk, str], None]) -> None:
        """Wait for a chunk's transform and keep its verdicts; ``check`` may refuse what ServiceNow stored of it.

        What became of an import set that is gone, or that stored something else, is of no use: its rows are open again.
        """
        # Once one chunk came too late, the others are looked at without waiting: the queue behind them is the same.
        spec = replace(self.spec, transform_timeout_s=0) if self.late else self.spec
        try:
            verdicts = settle(self.client, spec, chunk, sent, waiting=self.waiting)
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

    def look_for(self, chunk: Chunk, begun: Begun) -> None:
        """Note the import set of a chunk that was begun, where it arrived; its rows are open again where it did not."""
        import_set = self._recall(chunk, begun, ended=False)
        if import_set:
            self._note_sent(chunk, import_set)
        else:
            self.receipts.forget(chunk)

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
