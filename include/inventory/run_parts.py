"""Which tasks of a run are at work beside each other: the partitions of a stage, each a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from include.inventory.bulk_write import write_rows
from include.inventory.database import pair_columns
from include.inventory.processes import Process

TIME = "%Y-%m-%d %H:%M:%S.%f"

PARTS = sa.Table(
    "ledger_run_parts",
    sa.MetaData(),
    *pair_columns(),
    sa.Column("name", sa.String(40), primary_key=True, comment="the flow: devices or apps"),
    sa.Column("run_id", sa.String(250), primary_key=True),
    sa.Column("stage", sa.String(60), primary_key=True, comment="with the partition's number"),
    sa.Column("host", sa.String(250), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_start", sa.Float, nullable=False, comment="unix seconds"),
    sa.Column("in_stage", sa.Boolean, nullable=False),
    sa.Column("beat_at", sa.String(26), nullable=False, comment="UTC; when the stage began or ended"),
    sa.Column("pause_s", sa.Float, nullable=False, comment="how long it may take until it is tried again"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One partition of a stage as it was noted last."""

    stage: str
    process: Process
    in_stage: bool
    beat_at: datetime
    pause_s: float


class RunParts:
    """The partitions of one flow's runs; ``of`` are the values of the pair and the flow."""

    def __init__(self, of: Mapping[str, str]) -> None:
        self._of = dict(of)

    def read(self, connection: sa.Connection, run_id: str) -> list[Part]:
        """Return what is noted of a run's partitions."""
        found = connection.execute(sa.select(PARTS).where(*self._where(run_id))).mappings()
        return [_part(row) for row in found]

    def note(self, connection: sa.Connection, run_id: str, part: Part) -> None:
        """Note how a partition is."""
        process = part.process
        values = (run_id, part.stage, process.host, process.pid, process.started_s, part.in_stage)
        row = (*self._of.values(), *values, part.beat_at.strftime(TIME), part.pause_s)
        write_rows(connection, PARTS, [column.name for column in PARTS.columns], [row])

    def forget(self, connection: sa.Connection, run_id: str) -> None:
        """Forget the partitions of a run that has ended."""
        connection.execute(sa.delete(PARTS).where(*self._where(run_id)))

    def _where(self, run_id: str) -> list[sa.ColumnElement[bool]]:
        ours = [PARTS.c[name] == value for name, value in self._of.items()]
        return [*ours, PARTS.c.run_id == run_id]


def _part(row: sa.RowMapping) -> Part:
    return Part(
        stage=row["stage"],
        process=Process(row["host"], row["pid"], row["process_start"]),
        in_stage=bool(row["in_stage"]),
        beat_at=datetime.strptime(row["beat_at"], TIME).replace(tzinfo=UTC),
        pause_s=row["pause_s"],
    )
