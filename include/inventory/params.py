"""What an operator asks of one run, checked before anything happens."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from include.errors import SetupWrong
from include.inventory.guards import GUARDS

Mode = Literal["plan", "load"]
MissingPolicy = Literal["ignore", "report", "retire"]

MODES = ("plan", "load")
DEVICE_FAMILIES = ("Mac", "iPhone", "iPad", "AppleTV")
MISSING_POLICIES = ("ignore", "report", "retire")
RELEASE_ALL = "all"

FAMILY_ALIASES = {"tvOS": "AppleTV", "iPod": "iPhone"}
"""Other spellings: Prism writes tvOS."""


@dataclass(frozen=True, slots=True)
class RunParams:
    """The params of one DAG run; empty ``blueprints``, ``tags`` or ``serials`` mean all of them.

    Filters narrow each other. A run of named devices (tags, serials) takes nothing for removed.
    ``release_parked`` names parked rows by serial number or ledger key, or all of them by "all".
    """

    mode: Mode
    feeds: tuple[str, ...]
    device_families: tuple[str, ...] = DEVICE_FAMILIES
    blueprints: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    full_resend: bool = False
    missing_devices: MissingPolicy = "ignore"
    lift_guards: tuple[str, ...] = ()
    release_parked: tuple[str, ...] = ()

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, feeds: Sequence[str]) -> Self:
        """Check the values of a run; ``feeds`` are those that the DAG carries.

        Raises SetupWrong that names the param and what it may be.
        """
        names = list(cls.__dataclass_fields__)
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise SetupWrong(f"Unknown param {', '.join(unknown)}. Known params: {', '.join(names)}.")
        params = cls(
            mode=_word("mode", values.get("mode", "load"), MODES),
            feeds=_words("feeds", values.get("feeds") or feeds, feeds),
            device_families=_families(values.get("device_families") or DEVICE_FAMILIES),
            blueprints=_words("blueprints", values.get("blueprints") or (), None),
            tags=_words("tags", values.get("tags") or (), None),
            serials=_words("serials", values.get("serials") or (), None),
            full_resend=_flag("full_resend", values.get("full_resend", False)),
            missing_devices=_word("missing_devices", values.get("missing_devices", "ignore"), MISSING_POLICIES),
            lift_guards=_words("lift_guards", values.get("lift_guards") or (), GUARDS),
            release_parked=_released(values.get("release_parked") or ()),
        )
        params._refuse_contradictions(feeds)
        return params

    @property
    def covers_fleet(self) -> bool:
        """Say whether no device that the pipeline carries is left out on purpose."""
        return set(self.device_families) == set(DEVICE_FAMILIES) and not self.blueprints and not self.names_devices

    @property
    def names_devices(self) -> bool:
        """Say whether the run is about devices that the operator named, one by one or by a tag."""
        return bool(self.tags or self.serials)

    def _refuse_contradictions(self, carried: Sequence[str]) -> None:
        """Raise SetupWrong when one param makes no sense beside another, or for the flow that carries such feeds."""
        if self.tags and "computer" not in carried:
            raise SetupWrong(
                "Param 'tags' is for devices: Iru lists no tags beside apps. Name the devices by 'serials'."
            )
        if self.missing_devices != "ignore" and self.names_devices:
            raise SetupWrong(
                f"Param 'missing_devices' is {self.missing_devices!r}, but 'tags' or 'serials' narrow the run: only a "
                "run of the whole fleet tells which devices are missing. Leave one of them out."
            )
        if self.missing_devices != "ignore" and "computer" in carried and "computer" not in self.feeds:
            raise SetupWrong(
                f"Param 'missing_devices' is {self.missing_devices!r}, but 'feeds' leaves the feed computer out, which "
                "is the one that could say so. Add it, or leave 'missing_devices' out."
            )

    def to_json(self) -> dict[str, Any]:
        """Return the params as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the params that ``to_json`` wrote."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


def family(platform: str | None) -> str | None:
    """Return the device family of a platform; Prism writes tvOS where /devices writes AppleTV."""
    return FAMILY_ALIASES.get(platform, platform) if platform else None


def _families(value: Any) -> tuple[str, ...]:
    names = _words("device_families", value, (*DEVICE_FAMILIES, *FAMILY_ALIASES))
    return tuple(dict.fromkeys(family(name) or name for name in names))


def _released(value: Any) -> tuple[str, ...]:
    words = _words("release_parked", value, None)
    if RELEASE_ALL in words and len(words) > 1:
        raise SetupWrong(f"Param 'release_parked' names {RELEASE_ALL!r} and others; name {RELEASE_ALL!r} alone.")
    return words


def _word(name: str, value: Any, allowed: Sequence[str]) -> Any:
    if value not in allowed:
        raise SetupWrong(f"Param {name!r} is {value!r}; it must be one of: {', '.join(allowed)}.")
    return value


def _words(name: str, value: Any, allowed: Sequence[str] | None) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) and word for word in words):
        raise SetupWrong(f"Param {name!r} is {value!r}; it must be a list of texts.")
    wrong = [word for word in words if allowed is not None and word not in allowed]
    if wrong:
        raise SetupWrong(f"Param {name!r} has {', '.join(wrong)}; allowed are: {', '.join(allowed or ())}.")
    return tuple(dict.fromkeys(words))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SetupWrong(f"Param {name!r} is {value!r}; it must be true or false.")
    return value
