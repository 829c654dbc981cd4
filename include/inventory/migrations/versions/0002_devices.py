"""A row knows its device, and a device has a digest over its rows."""

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
