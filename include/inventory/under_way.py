"""One stage of a run under way: alone, noted, and with the reason of its failure kept for the report."""

from types import TracebackType
from typing import Self

from include.inventory.run_folder import RunFolder
from include.inventory.run_registry import RunRegistry


class UnderWay:
    """Wraps a stage: ``with UnderWay(folder, registry, run_id, "plan"): …``.

    Entering raises RunUnsafe when another run has begun since, RetryLater while the run is at work elsewhere. What an
    earlier try of the stage told is forgotten, so that the report never takes it for this one's.
    """

    def __init__(self, folder: RunFolder, registry: RunRegistry, run_id: str, stage: str) -> None:
        self._folder = folder
        self._registry = registry
        self._run_id = run_id
        self._stage = stage

    def __enter__(self) -> Self:
        self._registry.enter(self._run_id, self._stage)
        self._folder.begin(self._stage)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            self._folder.note_failure(self._stage, error)
        self._registry.leave(self._run_id)
        self._registry.shut()
