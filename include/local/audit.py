"""What ``make audit`` checks: every pin is exact and from nowhere but an index, and none has a known vulnerability.

The first needs no network. The second asks PyPI's advisories through pip-audit, and says in one line when they cannot
be reached, which is no failure: a build without a network has to stay possible.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import requests

from include.local.environment import PROJECT_ROOT

FILES = ("requirements.txt", "requirements-dev.txt", "requirements-cluster-demo.txt", "deploy/requirements-cluster.txt")

ACCEPTED: Mapping[str, str] = {}
"""Advisories that do not concern this project, by id, each with the reason; an entry without need is reported."""

_ADVISORIES = "https://pypi.org/pypi"
_PROBE_TIMEOUT_S = 5
_TIMEOUT_S = 120
_PIN = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,._-]+\])?==[a-z0-9][a-z0-9.!+_-]*( ; [^@:/\\]+)?", re.IGNORECASE)
_NETWORK = ("connection", "timed out", "timeout", "resolve", "proxy", "502", "503", "504")


class ServiceSilent(Exception):
    """The advisories could not be asked; the text says why."""


def main() -> int:
    """Run both checks and return the exit status."""
    wrong = [f"{name}: {line}" for name in FILES for line in loose_pins((PROJECT_ROOT / name).read_text())]
    if wrong:
        print("audit: not an exact pin of an index (name==version):", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    try:
        requirements = PROJECT_ROOT / "requirements.txt"
        _probe(_ADVISORIES, requirements.read_text())
        found = _ask(requirements)
    except ServiceSilent as error:
        print(f"audit: pins are exact; known vulnerabilities were not checked: {error}")
        return 0
    problems = findings(found, ACCEPTED)
    if problems:
        print("audit: known vulnerabilities in requirements.txt:", *problems, sep="\n  ", file=sys.stderr)
        return 1
    asked = found["dependencies"]
    unknown = sum("skip_reason" in dependency for dependency in asked)
    print(f"audit: pins are exact; {len(asked) - unknown} packages without a known vulnerability, {unknown} not known.")
    return 0


def loose_pins(text: str) -> list[str]:
    """Return the lines of a requirements file that are not an exact pin: ranges, addresses, options, other files."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#") and not _PIN.fullmatch(line)]


def findings(found: Mapping[str, Any], accepted: Mapping[str, str]) -> list[str]:
    """Return what a person has to act on: package, advisory and fixed version; and accepted ids that nothing needs."""
    told, met = [], set()
    for dependency in found["dependencies"]:
        for advisory in dependency.get("vulns", ()):
            ids = {advisory["id"], *advisory.get("aliases", ())}
            met |= ids & set(accepted)
            if not ids & set(accepted):
                told.append(_spelled(dependency, advisory))
    return told + [
        f"{name} is accepted, but nothing has it any more: remove it" for name in sorted(set(accepted) - met)
    ]


def _spelled(dependency: Mapping[str, Any], advisory: Mapping[str, Any]) -> str:
    fixed = ", ".join(advisory.get("fix_versions", ())) or "no version yet"
    others = _joined(advisory.get("aliases", ()))
    return f"{dependency['name']} {dependency['version']}: {advisory['id']}{others}, fixed in {fixed}"


def _joined(aliases: Iterable[str]) -> str:
    names = ", ".join(aliases)
    return f" ({names})" if names else ""


def _probe(base_url: str, requirements: str) -> None:
    """Ask for one of our pins first: a mirror without advisories would answer 404 a hundred times."""
    pin = re.search(r"^requests==(\S+)", requirements, re.MULTILINE)
    url = f"{base_url}/requests/{pin[1] if pin else ''}/json"
    try:
        answer = requests.get(url, timeout=_PROBE_TIMEOUT_S)
        known = answer.status_code == 200 and "vulnerabilities" in answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ServiceSilent(f"{url} cannot be reached ({type(error).__name__}).") from None
    if not known:
        raise ServiceSilent(f"{url} answers HTTP {answer.status_code} without advisories.")


def _ask(requirements: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "pip_audit", "-r", str(requirements), "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10", "--desc", "off"]
    try:
        ended = subprocess.run(  # noqa: S603 - our own command
            [*command, *options], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ServiceSilent(f"no answer within {_TIMEOUT_S} s.") from None
    return read_answer(ended.stdout, ended.stderr)


def read_answer(output: str, errors: str) -> dict[str, Any]:
    """Return what pip-audit found; ServiceSilent for a broken connection, RuntimeError for anything else."""
    try:
        found = json.loads(output)
    except ValueError:
        last = (errors.strip().splitlines() or ["no output"])[-1]
        if any(word in last.lower() for word in _NETWORK):
            raise ServiceSilent(f"{last}.") from None
        raise RuntimeError(f"pip-audit failed: {last}") from None
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
