"""Send records one at a time, each transformed before it is answered: for instances without insertMultiple."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from include.errors import RetryLater, SetupWrong
from include.loading.chunks import Chunk
from include.loading.recall import find_row
from include.loading.receipts import Begun, Receipts
from include.loading.records import Record
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.loading.transforms import Waiting
from include.loading.verdicts import StoredOtherwise, from_map_results, of_staging_row
from include.privacy import masked
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import MapResult, insert_one
from include.servicenow.judge import NoSuchTable, Refused

log = logging.getLogger(__name__)

_NOT_TRANSFORMED = ("no transform entry or scripts are defined", "invalid table")
"""What ServiceNow says, in lower case, where nothing transforms the table's rows (KB0813776)."""


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Sends chunks row by row; what it learned before an error is kept."""

    client: ServiceNowClient
    spec: LoadSpec
    receipts: Receipts
    waiting: Waiting

    def send(self, chunk: Chunk, *, check: Callable[[Chunk, str], None]) -> None:
        """Send a chunk's rows in their order and keep their verdicts; ``check`` may refuse what ServiceNow stored.

        Raises the error that ended it early; the verdicts before it are kept all the same.
        """
        begun = self._begin(chunk.rows)
        self.receipts.note_begun(chunk, at_s=begun.at_s, server_s=begun.server_s)
        verdicts: list[RowVerdict] = []
        try:
            for row, record in zip(chunk.rows, chunk.records, strict=True):
                verdicts.append(self._send_one(row, record))
        except BaseException:
            self._keep(chunk, verdicts)
            raise
        try:
            check(chunk, "")
        except StoredOtherwise:
            self.receipts.forget(chunk)  # once the cause is mended, these rows have to be sent again
            raise
        self._keep(chunk, verdicts)

    def look_for(self, chunk: Chunk, begun: Begun) -> None:
        """Keep the verdicts of a chunk's rows that arrived before its sending was cut short.

        Rows are sent in their order, so that the first one which did not arrive is the end of those that did.
        """
        settled = self.receipts.settled_rows()
        left = [(row, record) for row, record in zip(chunk.rows, chunk.records, strict=True) if row not in settled]
        verdicts: list[RowVerdict] = []
        for row, record in left:
            found = find_row(self.client, self.spec, record, begun=begun)
            verdict = of_staging_row(row, found, found.get("sys_import_set", "")) if found else None
            if verdict is None:
                break
            verdicts.append(verdict)
        self._keep(Chunk(tuple(row for row, _ in left), tuple(record for _, record in left)), verdicts)
        self.receipts.forget(chunk)

    def _begin(self, rows: tuple[int, ...]) -> Begun:
        return Begun(rows, self.waiting.wall_s(), self.client.server_now_s())

    def _send_one(self, row: int, record: Record) -> RowVerdict:
        begun = self._begin((row,))

        def recall(_: RetryLater) -> list[MapResult] | None:
            found = find_row(self.client, self.spec, record, begun=begun)
            return [_as_result(found)] if found else None

        try:
            results = insert_one(self.client, self.spec.table, record, recall=recall)
        except NoSuchTable:
            raise
        except Refused as refused:
            return RowVerdict(row, Outcome.ERROR, refused.words, "")
        self._require_transform(results)
        return from_map_results(row, results)

    def _require_transform(self, results: list[MapResult]) -> None:
        for result in results:
            if result.status == "error" and result.message.lower().startswith(_NOT_TRANSFORMED):
                raise SetupWrong(
                    f"ServiceNow staged a row in {self.spec.table} and did not transform it "
                    f"({masked(result.message)}). "
                    'Activate the transform map of that table and the business rule "Transform synchronously".'
                )

    def _keep(self, chunk: Chunk, verdicts: list[RowVerdict]) -> None:
        """Keep verdicts of a chunk's first rows."""
        if not verdicts:
            return
        done = len(verdicts)
        self.receipts.note_verdicts(Chunk(chunk.rows[:done], chunk.records[:done]), verdicts)
        counts = Counter(verdict.outcome.value for verdict in verdicts)
        told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
        log.info("%d of %d rows of %s sent one by one: %s.", done, len(chunk.rows), self.spec.table, told)


def _as_result(row: Mapping[str, str]) -> MapResult:
    return MapResult(
        status=row.get("sys_import_state", "").lower(),
        message=row.get("sys_import_state_comment", ""),
        sys_id="",
        import_set=row.get("sys_import_set", ""),
    )
