"""One stage of a run under way: alone, noted, and with the reason of its failure kept for the report."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from include.inventory.run_folder import RunFolder
from include.inventory.run_registry import RunRegistry


class UnderWay:
    """Wraps a stage: ``with UnderWay(folder, registry, run_id, "plan"): …``.

    Entering raises RunUnsafe when another run has begun since, RetryLater while the run is at work elsewhere. What an
    earlier try of the stage told is forgotten, so that the report never takes it for this one's. ``pause_s`` says after
    a failure how long it may take until the stage is tried again, in seconds, 0 for never: the run is not given up
    before. ``rests`` are what a stage raises that is no failure but goes on later, with the longest time until then.
    ``is_part``: other partitions of the run may be at work beside it.
    """

    def __init__(
        self,
        folder: RunFolder,
        registry: RunRegistry,
        run_id: str,
        stage: str,
        *,
        pause_s: Callable[[Exception], float] = lambda _: 0.0,
        rests: Mapping[Any, float] | None = None,
        is_part: bool = False,
    ) -> None:
        self._folder = folder
        self._registry = registry
        self._run_id = run_id
        self._stage = stage
        self._pause_s = pause_s
        self._rests = dict(rests or {})
        self._is_part = is_part

    def __enter__(self) -> Self:
        (self._registry.enter_part if self._is_part else self._registry.enter)(self._run_id, self._stage)
        self._folder.begin(self._stage)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rest_s = next((rest_s for rest, rest_s in self._rests.items() if isinstance(error, rest)), None)
        if error and rest_s is None:
            self._folder.note_failure(self._stage, error)
        pause_s = self._pause_s(error) if isinstance(error, Exception) else rest_s or 0.0
        if self._is_part:
            self._registry.leave_part(self._run_id, self._stage, pause_s=pause_s)
        else:
            self._registry.leave(self._run_id, pause_s=pause_s)
        self._registry.shut()
