"""Find the servers that a cluster needs beside Python's packages, and install them where that is possible."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

REDIS, POSTGRES = "redis-server", "postgres"
_DEBIAN_PACKAGES = {REDIS: "redis-server", POSTGRES: "postgresql"}
_DEBIANS_POSTGRES = Path("/usr/lib/postgresql")
"""Debian keeps each version's programs there and not on the PATH."""


class ProgramsMissingError(RuntimeError):
    """A server is not installed and could not be; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the servers' programs are."""

    redis_server: str
    initdb: str
    postgres: str


def ensure_programs(console: Console) -> Programs:
    """Return the servers' programs; those that are missing are installed where this is Debian and we are root.

    Raises:
        ProgramsMissingError: one is missing and cannot be installed from here.
    """
    if missing := _missing():
        packages = [_DEBIAN_PACKAGES[name] for name in missing]
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise ProgramsMissingError(_advice(packages))
        console.print(f"   installing {' and '.join(packages)}", markup=False)
        _install(packages)
    return Programs(_require(REDIS), _require("initdb"), _require(POSTGRES))


def _missing() -> list[str]:
    groups = {REDIS: (REDIS,), POSTGRES: (POSTGRES, "initdb")}
    return [name for name, needed in groups.items() if not all(map(_find, needed))]


def _find(name: str) -> str | None:
    """Return where a program is: on the PATH, or the newest of Debian's PostgreSQL versions."""
    versions = [path for path in _DEBIANS_POSTGRES.glob(f"*/bin/{name}") if path.parts[-3].isdecimal()]
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return shutil.which(name) or (str(newest) if newest else None)


def _require(name: str) -> str:
    found = _find(name)
    if found is None:
        raise ProgramsMissingError(f"{name} is not there although its package is installed. Put it on the PATH.")
    return found


def _install(packages: list[str]) -> None:
    """Install Debian packages without starting their services: ours run on ports and in folders of their own."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        ended = subprocess.run(  # noqa: S603 - our own list
            ["apt-get", *command],  # noqa: S607 - wherever the PATH has it
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if ended.returncode:
        said = "\n".join(ended.stderr.strip().splitlines()[-5:])
        raise ProgramsMissingError(f"{_advice(packages)} apt-get said:\n{said}")


def _advice(packages: list[str]) -> str:
    return f"The cluster demo needs {' and '.join(packages)}: as root, apt-get install {' '.join(packages)}."
