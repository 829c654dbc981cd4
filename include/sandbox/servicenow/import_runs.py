"""The run of one transform map over one import set: its record, its counters, and what it notes on rows.

Source: ServiceNow, "Import run details" (states and counters), "Import run history" (row errors).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.store import Record, quote, to_time
from include.sandbox.servicenow.transform_maps import TransformMap
from include.sandbox.servicenow.transform_row import RowResult

_COUNTED = {
    "inserted": "inserts", "updated": "updates", "processed": "processed",
    "ignored": "ignored", "skipped": "skipped", "error": "errors",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1)
CANCELLED = "cancelled"
NOT_COMPLETED = "did_not_complete"


@dataclass(slots=True)
class ImportRun:
    """One ``sys_import_set_run`` in the making."""

    instance: Instance
    map: TransformMap
    import_set: str
    sys_id: str
    started: datetime
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, rows: Sequence[Record], results: Sequence[RowResult]) -> None:
        """Write results to the staging rows and count them; within the caller's transaction."""
        store = self.instance.store
        updates = []
        states = [(row["sys_import_state"], result.status) for row, result in zip(rows, results, strict=True)]
        self.instance.tally.note_states(self.map.source_table, states)
        for row, result in zip(rows, results, strict=True):
            self.counts[_COUNTED[result.status]] += 1
            error = self._note_error(row, result) if result.status == "error" else ""
            target = "" if self.map.robust else result.target_sys_id
            updates.append((result.status, result.comment, self.map.target_table, target, self.map.sys_id,
                            self.sys_id, error, row["sys_id"]))  # fmt: skip
        sql = (
            f"UPDATE {quote(self.map.source_table)} SET sys_import_state = ?, sys_import_state_comment = ?,"  # noqa: S608 - name from the schema
            " sys_target_table = ?, sys_target_sys_id = ?, sys_transform_map = ?, import_set_run = ?,"
            " sys_row_error = ? WHERE sys_id = ?"
        )
        with self.instance.database.transaction() as connection:
            connection.executemany(sql, updates)
        counters = {name: str(n) for name, n in self.counts.items()}
        store.update("sys_import_set_run", self.sys_id, {**counters, "total": str(self.counts.total())})

    def complete(self, *, with_errors: bool = False) -> None:
        """Close the run; ``with_errors`` says so although no row failed."""
        self.end(_end_state(int(with_errors) or self.counts["errors"]))

    def end(self, state: str) -> None:
        """Close the run in a state."""
        took = _EPOCH + timedelta(seconds=int((self.instance.clock.now() - self.started).total_seconds()))
        changes = {
            "state": state,
            "completed": self.instance.store.now(),
            "run_time": f"{took:%Y-%m-%d %H:%M:%S}",
        }
        self.instance.store.update("sys_import_set_run", self.sys_id, changes)

    def _note_error(self, row: Record, result: RowResult) -> str:
        values = {
            "row": row["sys_id"],
            "import_set_run": self.sys_id,
            "sys_import_set": self.import_set,
            "error_code": str(result.error_code or ""),
            "message": result.comment,
        }
        store = self.instance.store
        log = {"run_history": self.sys_id, "import_set": self.import_set, "level": "error"}
        store.insert("import_log", {**log, "message": result.comment, "source": "transform"})
        return store.insert("sys_import_set_row_error", values)["sys_id"]


def start_run(instance: Instance, each: TransformMap, import_set: str) -> ImportRun:
    """Open a run."""
    values = {"set": import_set, "sys_transform_map": each.sys_id, "state": "running"}
    created = instance.store.insert("sys_import_set_run", values)
    return ImportRun(instance, each, import_set, created["sys_id"], instance.clock.now())


def resume_run(instance: Instance, each: TransformMap, import_set: str) -> ImportRun:
    """Return the open run of a shared synchronous set, or a new one."""
    where = {"set": import_set, "sys_transform_map": each.sys_id, "state": "running"}
    found = instance.store.find("sys_import_set_run", where)
    if not found:
        return start_run(instance, each, import_set)
    counts = Counter({name: int(found[0][name] or 0) for name in _COUNTED.values()})
    return ImportRun(instance, each, import_set, found[0]["sys_id"], instance.clock.now(), counts)


def close_runs(instance: Instance, moment: datetime) -> None:
    """Close the runs that shared synchronous sets left open."""
    sql = "SELECT sys_id, errors FROM sys_import_set_run WHERE state = 'running' AND \"set\" IN " \
          "(SELECT sys_id FROM sys_import_set WHERE state = 'processed')"  # fmt: skip
    for row in instance.database.rows(sql):
        changes = {"state": _end_state(int(row["errors"] or 0)), "completed": to_time(moment)}
        instance.store.update("sys_import_set_run", row["sys_id"], changes)


def _end_state(errors: int) -> str:
    return "complete_with_errors" if errors else "complete"
