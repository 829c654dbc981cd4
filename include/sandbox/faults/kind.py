"""What a fault can be: its name, the point of the service where it strikes, and what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One kind of fault.

    ``point`` names the place in a service that asks for it ("request", "row", "transform" …); ``match`` is the pattern
    of subjects where a fault of this kind strikes when it names none; ``options`` are what it takes, with defaults;
    ``choices`` are the only values that some of these may have.
    """

    name: str
    point: str
    summary: str
    match: str = "*"
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Catalogue = Mapping[str, FaultKind]


def catalogue_of(*kinds: FaultKind) -> dict[str, FaultKind]:
    """Return kinds by name."""
    return {kind.name: kind for kind in kinds}
