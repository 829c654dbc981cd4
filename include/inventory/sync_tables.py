"""What runs note for the sync page, in the ledger's database: small tables that answer at any size of fleet.

The runs write them when they settle; the page only reads them, but for ``sync_orders``. Losing them loses history,
never correctness. Times are UTC, ``yyyy-MM-dd HH:mm:ss``.
"""

import sqlalchemy as sa

from include.inventory.database import pair_columns

metadata = sa.MetaData()

VERDICT_COLUMNS = (
    "extracted", "filtered", "rejected", "unchanged", "inserted", "updated", "processed", "ignored", "skipped", "error",
    "removed", "held",
)  # fmt: skip
"""The counts of a report, as columns; see ``settle.COUNTS``."""


def _counts() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in VERDICT_COLUMNS]


RUNS = sa.Table(
    "sync_runs",
    metadata,
    *pair_columns(),
    sa.Column("dag_id", sa.String(250), primary_key=True),
    sa.Column("run_id", sa.String(250), primary_key=True),
    sa.Column("flow", sa.String(40), nullable=False, comment="devices or apps"),
    sa.Column("mode", sa.String(10), nullable=False, comment="load or plan"),
    sa.Column("is_whole", sa.Boolean, nullable=False, comment="it was about the whole fleet"),
    sa.Column("began_at", sa.String(19), nullable=False),
    sa.Column("ended_at", sa.String(19), nullable=False),
    sa.Column("failed", sa.Text, nullable=False, comment="why; empty: it succeeded"),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("rows_sent", sa.Integer, nullable=False),
    sa.Column("load_s", sa.Float, nullable=False, comment="from the first request to the last verdict, all feeds"),
    sa.Column("requests_iru", sa.Integer, nullable=False),
    sa.Column("requests_servicenow", sa.Integer, nullable=False),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column(
        "latency_n", sa.Integer, nullable=False, comment="changes that were noticed before and are confirmed now"
    ),
    sa.Column("latency_p50_s", sa.Float, comment="from noticed to confirmed; null: no such change"),
    sa.Column("latency_p95_s", sa.Float),
    sa.Column("iru_limit", sa.Integer, comment="requests an hour; null: the tenant does not say"),
    sa.Column("iru_remaining", sa.Integer),
    sa.Column("servicenow_limit", sa.Integer, comment="of the rate limit rule; null: no rule spoke"),
    sa.Column("servicenow_used", sa.Integer, comment="requests of this run that the rule counted"),
    sa.Index("sync_runs_by_end", "source", "target", "ended_at"),
)

FEEDS = sa.Table(
    "sync_feeds",
    metadata,
    *pair_columns(),
    sa.Column("dag_id", sa.String(250), primary_key=True),
    sa.Column("run_id", sa.String(250), primary_key=True),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("ended_at", sa.String(19), nullable=False),
    *_counts(),
    sa.Column("import_sets", sa.Text, nullable=False, comment="JSON list of sys_ids or numbers, at most 50"),
    sa.Column("waiting_left_out", sa.Integer, nullable=False, comment="waiting rows beyond what sync_waiting keeps"),
    sa.Index("sync_feeds_by_end", "source", "target", "feed", "ended_at"),
)

DAYS = sa.Table(
    "sync_days",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True, comment="yyyy-MM-dd, UTC, on which the runs ended"),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    *_counts(),
)
"""The runs of a day added up, kept when the runs themselves are forgotten."""

COUNTS_SEEN = sa.Table(
    "sync_counts",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column(
        "side", sa.String(20), primary_key=True, comment="iru: rows in scope there; servicenow: active ones there"
    ),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("at", sa.String(19), nullable=False),
    sa.Column("told_by", sa.String(20), nullable=False, comment="load or reconcile"),
)

