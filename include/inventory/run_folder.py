"""Where a run keeps its files, and which stage writes which."""

from dataclasses import dataclass
from typing import Any

from include.storage import StoragePath, read_json, write_json


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``<storage root>/runs/<dag_id>/<run_id>`` and the names in it."""

    root: StoragePath

    def pages(self, source: str) -> StoragePath:
        """The folder of a source's pages as received (extract)."""
        return self.root / "extract" / source

    def rows(self, feed: str) -> StoragePath:
        """The valid staging rows of a feed (shape)."""
        return self.root / "shape" / feed / "rows.parquet"

    def seen(self, feed: str) -> StoragePath:
        """The key of every row that the source listed, filtered and rejected ones included (shape)."""
        return self.root / "shape" / feed / "seen.parquet"

    def rejects(self, feed: str) -> StoragePath:
        """The rejected rows of a feed: row, column, reason (shape)."""
        return self.root / "shape" / feed / "rejects.parquet"

    def too_long(self, feed: str) -> StoragePath:
        """The rows that were rejected or cut because a value is longer than its staging column (plan)."""
        return self.root / "plan" / feed / "too_long.parquet"

    def filtered(self, feed: str) -> StoragePath:
        """The filtered rows of a feed, with the reason (shape)."""
        return self.root / "shape" / feed / "filtered.parquet"

    def to_send(self, feed: str) -> StoragePath:
        """The rows to send, as they are sent (plan)."""
        return self.root / "plan" / feed / "to_send.parquet"

    def changes(self, feed: str) -> StoragePath:
        """What sending would change, field by field (plan)."""
        return self.root / "plan" / feed / "changes.parquet"

    def held(self, feed: str) -> StoragePath:
        """The rows that wait, with the reason (plan)."""
        return self.root / "plan" / feed / "held.parquet"

    def missing(self, feed: str) -> StoragePath:
        """The keys of rows that Iru no longer has and that are only reported (plan)."""
        return self.root / "plan" / feed / "missing.parquet"

    @property
    def report(self) -> StoragePath:
        """The run's report (settle)."""
        return self.root / "report.json"

    @property
    def problems(self) -> StoragePath:
        """The rows that did not arrive, for people (settle)."""
        return self.root / "problems.csv"

    def note(self, stage: str, value: dict[str, Any]) -> None:
        """Keep what a stage tells the later ones."""
        write_json(self.root / "stages" / f"{stage}.json", value)

    def told_by(self, stage: str) -> dict[str, Any]:
        """Return what a stage told; an empty dict where it has not run."""
        path = self.root / "stages" / f"{stage}.json"
        return dict(read_json(path)) if path.exists() else {}
