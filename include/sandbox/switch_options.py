"""Switches of both services under one roof."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from include.sandbox.common.switches import SwitchError, change_switches
from include.sandbox.iru import IruSettings

_NOT_SWITCHES = frozenset(
    {"users", "database_path", "client_id", "client_secret", "username", "password", "clock", "switches"}
)
_ServiceNow = TypeVar("_ServiceNow")


def sort_switches(
    wanted: Mapping[str, Any], iru: IruSettings, servicenow: _ServiceNow
) -> tuple[IruSettings, _ServiceNow]:
    """Return both settings with ``wanted`` applied; raise ``SwitchError`` for a name that is not known.

    A name may be prefixed with its service, and must be where both have it.
    """
    known = {"iru": _names(iru), "servicenow": _names(servicenow)}
    sorted_out: dict[str, dict[str, Any]] = {service: {} for service in known}
    for name, value in wanted.items():
        service, bare = _find(name, known)
        sorted_out[service][bare] = value
    return _apply(iru, sorted_out["iru"]), _apply(servicenow, sorted_out["servicenow"])


def _names(settings: Any) -> set[str]:
    holder = getattr(settings, "switches", settings)
    return {field.name for field in fields(holder)} - _NOT_SWITCHES


def _find(name: str, known: Mapping[str, set[str]]) -> tuple[str, str]:
    service, dot, bare = name.partition(".")
    found = [s for s in known if name in known[s]]
    if dot and bare in known.get(service, ()):
        return service, bare
    if len(found) == 1:
        return found[0], name
    everything = ", ".join(f"{s}.{one}" for s in known for one in sorted(known[s]))
    problem = "is in both services, prefix it" if found else "is unknown"
    raise SwitchError(f"switch {name} {problem}; known: {everything}")


def _apply(settings: Any, changes: Mapping[str, Any]) -> Any:
    if not changes:
        return settings
    if hasattr(settings, "switches"):
        return replace(settings, switches=change_switches(settings.switches, changes))
    return change_switches(settings, changes, known=_names(settings))
