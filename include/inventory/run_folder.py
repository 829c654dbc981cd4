"""Where a run keeps its files, and which stage writes which."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from include.errors import PipelineError
from include.inventory.parts import Parts
from include.storage import StoragePath, list_files, read_json, write_json

STAGES = ("extract", "shape", "plan", "load", "settle")

_NOTE, _FAILED = ".json", ".failed"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``<storage root>/runs/<dag_id>/<run_id>`` and the names in it."""

    root: StoragePath

    def pages(self, source: str) -> StoragePath:
        """The folder of a collection's pages as received (extract)."""
        return self.root / "extract" / source

    @property
    def extract_begun(self) -> StoragePath:
        """What an extract that has not come to its end began with (extract)."""
        return self.root / "extract" / "begun.json"

    def rows(self, feed: str) -> Parts:
        """The valid staging rows of a feed, in buckets (shape)."""
        return Parts(self.root / "shape" / feed / "rows")

    def also_seen(self, feed: str) -> Parts:
        """Key and device of the filtered and rejected rows, which the source lists all the same, in buckets (shape)."""
        return Parts(self.root / "shape" / feed / "also_seen")

    def rejects(self, feed: str) -> Parts:
        """The rejected rows of a feed: row, column, reason (shape)."""
        return Parts(self.root / "shape" / feed / "rejects")

    def too_long(self, feed: str) -> Parts:
        """The rows that were rejected or cut because a value is longer than its staging column (plan)."""
        return Parts(self.root / "plan" / feed / "too_long")

    def filtered(self, feed: str) -> Parts:
        """The filtered rows of a feed, with the reason (shape)."""
        return Parts(self.root / "shape" / feed / "filtered")

    def to_send(self, feed: str) -> Parts:
        """The rows to send, as they are sent; each part is loaded by itself (plan)."""
        return Parts(self.root / "plan" / feed / "to_send")

    def changes(self, feed: str) -> Parts:
        """What sending would change in rows that ServiceNow holds, field by field (plan)."""
        return Parts(self.root / "plan" / feed / "changes")

    def held(self, feed: str) -> Parts:
        """The rows that wait, with the reason (plan)."""
        return Parts(self.root / "plan" / feed / "held")

    def parked(self, feed: str) -> Parts:
        """The rows that were refused too often: row, key, attempts, verdict, message (plan)."""
        return Parts(self.root / "plan" / feed / "parked")

    def not_sent(self, feed: str) -> Parts:
        """The rejected and held rows of a feed, as far as the sync page shows them (settle)."""
        return Parts(self.root / "plan" / feed / "not_sent")

    def missing(self, feed: str) -> Parts:
        """The keys of rows that Iru no longer has and that are only reported (plan)."""
        return Parts(self.root / "plan" / feed / "missing")

    @property
    def about(self) -> StoragePath:
        """What the run was asked to do, and for which pair of services (prepare)."""
        return self.root / "run.json"

    @property
    def scope(self) -> StoragePath:
        """The ids of the changed devices that the run is about; no file where it is about the whole fleet (extract)."""
        return self.root / "scope.json"

    @property
    def report(self) -> StoragePath:
        """The run's report (settle)."""
        return self.root / "report.json"

    def page(self, name: str) -> StoragePath:
        """A page for people: report, plan, preflight or reconcile."""
        return self.root / f"{name}.html"

    @property
    def problems(self) -> StoragePath:
        """The rows that did not arrive, for people (settle)."""
        return self.root / "problems.csv"

    def begin(self, stage: str) -> None:
        """Forget what an earlier try of a stage told, and what the stages after it made of that."""
        name, _, _ = stage.partition("-")
        outdated = STAGES[STAGES.index(name) + 1 :] if name in STAGES else ()
        for path in list_files(self._stages, _NOTE):
            told_by = path.name.removesuffix(_NOTE).removesuffix(_FAILED)
            is_own = told_by == stage or (name != "load" and told_by.startswith(f"{stage}-"))
            if is_own or told_by.partition("-")[0] in outdated:
                with suppress(FileNotFoundError):  # another partition of the stage was faster
                    path.unlink()

    def note(self, stage: str, value: dict[str, Any]) -> None:
        """Keep what a stage tells the later ones."""
        write_json(self._stages / f"{stage}{_NOTE}", value)

    def note_failure(self, stage: str, error: BaseException) -> None:
        """Keep why a stage ended early; of an error that is not ours only its kind, as its text may hold anything."""
        message = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}, see the task's log."
        write_json(self._stages / f"{stage}{_FAILED}{_NOTE}", {"message": message})

    def told_by(self, stage: str) -> dict[str, Any]:
        """Return what a stage told; an empty dict where it has not run."""
        path = self._stages / f"{stage}{_NOTE}"
        return dict(read_json(path)) if path.exists() else {}

    def failure_of(self, stage: str) -> str:
        """Return why a stage ended early, as far as it could still tell; "" where it told nothing."""
        return str(self.told_by(f"{stage}{_FAILED}").get("message", ""))

    def failure_of_part(self, stage: str) -> str:
        """Return why a stage ended early, or one of its partitions; "" where it told nothing."""
        failed = f"{_FAILED}{_NOTE}"
        names = (path.name.removesuffix(failed) for path in list_files(self._stages, failed))
        parts = (name for name in names if name == stage or name.startswith(f"{stage}-"))
        return next(filter(None, map(self.failure_of, parts)), "")

    @property
    def _stages(self) -> StoragePath:
        return self.root / "stages"
