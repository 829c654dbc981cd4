"""Switches as people write them (``key=value``) into a frozen dataclass of settings."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

_Switches = TypeVar("_Switches")
WORDS = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
"""How people write yes and no."""


class SwitchError(ValueError):
    """A switch that does not exist, or a value that it does not take."""


def change_switches(switches: _Switches, changes: Mapping[str, Any], *, known: Iterable[str] = ()) -> _Switches:
    """Return ``switches`` with ``changes`` applied; values may be strings.

    ``known`` narrows what may be changed; by default that is every field. Raises ``SwitchError`` naming
    the known ones, or the value that does not fit.
    """
    names = set(known) or {field.name for field in fields(switches)}  # type: ignore[arg-type]  # any dataclass
    unknown = sorted(set(changes) - names)
    if unknown:
        raise SwitchError(f"unknown switch {', '.join(unknown)}; known: {', '.join(sorted(names))}")
    values = {name: _coerce(name, value, getattr(switches, name)) for name, value in changes.items()}
    try:
        return replace(switches, **values)  # type: ignore[type-var]  # any dataclass
    except ValueError as error:
        raise SwitchError(str(error)) from error


def split_pair(text: str) -> tuple[str, str]:
    """Return key and value of ``key=value``; raise ``SwitchError`` for anything else."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SwitchError(f"a switch is written key=value, got {text!r}")
    return key.strip(), value.strip()


def _coerce(name: str, value: Any, current: Any) -> Any:
    try:
        if isinstance(current, bool):
            return value if isinstance(value, bool) else WORDS[str(value).lower()]
        if isinstance(current, int | float):
            return type(current)(value)
    except (KeyError, TypeError, ValueError) as error:
        kind = type(current).__name__
        raise SwitchError(f"switch {name} takes a {kind}, got {value!r}") from error
    if isinstance(current, tuple):
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(part.strip() for part in parts if part.strip())
    return str(value)
