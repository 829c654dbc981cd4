"""The ledger's tables, and what an entry of it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import pandas as pd
import sqlalchemy as sa

from include.inventory.database import pair_columns

metadata = sa.MetaData()

MISSES = sa.Table(
    "ledger_misses",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("runs", sa.Integer, nullable=False, comment="whole runs in a row that did not list it"),
    sa.Column("last_run", sa.Text, nullable=False, comment="the folder of the last of them"),
)

ROWS = sa.Table(
    "ledger_rows",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True, comment="key columns, case folded"),
    sa.Column("row_hash", sa.String(32), comment="of the payload that ServiceNow confirmed; null when it never did"),
    sa.Column("payload", sa.Text, comment="JSON of the staging columns that ServiceNow confirmed"),
    sa.Column("active", sa.Boolean, nullable=False, comment="false once the removal was confirmed"),
    sa.Column("verdict", sa.String(20), nullable=False, comment="of the last attempt"),
    sa.Column("message", sa.Text, nullable=False, comment="ServiceNow's own words about the last attempt"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="in a row without a confirmation"),
    sa.Column("import_set", sa.String(40), nullable=False),
    sa.Column("run_id", sa.String(250), nullable=False, comment="of the last attempt"),
    sa.Column("tried_at", sa.String(19), nullable=False, comment="UTC"),
    sa.Column("confirmed_at", sa.String(19), comment="UTC; null when never"),
    sa.Column("tried_hash", sa.String(32), comment="of the payload of the last attempt; null in older entries"),
    sa.Column("device", sa.Text, comment="id of the device that the row belongs to; null where nobody has told yet"),
    sa.Column("tried_payload", sa.Text, comment="JSON of the last attempt where it was not confirmed, else null"),
    sa.Column("since", sa.String(19), comment="UTC; of the first attempt in a row without a confirmation, else null"),
    sa.Index("ledger_rows_of_device", "source", "target", "feed", "device"),
)

_UNCONFIRMED = ROWS.c.since.is_not(None)
sa.Index(
    "ledger_rows_unconfirmed", ROWS.c.source, ROWS.c.target, ROWS.c.feed, ROWS.c.since, ROWS.c.key, ROWS.c.attempts,
    sqlite_where=_UNCONFIRMED, postgresql_where=_UNCONFIRMED,
)  # fmt: skip
sa.Index(
    "ledger_rows_refused", ROWS.c.source, ROWS.c.target, ROWS.c.feed, ROWS.c.verdict, ROWS.c.since, ROWS.c.key,
    ROWS.c.attempts, sqlite_where=_UNCONFIRMED, postgresql_where=_UNCONFIRMED,
)  # fmt: skip

DEVICES = sa.Table(
    "ledger_devices",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("device", sa.Text, primary_key=True, comment="its id, case folded"),
    sa.Column("digest", sa.String(32), comment="over its rows as ServiceNow holds them; null: compare row by row"),
    sa.Column("rows", sa.Integer, nullable=False, comment="that ServiceNow holds as active"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The tenant and the instance that an entry belongs to, by base URL."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one row; ``row_hash`` and ``payload`` are those that ServiceNow confirmed last."""

    key: str
    row_hash: str | None
    payload: str | None
    active: bool
    verdict: str
    message: str
    attempts: int
    import_set: str
    run_id: str
    tried_at: str
    confirmed_at: str | None
    tried_hash: str | None = None
    device: str | None = None
    tried_payload: str | None = None
    since: str | None = None


COLUMNS = tuple(Entry.__dataclass_fields__)


def to_frame(rows: Iterable[Iterable[object]]) -> pd.DataFrame:
    """Return entries as a frame, one row each, with the columns of ``Entry``."""
    frame = pd.DataFrame([tuple(row) for row in rows], columns=list(COLUMNS))
    texts = dict.fromkeys(
        ("key", "row_hash", "payload", "run_id", "tried_hash", "device", "tried_payload", "since"), "str"
    )
    return frame.astype(texts | {"active": "bool"})


def is_held(known: pd.DataFrame) -> pd.Series:
    """Say of each entry whether ServiceNow holds its row as active."""
    return known["active"] & known["row_hash"].notna()


def device_digest(rows: Iterable[tuple[str, str]]) -> str:
    """Return 32 hex digits over a device's keys and row hashes, in whatever order they come."""
    lines = "\n".join(sorted(f"{key}:{row_hash}" for key, row_hash in rows))
    return blake2b(lines.encode(), digest_size=16).hexdigest()
