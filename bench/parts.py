"""The parts of ``make bench``; a new one is a module of its own and one line in ``PARTS``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench import chaos, freshness, load, plots

Results = Mapping[str, Any]
"""What a part measured, as JSON values; ``passed`` says whether it kept what it promises."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: ``measure`` runs it with (devices, seeds), ``table`` says in lines what came out, ``plot`` draws it."""

    measure: Callable[[int, int], Results]
    table: Callable[[Results], Iterable[str]]
    plot: Callable[[Results], object] | None = None


PARTS: Mapping[str, Part] = {
    "chaos": Part(chaos.measure, chaos.table),
    "freshness": Part(freshness.measure, freshness.table),
    "load": Part(load.measure, load.table, plots.plot_load),
}
"""Every part by its name, in the order in which they run."""
