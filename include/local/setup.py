"""Make ``.venv``: an environment of exactly the pinned versions. Uses the standard library only.

``python3 include/local/setup.py [--dev] [--cluster]``. A stamp in the environment remembers what it was made
from, so that a second call changes nothing and takes no time. ``uv`` does the installing where it can be had, else pip.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
LOG = CACHE / "setup.log"
BIN = VENV / "bin"
PYTHON = BIN / "python"

UV_VERSION = "0.13.9"
OLDEST = (3, 11)
NEWEST_TESTED = (3, 13)
NO_NETWORK = (
    "failed to establish a new connection",
    "name or service not known",
    "temporary failure in name resolution",
    "dns error",
    "failed to fetch",
    "network is unreachable",
    "no matching distribution",
)


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def main() -> int:
    """Bring ``.venv`` to the pinned state and return the exit status."""
    parser = argparse.ArgumentParser(prog="setup.py", description="Install the pinned requirements into .venv.")
    parser.add_argument("--dev", action="store_true", help="the tools for tests and checks too")
    parser.add_argument("--cluster", action="store_true", help="what the DAGs need on a cluster too")
    options = parser.parse_args()
    try:
        _check_interpreter()
        with _only_one():
            _set_up(dev=options.dev, cluster=options.cluster)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _check_interpreter() -> None:
    found = sys.version_info[:2]
    if found < OLDEST:
        raise SetupError(
            f"Python {_dotted(OLDEST)} or newer is needed; {sys.executable} is {platform.python_version()}. "
            "Name another: make PYTHON=python3.12 ..."
        )
    if found > NEWEST_TESTED:
        print(f"note: Python {_dotted(found)} is newer than {_dotted(NEWEST_TESTED)}, the newest that is tested")


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(part) for part in version)


def _only_one() -> AbstractContextManager[IO[str]]:
    """Hold a lock, so that two ``make`` at once do not both fill the same folder."""
    CACHE.mkdir(exist_ok=True)
    lock = (CACHE / "setup.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _set_up(*, dev: bool, cluster: bool) -> None:
    started = time.monotonic()
    todo = [layer for layer in _layers(dev=dev, cluster=cluster) if not layer.is_done()]
    if not todo:
        return
    LOG.write_text("")
    _adopt_venv()
    if not _venv_fits():
        _step(f"Python {platform.python_version()} environment in .venv", _make_venv)
        todo = _layers(dev=dev, cluster=cluster)
    install = _installer()
    for layer in todo:
        _step(layer.title, lambda layer=layer: layer.install(install))  # type: ignore[misc]  # mypy cannot type it
        layer.mark()
    print(f"Set up in {time.monotonic() - started:.0f} s (log: {LOG.relative_to(ROOT)})", flush=True)


class _Layer:
    """Something to install, and the stamp that remembers the inputs it was installed from."""

    def __init__(self, name: str, title: str, inputs: Sequence[Path], arguments: Sequence[str]) -> None:
        self.title = title
        self._stamp = VENV / f".{name}.stamp"
        self._inputs = inputs
        self._arguments = arguments

    def is_done(self) -> bool:
        return _venv_fits() and self._stamp.exists() and self._stamp.read_text() == self._key()

    def mark(self) -> None:
        self._stamp.write_text(self._key())

    def install(self, installer: "Installer") -> None:
        installer(self._arguments)

    def _key(self) -> str:
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in self._inputs)).hexdigest()


Installer = Callable[[Sequence[str]], None]


def _layers(*, dev: bool, cluster: bool) -> list[_Layer]:
    run, tools, project = ROOT / "requirements.txt", ROOT / "requirements-dev.txt", ROOT / "pyproject.toml"
    layers = [
        _Layer("run", "Airflow and the libraries of requirements.txt", [run], ["-r", str(run)]),
        _Layer("project", "this project, editable", [project], ["--no-deps", "-e", str(ROOT)]),
    ]
    if cluster:
        extra = ROOT / "requirements-cluster-demo.txt"
        layers.insert(
            1, _Layer("cluster", "Celery and S3 of requirements-cluster-demo.txt", [extra], ["-r", str(extra)])
        )
    if dev:
        layers.insert(1, _Layer("dev", "tools of requirements-dev.txt", [tools], ["-r", str(tools)]))
    return layers


def _identity() -> str:
    """Name what the environment depends on: the interpreter, and its own place (its scripts hold the path)."""
    return f"{platform.python_version()} {Path(sys.base_prefix).resolve()} {VENV}\n"


def _venv_fits() -> bool:
    mark = VENV / ".interpreter"
    return PYTHON.exists() and mark.exists() and mark.read_text() == _identity()


def _adopt_venv() -> None:
    """Go on with an environment that somebody made by hand from this very Python, instead of emptying it."""
    mark = VENV / ".interpreter"
    if not mark.exists() and PYTHON.exists() and (BIN / "pip").exists():
        asked = subprocess.run(  # noqa: S603 - our own list
            [str(PYTHON), "-c", "import platform, sys; print(platform.python_version(), sys.base_prefix)"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        version, _, base = asked.stdout.strip().partition(" ")
        if (version, Path(base).resolve()) == (platform.python_version(), Path(sys.base_prefix).resolve()):
            mark.write_text(_identity())


def _make_venv() -> None:
    base = Path(sys.base_prefix) / "bin" / f"python{_dotted(sys.version_info[:2])}"
    python = str(base) if base.exists() else sys.executable
    _run([python, "-m", "venv", "--clear", str(VENV)])
    (VENV / ".interpreter").write_text(_identity())


def _installer() -> Installer:
    """Return uv's installer, with pip's behind it for what uv cannot do here."""
    uv = _uv()
    if not uv:
        return _pip
    command = [*uv, "pip", "install", "--python", str(PYTHON), "--compile-bytecode"]

    def install(arguments: Sequence[str]) -> None:
        try:
            _run([*command, *arguments], extra=_uv_settings())
        except subprocess.CalledProcessError:
            _pip(arguments)

    return install


def _pip(arguments: Sequence[str]) -> None:
    _run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *arguments])


def _uv() -> list[str]:
    """Return the command of a ``uv`` on PATH, or of one installed into the environment; nothing where neither works."""
    for command in (["uv"], [str(PYTHON), "-m", "uv"]):
        if _works([*command, "--version"]):
            return command
    try:
        _pip([f"uv=={UV_VERSION}"])
    except subprocess.CalledProcessError:
        return []
    return [str(PYTHON), "-m", "uv"]


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own list
    except OSError:
        return False


def _uv_settings() -> dict[str, str]:
    """Hand pip's configured indexes to uv, which does not read pip's files, and search them as pip does."""
    asked = subprocess.run(  # noqa: S603 - our own list
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
    settings = {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    for line in asked.stdout.splitlines():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2]
        if option in names:
            settings[names[option]] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    if "UV_INDEX" in settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in settings.items() if name not in os.environ}


def _run(command: Sequence[str], *, extra: dict[str, str] | None = None) -> None:
    environment = {**os.environ, **(extra or {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("PYTHONPATH", None)
    with LOG.open("a") as log:
        print("$", *command, file=log, flush=True)
        subprocess.run(  # noqa: S603 - our own list
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=True
        )


def _step(title: str, action: Callable[[], None]) -> None:
    """Say what happens, do it, and on failure show the end of the log."""
    print(f"  {title} ... ", end="", flush=True)
    started = time.monotonic()
    try:
        action()
    except subprocess.CalledProcessError:
        print("failed", flush=True)
        raise SetupError(_diagnosis()) from None
    print(f"{time.monotonic() - started:.0f} s", flush=True)


def _diagnosis() -> str:
    log = LOG.read_text(errors="replace")
    tail = "\n".join(f"    {line}" for line in log.splitlines()[-12:])
    advice = "Mend what the log says and run the same command again."
    if "ensurepip" in log:
        advice = "This Python has no venv module of its own; on Debian or Ubuntu: apt install python3-venv."
    elif any(sign in log.lower() for sign in NO_NETWORK):
        advice = "The package index could not be reached, or lacks a version: check the network, or pip's settings."
    return f"set-up failed. The end of {LOG.relative_to(ROOT)}:\n{tail}\n{advice}"


if __name__ == "__main__":
    sys.exit(main())
