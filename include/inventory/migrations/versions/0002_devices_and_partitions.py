"""A row knows its device, a device has a digest over its rows, and a run may be at work in several partitions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_PAIR = ("source", "target")


def upgrade() -> None:
    """Add the column, its index and the table of digests."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("ledger_rows")}
    if "device" not in there:
        op.add_column("ledger_rows", sa.Column("device", sa.Text, nullable=True))
    op.create_index("ledger_rows_of_device", "ledger_rows", [*_PAIR, "feed", "device"], if_not_exists=True)
    op.create_table(
        "ledger_devices",
        *(sa.Column(name, sa.String(200), primary_key=True) for name in _PAIR),
        sa.Column("feed", sa.String(40), primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("digest", sa.String(32), nullable=True),
        sa.Column("rows", sa.Integer, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "ledger_run_parts",
        *(sa.Column(name, sa.String(200), primary_key=True) for name in _PAIR),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("run_id", sa.String(250), primary_key=True),
        sa.Column("stage", sa.String(60), primary_key=True),
        sa.Column("host", sa.String(250), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_start", sa.Float, nullable=False),
        sa.Column("in_stage", sa.Boolean, nullable=False),
        sa.Column("beat_at", sa.String(26), nullable=False),
        sa.Column("pause_s", sa.Float, nullable=False),
        if_not_exists=True,
    )
