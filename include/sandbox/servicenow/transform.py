"""Import sets through their transform maps, in blocks, and single rows at once.

Source: ServiceNow, "Improving import set performance" (blocks of 100 rows), "Import Set API" (one result a map).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.sandbox.servicenow import import_sets
from include.sandbox.servicenow.fault_kinds import ROW
from include.sandbox.servicenow.import_runs import CANCELLED, NOT_COMPLETED, ImportRun, resume_run, start_run
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.references import References
from include.sandbox.servicenow.robust import as_robust
from include.sandbox.servicenow.row_faults import HALTED, row_subject, struck_result
from include.sandbox.servicenow.schema import Table
from include.sandbox.servicenow.store import Record, quote
from include.sandbox.servicenow.tables_target import SAM_TABLES
from include.sandbox.servicenow.targets import Targets
from include.sandbox.servicenow.transform_course import UNDISTURBED, Course, TransactionCancelled
from include.sandbox.servicenow.transform_maps import TransformMap
from include.sandbox.servicenow.transform_row import RowResult, RowTransform

BLOCK_ROWS = 100


@dataclass(frozen=True, slots=True)
class MapOutcome:
    """What one map made of one row."""

    map: TransformMap
    result: RowResult


def transform_set(instance: Instance, import_set: Record, course: Course = UNDISTURBED) -> bool:
    """Transform all rows of a loaded set; False where nothing is there to transform it.

    Raises TransactionCancelled where the quota ends it; what was transformed until then stays.
    """
    sys_id, table = import_set["sys_id"], import_set["table_name"]
    maps = instance.maps.maps_for(table)
    for position, each in enumerate(maps):
        run = start_run(instance, each, sys_id)
        instance.closing.wait(0 if position else course.wait_s)
        blocks = _blocks(instance, import_set, pending_only=position == 0)
        if not _transform_blocks(instance, run, blocks, course):
            _end_early(instance, run, course)
            return True
        run.complete(with_errors=course.claims_errors)
    if maps:
        with instance.database.transaction():
            import_sets.finish(instance, sys_id)
            if course.deletes_set:
                import_sets.delete(instance, sys_id, table)
    return bool(maps)


def transform_one(
    instance: Instance, table: str, staged: import_sets.StagedRow, course: Course = UNDISTURBED
) -> list[MapOutcome]:
    """Transform one staged row of a synchronous set by every map; empty where the table has none.

    Raises TransactionCancelled where the quota ends it, before the row is transformed or after it.
    """
    instance.closing.wait(course.wait_s)
    outcomes: list[MapOutcome] = []
    ended: ImportRun | None = None
    with instance.database.transaction():
        for each in instance.maps.maps_for(table):
            row = instance.store.get(table, staged.sys_id)
            assert row is not None
            run = resume_run(instance, each, staged.import_set)
            if course.cancel_after_rows != 0:
                outcomes.append(MapOutcome(each, _transform_or_halt(instance, run, row, course)))
            if course.ends_early:
                ended = run
                break
            if course.claims_errors:
                run.complete(with_errors=True)
        if course.deletes_set:
            import_sets.delete(instance, staged.import_set, table)
    if ended is not None:
        _end_early(instance, ended, course)
    return outcomes


def _transform_blocks(instance: Instance, run: ImportRun, blocks: Iterable[list[Record]], course: Course) -> bool:
    """Transform block by block; False where the course ends the transform early."""
    for rows in blocks:
        part = rows if course.rows_to_do is None else rows[: course.rows_to_do - run.counts.total()]
        _transform_block(instance, run, part)
        instance.closing.wait(instance.settings.transform_row_time_s * len(part))
        if len(part) < len(rows):
            if course.halt_at_row is not None:
                _halt(run, rows[len(part)])
            return False
    return course.cancel_after_rows is None


def _end_early(instance: Instance, run: ImportRun, course: Course) -> None:
    """Leave run and set as a transform leaves them that did not get to its end."""
    if course.halt_at_row is None:
        run.end(CANCELLED)
        raise TransactionCancelled
    with instance.database.transaction():
        run.end(NOT_COMPLETED)
        import_sets.fail(instance, run.import_set)


def _transform_or_halt(instance: Instance, run: ImportRun, row: Record, course: Course) -> RowResult:
    return _transform_block(instance, run, [row])[0] if course.halt_at_row is None else _halt(run, row)


def _halt(run: ImportRun, row: Record) -> RowResult:
    run.note([row], [HALTED])
    return HALTED


def _transform_block(instance: Instance, run: ImportRun, rows: list[Record]) -> list[RowResult]:
    with instance.database.transaction():
        targets = Targets(instance.store, run.map)
        engine = RowTransform(
            instance.store, run.map, References(instance.store), instance.settings.boolean_case_sensitive, targets
        )
        read = [_read_row(instance, engine, row) for row in rows]
        targets.look_up(each[1] for each in read if not isinstance(each, RowResult))
        written = (each if isinstance(each, RowResult) else engine.write(*each) for each in read)
        results = [as_robust(result) if run.map.robust else result for result in written]
        targets.flush()
        run.note(rows, results)
    return results


def _read_row(instance: Instance, engine: RowTransform, row: Record) -> RowResult | tuple[Table, Record, str]:
    each = engine.map
    fault = instance.faults.take(ROW, row_subject(each.source_table, each.coalesce_sources, row))
    if each.target_table in SAM_TABLES and not instance.settings.sam_pro:
        return RowResult(status="error", comment=f"Target table {each.target_table} is invalid")
    if fault is None:
        return engine.read(row)
    return struck_result(fault, each, instance.schema.find(each.target_table), row)


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