WAITING = sa.Table(
    "sync_waiting",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("row_id", sa.Text, primary_key=True, comment="the ledger's key; row:<n> where a row has none"),
    sa.Column("verdict", sa.String(20), nullable=False, comment="rejected or held: it was not sent"),
    sa.Column("device", sa.Text),
    sa.Column("serial_number", sa.Text, nullable=False),
    sa.Column("columns", sa.Text, nullable=False, comment="those that the message is about, comma separated"),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, comment="JSON of the row as shaped; null where it has no shape"),
    sa.Column("since", sa.String(19), nullable=False, comment="of the first run in a row that said so"),
    sa.Column("run_id", sa.String(250), nullable=False),
    sa.Index("sync_waiting_by_age", "source", "target", "feed", "verdict", "since", "row_id"),
    sa.Index("sync_waiting_of_device", "source", "target", "device"),
)

HISTORY = sa.Table(
    "ledger_history",
    metadata,
    *pair_columns(),
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("run_id", sa.String(250), primary_key=True),
    sa.Column("device", sa.Text),
    sa.Column("verdict", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("import_set", sa.String(40), nullable=False),
    sa.Column("tried_at", sa.String(19), nullable=False),
    sa.Index("ledger_history_of_device", "source", "target", "device", "tried_at"),
    sa.Index("ledger_history_by_age", "tried_at"),
)
"""The verdicts that a later one has replaced in ``ledger_rows``; the present one is there."""

ORDERS = sa.Table(
    "sync_orders",
    metadata,
    *pair_columns(),
    sa.Column("order_id", sa.String(32), primary_key=True, comment="32 random hex digits"),
    sa.Column("feed", sa.String(40), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("action", sa.String(10), nullable=False, comment="release, park or resend"),
    sa.Column("ordered_by", sa.String(250), nullable=False, comment="Airflow's name of the user"),
    sa.Column("ordered_at", sa.String(19), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.String(10), nullable=False, comment="open, done, or replaced by a later order"),
    sa.Column("run_id", sa.String(250), comment="of the run that carried it out; null: none yet"),
    sa.Column("done_at", sa.String(19)),
    sa.Index("sync_orders_of_row", "source", "target", "feed", "state", "key"),
    sa.Index("sync_orders_by_age", "source", "target", "ordered_at"),
)
"""What people have ordered for single rows: the audit trail, and what the next plans go by; a park stays open."""

FACTS = sa.Table(
    "fleet_facts",
    metadata,
    *pair_columns(),
    sa.Column("fact", sa.String(20), primary_key=True, comment="os_version, model, capacity or os_type"),
    sa.Column("value", sa.String(200), primary_key=True),
    sa.Column("devices", sa.Integer, nullable=False),
    sa.Column("as_of", sa.String(19), nullable=False),
)

TITLES = sa.Table(
    "fleet_titles",
    metadata,
    *pair_columns(),
    sa.Column("title_id", sa.String(32), primary_key=True, comment="digest of name and publisher, without case"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_folded", sa.Text, nullable=False, comment="for searching and sorting"),
    sa.Column("publisher", sa.Text, nullable=False),
    sa.Column("installs", sa.Integer, nullable=False),
    sa.Column("devices", sa.Integer, nullable=False),
    sa.Column("versions", sa.Integer, nullable=False),
    sa.Column("top_version", sa.Text, nullable=False),
    sa.Column(
        "never_opened", sa.Integer, nullable=False, comment="installs without a time; all of them where Iru tells none"
    ),
    sa.Column("unused_30", sa.Integer, nullable=False, comment="opened once, but not in 30 days"),
    sa.Column("unused_90", sa.Integer, nullable=False),
    sa.Column("unused_180", sa.Integer, nullable=False),
    sa.Column("newest_opened", sa.String(19)),
    sa.Column("as_of", sa.String(19), nullable=False),
    sa.Index("fleet_titles_by_installs", "source", "target", "installs", "title_id"),
    sa.Index("fleet_titles_by_unused", "source", "target", "unused_90", "title_id"),
    sa.Index("fleet_titles_by_name", "source", "target", "name_folded", "title_id"),
)
