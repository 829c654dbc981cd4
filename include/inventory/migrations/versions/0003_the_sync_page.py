"""What was tried is kept until confirmed, replaced verdicts are history, and runs note what the sync page shows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COUNTS = (
    "extracted", "filtered", "rejected", "unchanged", "inserted", "updated", "processed", "ignored", "skipped", "error",
    "removed", "held",
)  # fmt: skip
_PAIR = ("source", "target")


def upgrade() -> None:
    """Add two columns to the rows and say since when they are unconfirmed; make the page's tables."""
    _amend_rows()
    _make_runs()
    _make_rows()
    _make_fleet()


def _amend_rows() -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("ledger_rows")}
    for name, kind in (("tried_payload", sa.Text()), ("since", sa.String(19))):
        if name not in there:
            op.add_column("ledger_rows", sa.Column(name, kind, nullable=True))
    if "since" not in there:
        op.execute(
            "UPDATE ledger_rows SET since = tried_at "
            "WHERE verdict <> '' "  # what a reconciliation has seen was no attempt
            "AND (attempts > 0 OR row_hash IS NULL OR (tried_hash IS NOT NULL AND row_hash <> tried_hash))"
        )
    unconfirmed = sa.text("since IS NOT NULL")
    for name, columns in (
        ("ledger_rows_unconfirmed", ("feed", "since", "key", "attempts")),
        ("ledger_rows_refused", ("feed", "verdict", "since", "key", "attempts")),
    ):
        op.create_index(
            name, "ledger_rows", [*_PAIR, *columns],
            if_not_exists=True, sqlite_where=unconfirmed, postgresql_where=unconfirmed,
        )  # fmt: skip


def _make_runs() -> None:
    _make("sync_runs", {
        "dag_id*": 250, "run_id*": 250, "flow": 40, "mode": 10, "is_whole": sa.Boolean, "began_at": 19, "ended_at": 19,
        "failed": sa.Text, "folder": sa.Text, "rows_sent": sa.Integer, "load_s": sa.Float, "requests_iru": sa.Integer,
        "requests_servicenow": sa.Integer, "retries": sa.Integer, "latency_n": sa.Integer, "latency_p50_s?": sa.Float,
        "latency_p95_s?": sa.Float, "iru_limit?": sa.Integer, "iru_remaining?": sa.Integer,
        "servicenow_limit?": sa.Integer, "servicenow_used?": sa.Integer,
    }, {"sync_runs_by_end": ("ended_at",)})  # fmt: skip
    counts = dict.fromkeys(_COUNTS, sa.Integer)
    _make("sync_feeds", {
        "dag_id*": 250, "run_id*": 250, "feed*": 40, "ended_at": 19, **counts, "import_sets": sa.Text,
        "waiting_left_out": sa.Integer,
    }, {"sync_feeds_by_end": ("feed", "ended_at")})  # fmt: skip
    _make("sync_days", {"feed*": 40, "day*": 10, "runs": sa.Integer, "failed": sa.Integer, **counts}, {})
    _make("sync_counts", {"feed*": 40, "side*": 20, "rows": sa.Integer, "at": 19, "told_by": 20}, {})


def _make_rows() -> None:
    _make("sync_waiting", {
        "feed*": 40, "row_id*": sa.Text, "verdict": 20, "device?": sa.Text, "serial_number": sa.Text,
        "columns": sa.Text, "message": sa.Text, "payload?": sa.Text, "since": 19, "run_id": 250,
    }, {
        "sync_waiting_by_age": ("feed", "verdict", "since", "row_id"), "sync_waiting_of_device": ("device",),
    })  # fmt: skip
    _make("ledger_history", {
        "feed*": 40, "key*": sa.Text, "run_id*": 250, "device?": sa.Text, "verdict": 20, "message": sa.Text,
        "import_set": 40, "tried_at": 19,
    }, {"ledger_history_of_device": ("device", "tried_at")})  # fmt: skip
    op.create_index("ledger_history_by_age", "ledger_history", ["tried_at"], if_not_exists=True)
    _make("sync_orders", {
        "order_id*": 32, "feed": 40, "key": sa.Text, "action": 10, "ordered_by": 250, "ordered_at": 19,
        "reason": sa.Text, "state": 10, "run_id?": 250, "done_at?": 19,
    }, {"sync_orders_of_row": ("feed", "state", "key"), "sync_orders_by_age": ("ordered_at",)})  # fmt: skip


def _make_fleet() -> None:
    _make("fleet_facts", {"fact*": 20, "value*": 200, "devices": sa.Integer, "as_of": 19}, {})
    _make("fleet_titles", {
        "title_id*": 32, "name": sa.Text, "name_folded": sa.Text, "publisher": sa.Text, "installs": sa.Integer,
        "devices": sa.Integer, "versions": sa.Integer, "top_version": sa.Text, "never_opened": sa.Integer,
        "unused_30": sa.Integer, "unused_90": sa.Integer, "unused_180": sa.Integer, "newest_opened?": 19, "as_of": 19,
    }, {
        "fleet_titles_by_installs": ("installs", "title_id"), "fleet_titles_by_unused": ("unused_90", "title_id"),
        "fleet_titles_by_name": ("name_folded", "title_id"),
    })  # fmt: skip


def _make(table: str, kinds: dict[str, Any], indexes: dict[str, tuple[str, ...]]) -> None:
    """Make a table of a pair: "*" marks what is in its key, "?" what may be null, a number is a text's length."""
    columns: list[sa.Column[Any]] = [
        sa.Column(
            name.rstrip("*?"),
            sa.String(kind) if isinstance(kind, int) else kind,
            primary_key=name.endswith("*"),
            nullable=name.endswith("?"),
        )
        for name, kind in kinds.items()
    ]
    of_pair = [sa.Column(name, sa.String(200), primary_key=True) for name in _PAIR]
    op.create_table(table, *of_pair, *columns, if_not_exists=True)
    for name, names in indexes.items():
        op.create_index(name, table, [*_PAIR, *names], if_not_exists=True)
