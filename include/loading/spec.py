"""What a load is told, and what it tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from include.errors import SetupWrong
from include.servicenow.settings import ColumnKeys

LoadMethod = Literal["insert_multiple", "single"]


class Outcome(StrEnum):
    """What ServiceNow made of a row, in its own words (``sys_import_state``)."""

    INSERTED = "inserted"
    UPDATED = "updated"
    PROCESSED = "processed"
    IGNORED = "ignored"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The end of one row: ``row`` is its position in the frame, ``message`` is ServiceNow's own."""

    row: int
    outcome: Outcome
    message: str
    import_set: str


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """Where rows go and how.

    ``labels`` are used as keys where ``column_keys`` is "label". Values of ``may_be_cut`` columns may be shortened by
    ServiceNow; a cut in any other stops the load. ``lost_answer_wait_s``: for how long ServiceNow may be at work on a
    request whose answer was lost (its own quota for the Import Set API is 60 s). ``forget_after_s``: an import set that
    was sent so long ago and is still not transformed is given up, and its rows are sent again.
    """

    table: str
    key_columns: tuple[str, ...]
    column_keys: ColumnKeys = "label"
    labels: Mapping[str, str] = field(default_factory=dict)
    method: LoadMethod = "insert_multiple"
    chunk_rows: int = 500
    concurrency: int = 4
    transform_timeout_s: float = 1800.0
    may_be_cut: frozenset[str] = frozenset()
    lost_answer_wait_s: float = 60.0
    forget_after_s: float = 6 * 3600.0

    def __post_init__(self) -> None:
        if not self.table or not self.key_columns:
            raise SetupWrong("A load needs a staging table and at least one key column.")
        for name in ("chunk_rows", "concurrency"):
            if getattr(self, name) < 1:
                raise SetupWrong(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.method not in ("insert_multiple", "single"):
            raise SetupWrong(f"load_method must be insert_multiple or single, not {self.method!r}.")
        if self.column_keys not in ("label", "name"):
            raise SetupWrong(f"column_keys must be label or name, not {self.column_keys!r}.")
