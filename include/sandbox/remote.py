"""The admin API of a running sandbox, from the command line's side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from include.sandbox.common.traffic import ADMIN_PREFIX

_TIMEOUT_S = 60
_FAULTS = f"{ADMIN_PREFIX}/faults"


class RemoteError(Exception):
    """The sandbox could not be reached, or refused."""


def change_remote(url: str, ca: Path | None, counts: Mapping[str, int]) -> dict[str, Any]:
    """Change the fleet of the tenant at ``url`` and return what was changed."""
    changed: dict[str, Any] = _call("POST", f"{url}{ADMIN_PREFIX}/fleet/change", ca, counts)
    return changed


def show_remote(url: str, ca: Path | None) -> str:
    """Return what the server at ``url`` has seen, for people to read."""
    counters = _call("GET", f"{url}{ADMIN_PREFIX}/counters", ca)
    lines = [
        f"requests       {counters['requests']:>12,}",
        f"bytes in       {counters['bytes_in']:>12,}",
        f"bytes out      {counters['bytes_out']:>12,}",
        f"most at a time {counters['max_in_flight']:>12,}",
    ]
    for title in ("by_status", "by_method_and_path"):
        lines += ["", title.replace("_", " ")]
        lines += [f"{count:>12,}  {name}" for name, count in counters[title].items()]
    return "\n".join(lines)


def add_faults_remote(url: str, ca: Path | None, faults: Sequence[Mapping[str, Any]]) -> Any:
    """Ask the server at ``url`` for faults, all or none, and return all that it was asked for."""
    return _call("POST", f"{url}{_FAULTS}", ca, faults)


def clear_faults_remote(url: str, ca: Path | None) -> Any:
    """End all faults of the server at ``url``."""
    return _call("DELETE", f"{url}{_FAULTS}", ca)


def _call(method: str, url: str, ca: Path | None, body: Any = None) -> Any:
    verify: str | bool = str(ca) if ca else True
    try:
        answer = requests.request(method, url, json=body, timeout=_TIMEOUT_S, verify=verify)
    except requests.RequestException as error:
        raise RemoteError(f"no answer from {url}: {error}") from error
    if not answer.ok:
        raise RemoteError(f"{url} answered {answer.status_code}: {answer.text[:500]}")
    return answer.json()
