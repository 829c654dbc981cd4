"""The Import Set API and the records that tell what became of an import set.

Source: ServiceNow, "Import Set API" (POST /api/now/import/{table}, insertMultiple), "Import run details".
insertMultiple answers two sys_ids and no row results, and transforms later; counters and states are read afterwards.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.errors import RetryLater
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AnswerLost
from include.servicenow.table_api import Row, fetch_newest, fetch_row, iter_rows
from include.servicenow.values import to_count, to_text

MAX_BODY_BYTES = 8_000_000
"""A little under glide.rest.max_content_length's default of 10 MB (KB0747638)."""

_RUN_FIELDS = ("sys_id", "set", "state", "total", "inserts", "updates", "processed", "ignored", "skipped", "errors")


@dataclass(frozen=True, slots=True)
class ImportSet:
    """The sys_ids that insertMultiple answers; ``whole`` is False where the set may hold only some of the rows."""

    sys_id: str
    multi_import_set: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class MapResult:
    """What one transform map made of a single record: a status and ServiceNow's own words."""

    status: str
    message: str
    sys_id: str
    import_set: str


@dataclass(frozen=True, slots=True)
class RunCounters:
    """One ``sys_import_set_run``: one transform of one import set, counted in rows."""

    state: str
    total: int
    inserts: int
    updates: int
    processed: int
    ignored: int
    skipped: int
    errors: int
    set_state: str = ""
    """The state of its import set, where it was asked for and is shown."""

    @property
    def successes(self) -> int:
        """The rows that the run wrote to a target."""
        return self.inserts + self.updates + self.processed

    @property
    def counted(self) -> int:
        """The rows that the run's counters account for."""
        return self.successes + self.ignored + self.skipped + self.errors


def insert_multiple(
    client: ServiceNowClient,
    table: str,
    records: Sequence[Mapping[str, str]] | bytes,
    *,
    recall: Callable[[RetryLater], ImportSet | None],
    multi_import_set: str = "",
) -> ImportSet:
    """Send records, encoded already or not, into one new import set, which is transformed at once or later.

    ``recall`` finds the import set of a request whose answer was lost, so that it is not sent twice without need.
    Raises RetryLater, AccessDenied, NoSuchTable or Refused.
    """
    params = {"multi_import_set_id": multi_import_set} if multi_import_set else {}
    body = records if isinstance(records, bytes) else encode_records(records)

    def read(told: Any) -> ImportSet:
        if not isinstance(told, dict) or not isinstance(told.get("import_set_id"), str) or not told["import_set_id"]:
            raise AnswerLost(f"insertMultiple into {table} answered without an 'import_set_id'.")
        return ImportSet(told["import_set_id"], str(told.get("multi_import_set_id") or ""))

    return client.post(f"import/{table}/insertMultiple", body, read=read, recall=recall, **params)


def encode_records(records: Sequence[Mapping[str, str]]) -> bytes:
    """Return the body of an insertMultiple request."""
    return encode({"records": list(records)})


def insert_one(
    client: ServiceNowClient,
    table: str,
    record: Mapping[str, str],
    *,
    recall: Callable[[RetryLater], list[MapResult] | None],
) -> list[MapResult]:
    """Send one record and return what each transform map made of it at once; ``recall`` as for insert_multiple."""

    def read(body: Any) -> list[MapResult]:
        results = body.get("result") if isinstance(body, dict) else None
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            raise AnswerLost(f"POST /api/now/import/{table} answered without a list in 'result'.")
        return [_map_result(result, str(body.get("import_set") or "")) for result in results]

    return client.post(f"import/{table}", encode(dict(record)), read=read, recall=recall)


def read_state(client: ServiceNowClient, import_set: str) -> str:
    """Return the lower-case state of an import set: loading, loaded, processed, error, pending, running."""
    return fetch_row(client, "sys_import_set", import_set, fields=("sys_id", "state")).get("state", "").lower()


