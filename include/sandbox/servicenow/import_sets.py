"""Import sets: opening, filling, closing.

Source: ServiceNow, "Import set mode" (one synchronous set a table until midnight), "Import Set API" (multi import sets,
run_after).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from include.sandbox.servicenow.fault_kinds import STAGE
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.meter import note_rows
from include.sandbox.servicenow.row_faults import row_subject
from include.sandbox.servicenow.staging import MAX_ROW_BYTES, is_too_large
from include.sandbox.servicenow.store import Record, new_sys_id

_LOADING = "loading"
LOADED = "loaded"
PROCESSED = "processed"
FAILED = "error"
SYNCHRONOUS = "synchronous"
ASYNCHRONOUS = "asynchronous"


@dataclass(frozen=True, slots=True)
class StagedRow:
    """Where a single record was staged."""

    import_set: str
    number: str
    sys_id: str


def open_set(
    instance: Instance, table: str, *, mode: str, multi_import_set: str = "", run_after: str = "", by: str
) -> Record:
    """Create an import set in state loading."""
    values = {
        "number": instance.numbers.next("ISET"),
        "state": _LOADING,
        "mode": mode,
        "table_name": table,
        "multi_import_set": multi_import_set,
        "run_after": run_after,
    }
    instance.tally.note_import_set(table)
    return instance.store.insert("sys_import_set", values, by=by)


def open_multi_set(instance: Instance, wanted: str, *, by: str) -> str:
    """Return the multi import set to group by: the wanted one where it exists, else a new one."""
    if wanted and instance.store.get("sys_multi_import_set", wanted):
        return wanted
    values = {"number": instance.numbers.next("MISET"), "state": _LOADING}
    return instance.store.insert("sys_multi_import_set", values, by=by)["sys_id"]


def stage_one(instance: Instance, table: str, row: Record, *, by: str) -> StagedRow:
    """Stage one row in the table's shared synchronous import set; a row that is too large is left empty."""
    with instance.database.transaction():
        shared = {"table_name": table, "mode": SYNCHRONOUS, "state": _LOADING}
        found = instance.store.find("sys_import_set", shared)
        import_set = found[0] if found else open_set(instance, table, mode=SYNCHRONOUS, by=by)
        number = str(_count_rows(instance, table, import_set["sys_id"]))
        kept = _without_large(instance, import_set, [row]) or [{}]
        staged = instance.store.insert(
            table, {**kept[0], "sys_import_set": import_set["sys_id"], "sys_import_row": number}, by=by
        )
    instance.tally.note_staged(table, 1)
    note_rows(1)
    return StagedRow(import_set["sys_id"], import_set["number"], staged["sys_id"])


def stage_many(instance: Instance, import_set: Record, rows: Iterable[Record], *, by: str) -> int:
    """Stage rows in a set of their own, close it for loading, and return how many were stored."""
    table, sys_id = import_set["table_name"], import_set["sys_id"]
    with instance.database.transaction():
        kept = _without_large(instance, import_set, rows)
        numbered = (
            {**row, "sys_id": new_sys_id(), "sys_import_set": sys_id, "sys_import_row": str(number)}
            for number, row in enumerate(kept)
        )
        instance.tally.note_staged(table, instance.store.insert_many(table, numbered, by=by))
        changes = {"state": LOADED, "load_completed": instance.store.now()}
        instance.store.update("sys_import_set", sys_id, changes)
    note_rows(len(kept))
    return len(kept)


def finish(instance: Instance, import_set: str) -> None:
    """Mark a set as processed."""
    instance.store.update("sys_import_set", import_set, {"state": PROCESSED})


def fail(instance: Instance, import_set: str) -> None:
    """Mark a set as one whose transform ended early."""
    instance.store.update("sys_import_set", import_set, {"state": FAILED})


def close_synchronous(instance: Instance) -> None:
    """Close the shared sets, as ServiceNow does at midnight; the next single POST opens new ones."""
    for import_set in instance.store.find("sys_import_set", {"mode": SYNCHRONOUS, "state": _LOADING}):
        finish(instance, import_set["sys_id"])


def delete_older_than(instance: Instance, moment: str) -> None:
    """Delete import sets created before ``moment``, with their rows, runs and errors ("Import Set Deleter")."""
    with instance.database.transaction():
        sql = "SELECT sys_id, table_name FROM sys_import_set WHERE sys_created_on < ?"
        for row in instance.database.rows(sql, (moment,)):
            delete(instance, row["sys_id"], row["table_name"])


def delete(instance: Instance, sys_id: str, table: str) -> None:
    """Delete an import set of a staging table, with its rows, runs and errors."""
    with instance.database.transaction() as connection:
        if instance.schema.is_staging(table):
            connection.execute(f'DELETE FROM "{table}" WHERE sys_import_set = ?', (sys_id,))  # noqa: S608 - name from the schema
        connection.execute('DELETE FROM sys_import_set_run WHERE "set" = ?', (sys_id,))
        connection.execute("DELETE FROM sys_import_set_row_error WHERE sys_import_set = ?", (sys_id,))
        connection.execute("DELETE FROM sys_import_set WHERE sys_id = ?", (sys_id,))


def log(instance: Instance, import_set: str, message: str, *, run: str = "", level: str = "warning") -> None:
    """Write to the import log."""
    values = {"import_set": import_set, "run_history": run, "level": level, "message": message}
    instance.store.insert("import_log", {**values, "source": "import set"})


def _without_large(instance: Instance, import_set: Record, rows: Iterable[Record]) -> list[Record]:
    table = import_set["table_name"]
    sources = next((each.coalesce_sources for each in instance.maps.maps_for(table)), [])
    kept = []
    for number, row in enumerate(rows):
        if is_too_large(row) or instance.faults.take(STAGE, row_subject(table, sources, row)):
            message = f"Row {number} skipped: it exceeds the maximum row size of {MAX_ROW_BYTES} bytes"
            log(instance, import_set["sys_id"], message)
        else:
            kept.append(row)
    return kept


def _count_rows(instance: Instance, table: str, import_set: str) -> int:
    sql = f'SELECT count(*) FROM "{table}" WHERE sys_import_set = ?'  # noqa: S608 - name from the schema
    return int(instance.database.rows(sql, (import_set,))[0][0])
