"""What the fleet is made of: devices by system, version, model and capacity, as ServiceNow holds them.

Counted from the ledger's confirmed payloads, by the mapping's own column names; a mapping that lacks a column lacks
the fact.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from include.inventory.bulk_write import write_rows
from include.inventory.database import storage_failures
from include.inventory.ledger import Ledger
from include.inventory.ledger_tables import ROWS
from include.inventory.mapping import Feed, FeedMapping
from include.inventory.sync_tables import FACTS

CAPACITIES = ("up to 128 GB", "256 GB", "512 GB", "1 TB", "2 TB", "more than 2 TB")
"""The bins of the fact ``capacity``, in order."""

UNKNOWN = "unknown"

_LIMITS_GB = (128, 256, 512, 1024, 2048)
_TYPE, _VERSION, _MODEL, _CAPACITY = "os_type", "os_version", "model_name", "device_capacity"
_OLD = timedelta(days=1)
_LONGEST = 200
_AT_A_TIME = 5000

Kind = tuple[str, str, str, str]


def facts_feed(mapping: FeedMapping) -> Feed | None:
    """Return the feed whose rows tell what devices are; None where the mapping has none."""
    return next((feed for feed in mapping.of_source("devices") if {_TYPE, _MODEL} & set(feed.column_names)), None)


def note_facts(ledger: Ledger, feed: Feed, *, changed: bool, now: datetime) -> None:
    """Count the fleet anew where something has ``changed``, or where the last count is a day old."""
    of_pair = [FACTS.c.source == ledger.pair.source, FACTS.c.target == ledger.pair.target]
    with storage_failures(), ledger.engine.connect() as connection:
        as_of = connection.execute(sa.select(sa.func.max(FACTS.c.as_of)).where(*of_pair)).scalar()
        if not changed and as_of and as_of > _spelled(now - _OLD):
            return
        kinds = Counter(_kinds(connection, ledger, feed))
    counts = Counter[tuple[str, str]]()
    for (os_type, version, model, capacity), devices in kinds.items():
        for name, fact, value in (
            (_TYPE, "os_type", os_type),
            (_VERSION, "os_version", f"{os_type} {version}".strip()),
            (_MODEL, "model", model),
            (_CAPACITY, "capacity", _bin(capacity)),
        ):
            if name in feed.column_names:
                counts[fact, value[:_LONGEST] or UNKNOWN] += devices
    names = ("source", "target", "fact", "value", "devices", "as_of")
    own = (ledger.pair.source, ledger.pair.target)
    rows = [(*own, fact, value, devices, _spelled(now)) for (fact, value), devices in counts.items()]
    with storage_failures(), ledger.engine.begin() as connection:
        connection.execute(sa.delete(FACTS).where(*of_pair))
        write_rows(connection, FACTS, names, rows)


def _kinds(connection: sa.Connection, ledger: Ledger, feed: Feed) -> Iterator[Kind]:
    """Yield type, version, model and capacity of every device that ServiceNow holds as active."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    of = (ROWS.c.source == ledger.pair.source, ROWS.c.target == ledger.pair.target, ROWS.c.feed == feed.name)
    asked = sa.select(ROWS.c.payload).where(*of, ROWS.c.active, ROWS.c.row_hash.is_not(None))
    for payload in connection.execution_options(yield_per=_AT_A_TIME).execute(asked).scalars():
        row = decode(payload or "{}")
        yield row.get(_TYPE, ""), row.get(_VERSION, ""), row.get(_MODEL, ""), row.get(_CAPACITY, "")


def _bin(capacity: str) -> str:
    try:
        size_gb = float(capacity)
    except ValueError:
        return UNKNOWN
    return next((name for name, most in zip(CAPACITIES, _LIMITS_GB, strict=False) if size_gb <= most), CAPACITIES[-1])


def _spelled(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
