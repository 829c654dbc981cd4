"""Join what ServiceNow says about an import set back to the rows that were sent."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from include.errors import SetupWrong
from include.loading.chunks import Chunk
from include.loading.records import Record
from include.loading.spec import Outcome, RowVerdict
from include.servicenow.import_sets import MapResult, RunCounters
from include.servicenow.table_api import Row
from include.servicenow.values import to_count

SUCCESS_STATES = (Outcome.INSERTED, Outcome.UPDATED, Outcome.PROCESSED)

IGNORED_BY_SCRIPT = "row transform ignored"
"""In lower case, what ServiceNow says, alone or among others, of a row that a script told it to leave."""

_ROW_NOT_YET = ("", "pending")

_WORST_FIRST = (Outcome.ERROR, Outcome.SKIPPED, Outcome.INSERTED, Outcome.UPDATED, Outcome.PROCESSED, Outcome.IGNORED)


class StoredOtherwise(SetupWrong):
    """ServiceNow stored something else than what was sent; the rows have to be sent again once that is mended."""


def only_success(counters: RunCounters) -> Outcome | None:
    """Return the one success that a run counted, or None where it counted several kinds or none."""
    counts = {
        Outcome.INSERTED: counters.inserts,
        Outcome.UPDATED: counters.updates,
        Outcome.PROCESSED: counters.processed,
    }
    kinds = [outcome for outcome, n in counts.items() if n]
    return kinds[0] if len(kinds) == 1 else None


def join(
    chunk: Chunk,
    rows: Sequence[Row],
    *,
    keys: Sequence[str],
    import_set: str,
    others: Outcome | None,
    whole: bool = True,
) -> list[RowVerdict]:
    """Return the verdicts of a chunk's rows, from staging rows joined by key; a row that is still pending has none.

    A row without a staging row gets ``others``; where that is None, ServiceNow did not store it, which is an error, but
    in an import set that is not ``whole``, where it has no verdict.
    Raises StoredOtherwise when staging rows carry keys that were not sent: the instance mapped the columns differently.
    """
    by_key = _group(rows, keys)
    verdicts = []
    for position, record in zip(chunk.rows, chunk.records, strict=True):
        matches = by_key.get(key_of(record, keys))
        found = _outcome(matches.pop(0)) if matches else _absent(others, whole=whole)
        if found:
            verdicts.append(RowVerdict(position, *found, import_set))
    _refuse_strangers(by_key, keys)
    return verdicts


def of_staging_row(position: int, row: Row, import_set: str) -> RowVerdict | None:
    """Return the verdict that one staging row tells; None while it is pending."""
    found = _outcome(row)
    return RowVerdict(position, *found, import_set) if found else None


def is_pending(state: str) -> bool:
    """Say whether a staging row's state means that its transform is still to come."""
    return state.lower() in _ROW_NOT_YET


def from_map_results(row: int, results: Sequence[MapResult]) -> RowVerdict:
    """Return the verdict of a single POST, the worst of what its transform maps made of the record."""
    if not results:
        return RowVerdict(row, Outcome.ERROR, "ServiceNow answered no result for the record.", "")
    pairs = [(_status_outcome(result.status, result.message), result) for result in results]
    outcome, worst = min(pairs, key=lambda pair: _WORST_FIRST.index(pair[0]))
    message = worst.message if outcome not in SUCCESS_STATES else ""
    return RowVerdict(row, outcome, message, worst.import_set)


def _group(rows: Sequence[Row], keys: Sequence[str]) -> dict[tuple[str, ...], list[Row]]:
    grouped: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=_row_number):
        grouped[key_of(row, keys)].append(row)
    return grouped


def key_of(row: Mapping[str, str] | Record, keys: Sequence[str]) -> tuple[str, ...]:
    """Return what a record and its staging row have in common."""
    return tuple(row.get(key, "") for key in keys)


def _row_number(row: Row) -> int:
    return to_count(row.get("sys_import_row", ""))


def _absent(others: Outcome | None, *, whole: bool) -> tuple[Outcome, str] | None:
    if others is not None:
        return others, ""
    return (Outcome.ERROR, "ServiceNow holds no staging row for it; a row may have 8126 bytes.") if whole else None


def _outcome(row: Row) -> tuple[Outcome, str] | None:
    state, comment = row.get("sys_import_state", "").lower(), row.get("sys_import_state_comment", "")
    if is_pending(state):
        return None
    outcome = _status_outcome(state, comment)
    return outcome, "" if outcome in SUCCESS_STATES else comment or f"ServiceNow gave no reason (state {state!r})."


def _status_outcome(status: str, message: str) -> Outcome:
    """Take ServiceNow's word, but for a row that a script told to ignore, which it reports as an error."""
    if IGNORED_BY_SCRIPT in message.lower():
        return Outcome.IGNORED
    try:
        return Outcome(status)
    except ValueError:
        return Outcome.ERROR


def _refuse_strangers(by_key: Mapping[tuple[str, ...], list[Row]], keys: Sequence[str]) -> None:
    strangers = [key for key, rows in by_key.items() if rows]
    if not strangers:
        return
    names = ", ".join(keys)
    if not any(any(key) for key in strangers):
        raise StoredOtherwise(
            f"ServiceNow stored rows with an empty {names}: it took the keys of the records for something else. "
            "Set 'column_keys' in the extra of the ServiceNow connection to the instance's column mapping for "
            "insertMultiple ('label' is ServiceNow's default, 'name' needs a record in sys_rest_insert_multiple)."
        )
    raise StoredOtherwise(
        f"ServiceNow stored {len(strangers)} rows whose {names} differ from what was sent: the staging column is "
        "probably too short and cut the value. Widen it in ServiceNow."
    )
