"""The parts of ``make bench``; a new one is a module of its own and one line in ``PARTS``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench import chaos, client, extract, freshness, leverage, load, orchestration, page, plots

Results = Mapping[str, Any]
"""What a part measured, as JSON values; ``passed`` says whether it kept what it promises."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: ``measure`` runs it with (devices, seeds), ``table`` says in lines what came out, ``plot`` draws it."""

    measure: Callable[[int, int], Results]
    table: Callable[[Results], Iterable[str]]
    plot: Callable[[Results], object] | None = None
    in_set: bool = True
    """It runs when no part is named."""


PARTS: Mapping[str, Part] = {
    "load": Part(load.measure, load.table, plots.plot_load),
    "extract": Part(extract.measure, extract.table, plots.plot_extract),
    "leverage": Part(leverage.measure, leverage.table, plots.plot_leverage),
    "client": Part(client.measure, client.table, plots.plot_client),
    "orchestration": Part(orchestration.measure, orchestration.table, plots.plot_orchestration),
    "freshness": Part(freshness.measure, freshness.table, plots.plot_freshness),
    "page": Part(page.measure, page.table, plots.plot_page, in_set=False),
    "chaos": Part(chaos.measure, chaos.table, in_set=False),
}
"""Every part by its name, in the order in which they run."""
