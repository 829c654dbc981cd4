"""Ask both services about one device right now: what Iru says, shaped as a run would, and what ServiceNow holds."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from include.errors import PipelineError
from include.insight.device import Known, Seen, feeds_of, find
from include.insight.errors import NoAnswer
from include.insight.paging import Row
from include.insight.scope import Scope
from include.insight.shaped import Shaped
from include.insight.times import now
from include.inventory.columns import join_key
from include.inventory.mapping import Feed, FeedMapping
from include.inventory.params import RunParams
from include.inventory.read_sources import iter_source
from include.inventory.run_folder import RunFolder
from include.inventory.shape import shape_batch
from include.inventory.targeted import extract_devices
from include.iru.client import IruClient, is_device_id
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied, NoSuchTable
from include.servicenow.table_api import iter_rows
from include.web.retry import RetryPolicy

BOUND_S = 20.0
"""A person waits no longer than this for both services together."""

READ_TIMEOUT_S = 8.0
ONCE_MORE = RetryPolicy(attempts=2, longest_wait_s=2.0, budget_s=3.0, elapsed_budget_s=10.0)
"""How the clients of a question are to try: once more and soon, or not at all."""

_MOST_RECORDS = 50  # a server that ignores part of a query answers with any rows


@dataclass(frozen=True, slots=True)
class Services:
    """How to connect to both services; each is connected in a thread of its own."""

    iru: Callable[[], IruClient]
    servicenow: Callable[[], ServiceNowClient]


def ask(scope: Scope, device_id: str, services: Services, answered: Row) -> Row:
    """Return ``answered``, the page of a device, with both services' own words; NoAnswer where one does not answer."""
    known = find(scope, device_id)
    scope.reader.close()  # services may take long, and nobody may wait for us meanwhile
    began = now()
    at, until = began.strftime("%Y-%m-%dT%H:%M:%SZ"), began.timestamp() + BOUND_S
    pool = ThreadPoolExecutor(2, thread_name_prefix="ask")
    try:
        told = pool.submit(_ask_iru, scope.mapping, services.iru, known, at)
        held = pool.submit(_ask_servicenow, scope, services.servicenow, known)
        seen = Seen(told.result(BOUND_S), held.result(max(0.1, until - now().timestamp())), at)
    except NotInTime:
        raise NoAnswer(f"A service did not answer within {BOUND_S:.0f} s. Try again later.") from None
    except PipelineError as error:
        raise NoAnswer(f"A service did not answer as it should. {error}") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return answered | {"feeds": feeds_of(scope, known, seen)}


def _ask_iru(mapping: FeedMapping, connect: Callable[[], IruClient], known: Known, at: str) -> dict[str, Shaped]:
    if not is_device_id(known.original_id):
        return {}
    with tempfile.TemporaryDirectory(prefix="iru-ask-") as place:
        folder = RunFolder(Path(place))
        extract_devices(connect(), folder, [known.original_id])
        source = next(iter_source(folder, mapping, "devices"))
        found = {}
        for feed in mapping.of_source("devices"):
            rows = shape_batch(source, feed, mapping, _params(mapping)).rows
            for row in rows.to_dict("records")[:1]:
                cells = {str(name): value for name, value in row.items() if isinstance(value, str)}
                found[feed.name] = Shaped({n: v for n, v in cells.items() if not n.startswith("_")}, at)
        return found


def _params(mapping: FeedMapping) -> RunParams:
    names = [feed.name for feed in mapping.of_source("devices")]
    return RunParams.parse({"mode": "plan"}, feeds=names)


def _ask_servicenow(
    scope: Scope, connect: Callable[[], ServiceNowClient], known: Known
) -> dict[str, Mapping[str, str]]:
    """Return the records of a device's rows by feed, {} for one that is not there; what may not be read is left out."""
    client, found = connect(), {}
    for feed in scope.device_feeds:
        if feed.name not in known.rows or not set(feed.key) <= set(feed.target_fields):
            continue
        try:
            found[feed.name] = next(_records(client, feed, known.rows[feed.name].key), {})
        except (AccessDenied, NoSuchTable):
            continue
    return found


def _records(client: ServiceNowClient, feed: Feed, key: str) -> Iterator[Mapping[str, str]]:
    """Yield the records with a key, by the names of the staging columns."""
    parts = dict(zip(feed.key, key.split("\x1f"), strict=True))
    if any("^" in part for part in parts.values()):
        return
    query = "^".join(f"{feed.target_fields[name]}={part}" for name, part in parts.items())
    fields = ("sys_id", *dict.fromkeys(feed.target_fields.values()))
    for row in islice(iter_rows(client, feed.target_table, query=query, fields=fields), _MOST_RECORDS):
        record = {name: row.get(field, "") for name, field in feed.target_fields.items()}
        if join_key([record[name] for name in feed.key]) == key:
            yield record
