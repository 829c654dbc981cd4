"""``python -m include.inventory.move_ledger --from sqlite:////path/ledger.sqlite``: bring a ledger to another database.

The new one is what ``IRU_SERVICENOW_LEDGER`` names, so that its password stands in no list of processes. Every table of
the old one is copied with all pairs of tenant and instance in one transaction, and counted before that ends; the old
one is only read, and may be of an earlier form. To be run while both flows are paused and nothing is under way.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from include.errors import PipelineError, RunUnsafe, SetupWrong
from include.inventory.database import open_database, storage_failures
from include.inventory.migrate import VERSION_TABLE

TARGET = "IRU_SERVICENOW_LEDGER"
_BATCH_ROWS = 5000


def main() -> int:
    """Move the ledger, print what was copied, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m include.inventory.move_ledger", allow_abbrev=False)
    parser.add_argument("--from", dest="source", required=True, help="SQLAlchemy URL of the ledger as it is")
    options = parser.parse_args()
    try:
        copied = move_ledger(options.source, os.environ.get(TARGET, ""))
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for table, rows in copied.items():
        print(f"{table}: {rows:,} rows")
    return 0


def move_ledger(source: str, target: str) -> Mapping[str, int]:
    """Copy all tables of one database into another where they are empty, and return the rows of each.

    Raises SetupWrong where there is nothing to read or the other cannot be opened, RunUnsafe where copying would lose
    or mix something, StorageFailed where a database fails.
    """
    _check_names(source, target)
    old = sa.create_engine(make_url(source), hide_parameters=True)
    with storage_failures(), old.connect() as reading:
        tables = sa.MetaData()
        tables.reflect(reading)
        if "ledger_rows" not in tables.tables:
            raise SetupWrong(f"The database after --from is no ledger: it has no table ledger_rows ({_shown(source)}).")
        _check_at_rest(reading, tables.tables.get("ledger_runs"))
        with open_database(target).begin() as writing:
            ours = [table for table in tables.sorted_tables if table.name != VERSION_TABLE]
            return {table.name: _copy(reading, writing, table) for table in ours}


def _check_names(source: str, target: str) -> None:
    if not target:
        raise SetupWrong(f"{TARGET} is not set: it names the database that the ledger moves to.")
    try:
        old, new = make_url(source), make_url(target)
    except sa.exc.ArgumentError:
        raise SetupWrong(
            f"--from and {TARGET} must be SQLAlchemy URLs, such as sqlite:////path/ledger.sqlite."
        ) from None
    if old == new:
        raise SetupWrong(f"--from and {TARGET} name the same database; nothing to move.")
    if old.get_backend_name() == "sqlite" and not Path(old.database or "").is_file():
        raise SetupWrong(f"There is no ledger at {_shown(source)}.")


def _check_at_rest(reading: sa.Connection, runs: sa.Table | None) -> None:
    if runs is None:
        return
    under_way = sa.and_(runs.c.held, runs.c.lost_to == "")
    unfinished = sa.select(runs.c.name, runs.c.run_id).where(sa.or_(under_way, runs.c.state == "open"))
    if row := reading.execute(unfinished.limit(1)).first():
        raise RunUnsafe(
            f"The run {row.run_id} of the flow {row.name} is under way, or rows that it sent still have no verdict. "
            "Let a run of that flow end where the ledger is now, then move it."
        )


def _copy(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> int:
    if writing.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
        raise RunUnsafe(f"{TARGET} has rows in {table.name} already. Empty that database, or name another.")
    copied = 0
    for batch in reading.execution_options(yield_per=_BATCH_ROWS).execute(sa.select(table)).mappings().partitions():
        writing.execute(sa.insert(table), [dict(row) for row in batch])
        copied += len(batch)
    counted = writing.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    if counted != copied:
        raise RunUnsafe(f"{copied:,} rows of {table.name} were sent and {counted:,} arrived; nothing was kept.")
    return copied


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


if __name__ == "__main__":
    sys.exit(main())