def read_runs(client: ServiceNowClient, import_set: str) -> list[RunCounters]:
    """Return the counters of every transform of an import set."""
    rows = iter_rows(client, "sys_import_set_run", query=f"set={import_set}", fields=_RUN_FIELDS)
    return [_counters(row) for row in rows if _belongs(row, "set", import_set)]


def read_states(client: ServiceNowClient, import_sets: Sequence[str]) -> dict[str, str]:
    """Return the lower-case states of import sets by sys_id; one that is not there, or not shown, has none."""
    wanted = set(import_sets)
    rows = iter_rows(client, "sys_import_set", query=f"sys_idIN{','.join(import_sets)}", fields=("sys_id", "state"))
    return {row["sys_id"]: row.get("state", "").lower() for row in rows if row.get("sys_id") in wanted}


def read_runs_of(client: ServiceNowClient, import_sets: Sequence[str]) -> dict[str, list[RunCounters]]:
    """Return the counters of every transform of several import sets by sys_id, with the states of these."""
    runs: dict[str, list[RunCounters]] = {import_set: [] for import_set in import_sets}
    fields = (*_RUN_FIELDS, "set.state")
    for row in iter_rows(client, "sys_import_set_run", query=f"setIN{','.join(import_sets)}", fields=fields):
        if row.get("set") in runs:
            runs[row["set"]].append(_counters(row))
    return runs


def read_import_rows(
    client: ServiceNowClient, table: str, import_set: str, *, columns: Sequence[str], without_states: Sequence[str] = ()
) -> list[Row]:
    """Return the staging rows of an import set with their states, but for those in ``without_states``."""
    query = f"sys_import_set={import_set}" + "".join(f"^sys_import_state!={state}" for state in without_states)
    own = ("sys_id", "sys_import_set", "sys_import_row", "sys_import_state", "sys_import_state_comment")
    rows = iter_rows(client, table, query=query, fields=(*own, *columns))
    return [
        row
        for row in rows
        if _belongs(row, "sys_import_set", import_set) and row.get("sys_import_state", "").lower() not in without_states
    ]


def read_newest_rows(
    client: ServiceNowClient, table: str, record: Mapping[str, str], *, keys: Sequence[str], columns: Sequence[str]
) -> list[Row]:
    """Return the newest staging rows with a record's key, 20 at most, in whatever import set they are; newest first."""
    key = {name: record.get(name, "") for name in keys}
    query = "^".join(f"{name}={value}" for name, value in key.items())
    own = ("sys_id", "sys_import_set", "sys_import_state", "sys_import_state_comment", "sys_created_on")
    rows = fetch_newest(client, table, query=query, fields=(*own, *columns), limit=20)
    return [row for row in rows if all(row.get(name, "").casefold() == value.casefold() for name, value in key.items())]


def encode(body: Any) -> bytes:
    """Return a request body as compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _belongs(row: Row, reference: str, import_set: str) -> bool:
    """Check what the server filtered: a part of a query that it does not understand is ignored without a word."""
    return row.get(reference, "") in ("", import_set)


def _map_result(result: Mapping[str, Any], import_set: str) -> MapResult:
    words = [to_text(result[key]) for key in ("error_message", "status_message") if result.get(key)]
    return MapResult(
        status=to_text(result.get("status")).lower(),
        message="; ".join(words),
        sys_id=to_text(result.get("sys_id")),
        import_set=import_set,
    )


def _counters(row: Row) -> RunCounters:
    def number(name: str) -> int:
        return to_count(row.get(name, ""))

    return RunCounters(
        state=row.get("state", "").lower(),
        total=number("total"),
        inserts=number("inserts"),
        updates=number("updates"),
        processed=number("processed"),
        ignored=number("ignored"),
        skipped=number("skipped"),
        errors=number("errors"),
        set_state=row.get("set.state", "").lower(),
    )
