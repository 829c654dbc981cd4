"""Import sets through their transform maps, in blocks, and single rows at once.

Source: ServiceNow, "Improving import set performance" (blocks of 100 rows), "Import Set API" (one result a map).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from include.sandbox.servicenow import import_sets
from include.sandbox.servicenow.import_runs import ImportRun, resume_run, start_run
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.references import References
from include.sandbox.servicenow.robust import as_robust
from include.sandbox.servicenow.store import Record, quote
from include.sandbox.servicenow.transform_maps import TransformMap
from include.sandbox.servicenow.transform_row import RowResult, RowTransform

BLOCK_ROWS = 100


@dataclass(frozen=True, slots=True)
class MapOutcome:
    """What one map made of one row."""

    map: TransformMap
    result: RowResult


def transform_set(instance: Instance, import_set: Record) -> bool:
    """Transform all rows of a loaded set; False where nothing is there to transform it."""
    maps = instance.maps.maps_for(import_set["table_name"])
    for position, each in enumerate(maps):
        run = start_run(instance, each, import_set["sys_id"])
        for rows in _blocks(instance, import_set, pending_only=position == 0):
            _transform_block(instance, run, rows)
            time.sleep(instance.settings.transform_row_time_s * len(rows))
        run.complete()
    if maps:
        import_sets.finish(instance, import_set["sys_id"])
    return bool(maps)


def transform_one(instance: Instance, table: str, staged: import_sets.StagedRow) -> list[MapOutcome]:
    """Transform one staged row of a synchronous set by every map; empty where the table has none."""
    outcomes = []
    with instance.database.transaction():
        for each in instance.maps.maps_for(table):
            row = instance.store.get(table, staged.sys_id)
            assert row is not None
            run = resume_run(instance, each, staged.import_set)
            outcomes.append(MapOutcome(each, _transform_block(instance, run, [row])[0]))
    return outcomes


def _transform_block(instance: Instance, run: ImportRun, rows: list[Record]) -> list[RowResult]:
    with instance.database.transaction():
        engine = RowTransform(
            instance.store, run.map, References(instance.store), instance.settings.boolean_case_sensitive
        )
        results = [as_robust(result) if run.map.robust else result for result in map(engine.apply, rows)]
        run.note(rows, results)
    return results


def _blocks(instance: Instance, import_set: Record, *, pending_only: bool) -> Iterator[list[Record]]:
    """Yield the set's rows in their order, read block by block, so that no read is long."""
    last = 0
    pending = "AND sys_import_state = 'pending'" if pending_only else ""
    sql = (
        f"SELECT rowid AS sandbox_row, * FROM {quote(import_set['table_name'])}"  # noqa: S608 - name from the schema
        f" WHERE sys_import_set = ? AND rowid > ? {pending} ORDER BY rowid LIMIT {BLOCK_ROWS}"
    )
    while True:
        rows = [dict(row) for row in instance.database.rows(sql, (import_set["sys_id"], last))]
        if not rows:
            return
        last = int(rows[-1].pop("sandbox_row"))
        yield rows
