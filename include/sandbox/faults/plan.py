"""Which faults are asked for, and on which occasions each of them strikes.

Every place that can go wrong asks ``FaultPlan.take`` with its point and a subject (a request's method and path, a
row's key, a table's name) and gets the fault that strikes there, or None.
"""

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Self

from include.sandbox.common.switches import WORDS, SwitchError
from include.sandbox.faults.kind import Catalogue, FaultKind

_OWN = ("kind", "match", "nth", "share", "times", "seed", "by_subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault that was asked for.

    It strikes on the ``nth`` matching occasions (from 1), or on a ``share`` of them drawn by ``seed``; on every one
    where it names neither. ``times`` bounds how often in all (0: no bound; 1 where neither nth nor share is given and
    times is left out). With ``by_subject`` the share is drawn once per subject, so that the same rows are struck each
    time. ``options`` are the kind's own.
    """

    kind: str
    match: str = "*"
    nth: tuple[int, ...] = ()
    share: float = 0.0
    times: int = 0
    seed: int = 0
    by_subject: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, wanted: Mapping[str, Any], catalogue: Catalogue) -> Self:
        """Return the fault that a JSON object or the command line describes; SwitchError names what is wrong."""
        kind = _kind_of(wanted, catalogue)
        nth = _numbers(wanted.get("nth", ()))
        share = _share(wanted["share"]) if "share" in wanted else 0.0
        given = {name: value for name, value in wanted.items() if name not in _OWN}
        unknown = sorted(set(given) - set(kind.options))
        if unknown:
            known = ", ".join([*_OWN[1:], *kind.options])
            raise SwitchError(f"fault {kind.name} does not take {', '.join(unknown)}; it takes: {known}")
        once = not nth and not share
        return cls(
            kind=kind.name,
            match=str(wanted.get("match", kind.match)),
            nth=nth,
            share=share,
            times=_number("times", wanted.get("times", 1 if once else 0), int),
            seed=_number("seed", wanted.get("seed", 0), int),
            by_subject=_flag(wanted.get("by_subject", False), "by_subject"),
            options={name: _option(kind, name, given.get(name, default)) for name, default in kind.options.items()},
        )


@dataclass(frozen=True, slots=True)
class Strike:
    """One time that a fault struck: at which subject, and on which of its matching occasions."""

    kind: str
    subject: str
    occasion: int


class FaultPlan:
    """The faults of one service; safe from any thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._lock = threading.Lock()
        self._faults: list[_Counted] = []
        self._strikes: list[Strike] = []

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Ask for a fault; SwitchError names what is wrong with it."""
        return self.add_all([wanted])[0]

    def add_all(self, wanted: Iterable[Mapping[str, Any]]) -> list[Fault]:
        """Ask for several faults; SwitchError names what is wrong with one, and then none is added."""
        faults = [Fault.read(one, self.catalogue) for one in wanted]
        with self._lock:
            self._faults.extend(map(_Counted, faults))
        return faults

    def clear(self) -> None:
        """Ask for no faults any more, and forget what struck."""
        with self._lock:
            self._faults.clear()
            self._strikes.clear()

    def holds(self, fault: Fault) -> bool:
        """Say whether a fault is still asked for, for what it started and only its end can stop."""
        with self._lock:
            return any(counted.fault is fault for counted in self._faults)

    def take(self, point: str, subject: str) -> Fault | None:
        """Return the fault that strikes at a point now, the first that was asked for; None where none does."""
        if not self._faults:
            return None
        with self._lock:
            for counted in self._faults:
                if self.catalogue[counted.fault.kind].point == point and counted.strikes(subject):
                    self._strikes.append(Strike(counted.fault.kind, subject, counted.occasions))
                    return counted.fault
        return None

    def snapshot(self) -> dict[str, Any]:
        """Return what was asked for and what struck, as plain JSON values."""
        with self._lock:
            asked = [asdict(counted.fault) | {"struck": counted.struck} for counted in self._faults]
            return {"faults": asked, "strikes": [asdict(strike) for strike in self._strikes]}


@dataclass(slots=True)
class _Counted:
    """A fault with the occasions that it has seen."""

    fault: Fault
    occasions: int = 0
    struck: int = 0

    def strikes(self, subject: str) -> bool:
        """Count one occasion and say whether the fault strikes on it."""
        fault = self.fault
        if not fnmatchcase(subject, fault.match) or (fault.times and self.struck >= fault.times):
            return False
        self.occasions += 1
        if fault.nth:
            hit = self.occasions in fault.nth
        elif fault.share:
            what = subject if fault.by_subject else str(self.occasions)
            hit = _draw(f"{fault.seed}/{fault.kind}/{what}") < fault.share
        else:
            hit = True
        self.struck += hit
        return hit


def _draw(what: str) -> float:
    """Return a number from 0 up to 1 that is always the same for ``what``."""
    return int.from_bytes(blake2b(what.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big") / 2**48


def _kind_of(wanted: Mapping[str, Any], catalogue: Catalogue) -> FaultKind:
    kind = catalogue.get(str(wanted.get("kind")))
    if kind is None:
        raise SwitchError(f"fault {wanted.get('kind')!r} is not known; known: {', '.join(sorted(catalogue))}")
    return kind


def _numbers(value: Any) -> tuple[int, ...]:
    parts = value.split("+") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    numbers = tuple(_number("nth", part, int) for part in parts)
    if any(number < 1 for number in numbers):
        raise SwitchError(f"nth of a fault counts from 1, got {value!r}")
    return numbers


def _share(value: Any) -> float:
    share = float(_number("share", value, float))
    if not 0 < share <= 1:
        raise SwitchError(f"share of a fault lies above 0 and up to 1, got {value!r}")
    return share


def _number(name: str, value: Any, kind: type[Any]) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SwitchError(f"{name} of a fault takes a number, got {value!r}") from error
    if not math.isfinite(number):
        raise SwitchError(f"{name} of a fault takes a finite number, got {value!r}")
    return number


def _option(kind: FaultKind, name: str, value: Any) -> Any:
    read = _like(value, kind.options[name], name)
    choices = kind.choices.get(name)
    if choices and read not in choices:
        raise SwitchError(f"{name} of fault {kind.name} takes {' or '.join(choices)}, got {value!r}")
    return read


def _like(value: Any, default: Any, name: str) -> Any:
    """Read a value as the kind of its default."""
    if isinstance(default, bool):
        return _flag(value, name)
    if isinstance(default, int | float):
        return _number(name, value, type(default))
    return str(value)


def _flag(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in WORDS:
        raise SwitchError(f"{name} of a fault takes true or false, got {value!r}")
    return WORDS[str(value).lower()]
