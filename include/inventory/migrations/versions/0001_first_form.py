"""The first form: rows, misses, runs, and what the watcher remembers; older databases get the columns they lack."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is not there."""
    _make("ledger_rows", ("feed", "key"), {
        "feed": sa.String(40), "key": sa.Text, "row_hash?": sa.String(32), "payload?": sa.Text, "active": sa.Boolean,
        "verdict": sa.String(20), "message": sa.Text, "attempts": sa.Integer, "import_set": sa.String(40),
        "run_id": sa.String(250), "tried_at": sa.String(19), "confirmed_at?": sa.String(19),
        "tried_hash?": sa.String(32),
    })  # fmt: skip
    _make("ledger_misses", ("feed", "key"), {
        "feed": sa.String(40), "key": sa.Text, "runs": sa.Integer, "last_run": sa.Text,
    })  # fmt: skip
    _make("ledger_runs", ("name", "run_id"), {
        "name": sa.String(40), "run_id": sa.String(250), "folder": sa.Text, "state": sa.String(10),
        "turn": sa.Integer, "held": sa.Boolean, "lost_to": sa.String(250), "host": sa.String(250), "pid": sa.Integer,
        "process_start": sa.Float, "same_process": sa.Boolean, "stage": sa.String(60), "in_stage": sa.Boolean,
        "beat_at": sa.String(26), "pause_s?": sa.Float,
    }, sa.UniqueConstraint("source", "target", "name", "turn"))  # fmt: skip
    _make("watch_state", (), {
        "holder": sa.String(100), "held_until_s": sa.Float, "audit": sa.Text, "swept_at_s?": sa.Float,
        "fired_at_s?": sa.Float, "hold_until_s": sa.Float, "given_back": sa.Integer,
    })  # fmt: skip
    _make("watch_devices", ("device_id",), {
        "device_id": sa.String(64), "fingerprint": sa.String(32), "misses": sa.Integer,
    })  # fmt: skip
    _make("watch_pending", ("device_id",), {
        "device_id": sa.String(64), "seen_at_s": sa.Float, "claimed_by": sa.String(250),
    })  # fmt: skip


def _make(table: str, keys: tuple[str, ...], kinds: dict[str, Any], *constraints: sa.Constraint) -> None:
    """Make a table of a pair with some columns; a name with "?" may be null."""
    of_pair = [sa.Column(name, sa.String(200), primary_key=True) for name in ("source", "target")]
    columns: list[sa.Column[Any]] = [
        sa.Column(name.rstrip("?"), kind, primary_key=name in keys, nullable=name.endswith("?"))
        for name, kind in kinds.items()
    ]
    op.create_table(table, *of_pair, *columns, *constraints, if_not_exists=True)
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for name in kinds:
        if name.endswith("?") and name[:-1] not in there:
            op.add_column(table, sa.Column(name[:-1], kinds[name], nullable=True))
