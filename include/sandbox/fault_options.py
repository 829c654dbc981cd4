"""Faults of both services under one roof, as people write them: ``KIND[:key=value,...]``, or JSON."""

import json
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any

from include.sandbox.common.switches import SwitchError
from include.sandbox.faults.kind import Catalogue, FaultKind
from include.sandbox.faults.mixes import mixed_faults
from include.sandbox.faults.plan import Fault
from include.sandbox.iru.tenant import FAULTS as IRU
from include.sandbox.servicenow.instance import FAULTS as SERVICENOW

CATALOGUES: Mapping[str, Catalogue] = {"iru": IRU, "servicenow": SERVICENOW}
_NAME_WIDTH = max(len(name) for catalogue in CATALOGUES.values() for name in catalogue)
_WIDTH = 84


def parse_fault(text: str) -> dict[str, Any]:
    """Return the fault that ``KIND[:key=value,...]`` describes; its values stay strings."""
    kind, _, rest = text.partition(":")
    fault: dict[str, Any] = {}
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise SwitchError(f"a fault is written KIND[:key=value,...], got {part!r} in {text!r}")
        fault[key.strip()] = value.strip()
    return {**fault, "kind": kind.strip()}


def read_faults(file: Path) -> list[dict[str, Any]]:
    """Return the faults of a JSON file: a list of them, or an object with such a list for each service."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SwitchError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        return _objects(content, file)
    unknown = sorted(set(content) - set(CATALOGUES))
    if unknown:
        raise SwitchError(f"{file} names {', '.join(unknown)}; known services: {', '.join(CATALOGUES)}")
    return [one for service, faults in content.items() for one in of_service(service, _objects(faults, file))]


def of_service(service: str, faults: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return faults with their service written before their kind."""
    return [{**fault, "kind": f"{service}.{fault.get('kind')}"} for fault in faults]


def mixed_for_both(share: float, seed: int) -> list[dict[str, Any]]:
    """Return mixed faults of both services, as ``SandboxSpec.faults`` takes them."""
    return [fault for service in CATALOGUES for fault in of_service(service, mixed_faults(service, share, seed))]


def sort_faults(wanted: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the faults by service, each checked; SwitchError names what is wrong with one.

    A kind may be prefixed with its service (``iru.error_503``), and must be where both have it.
    """
    sorted_out: dict[str, list[dict[str, Any]]] = {service: [] for service in CATALOGUES}
    for fault in wanted:
        service, kind = _find(str(fault.get("kind")))
        own = {**fault, "kind": kind}
        Fault.read(own, CATALOGUES[service])
        sorted_out[service].append(own)
    return sorted_out


def check_fault(wanted: Mapping[str, Any]) -> None:
    """Raise SwitchError for a fault without prefix that neither service takes."""
    kind = str(wanted.get("kind"))
    service, _, bare = kind.partition(".")
    if bare and service in CATALOGUES:
        raise SwitchError(f"the address says which service plays the fault; write {bare!r} instead of {kind!r}")
    knowing = [catalogue for catalogue in CATALOGUES.values() if kind in catalogue]
    if not knowing:
        raise _unknown(kind)
    Fault.read(wanted, knowing[0])


def describe_faults() -> str:
    """Return the catalogue for people to read."""
    shared = {name for name in IRU if IRU[name] == SERVICENOW.get(name)}
    parts = {"both services": [IRU[name] for name in IRU if name in shared]} | {
        service: [kind for kind in catalogue.values() if kind.name not in shared]
        for service, catalogue in CATALOGUES.items()
    }
    lines = []
    for title, kinds in ((title, kinds) for title, kinds in parts.items() if kinds):
        lines += [f"{title}:", *(line for kind in kinds for line in _describe(kind)), ""]
    taken = "match, nth (3 or 3+5), share (0.1), times, seed and by_subject"
    return "\n".join([*lines, f"Each takes {taken} too;", "with neither nth nor share it strikes once."])


def _describe(kind: FaultKind) -> list[str]:
    """Return one kind's lines: what it is, and what it takes, with defaults."""
    options = [
        f"{name}={str(default).lower() if isinstance(default, bool) else default}"
        + (f" ({'|'.join(kind.choices[name])})" if name in kind.choices else "")
        for name, default in kind.options.items()
    ]
    options += [f"match={kind.match}"] if kind.match != "*" else []
    takes = [f"takes {', '.join(options)}"] if options else []
    texts = [line for text in (kind.summary, *takes) for line in wrap(text, _WIDTH, break_on_hyphens=False)]
    return [f"  {name:<{_NAME_WIDTH}}  {text}" for name, text in zip_longest([kind.name], texts, fillvalue="")]


def _find(name: str) -> tuple[str, str]:
    service, _, bare = name.partition(".")
    if bare in CATALOGUES.get(service, ()):
        return service, bare
    knowing = [one for one, catalogue in CATALOGUES.items() if name in catalogue]
    if len(knowing) == 1:
        return knowing[0], name
    if knowing:
        spelled = " or ".join(f"{one}.{name}" for one in knowing)
        raise SwitchError(f"fault {name} is known to both services; write {spelled}")
    raise _unknown(name)


def _unknown(name: str) -> SwitchError:
    known = ", ".join(f"{service}.{kind}" for service in CATALOGUES for kind in sorted(CATALOGUES[service]))
    return SwitchError(f"fault {name!r} is not known; known: {known}")


def _objects(content: Any, file: Path) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise SwitchError(f"{file} holds no list of faults, each an object with its kind")
    return content
