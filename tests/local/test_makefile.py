"""The Makefile, as a newcomer meets it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INTERNAL_TARGETS = {"setup-cluster", "setup-dev"}


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def targets() -> set[str]:
    """Return what a user can type."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    return set(phony[1].split()) - INTERNAL_TARGETS


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    """A checkout with nothing installed, at a path with a space in it."""
    folder = tmp_path / "my checkout"
    (folder / "include/local").mkdir(parents=True)
    shutil.copy(ROOT / "include/local/setup.py", folder / "include/local/setup.py")
    requirements = [path.name for path in ROOT.glob("requirements*.txt")]
    for name in ("Makefile", "pyproject.toml", *requirements):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_help_lists_every_target() -> None:
    """Whoever types ``make`` alone sees each thing that can be typed, with what it does."""
    listed = dict(line.split(None, 2)[1:] for line in make().stdout.splitlines())
    assert set(listed) == targets()
    assert all(len(text) > 10 for text in listed.values())


def test_design_targets_exist() -> None:
    """The commands that the documentation promises are there."""
    assert {"help", "demo", "cluster-demo", "test", "up", "dag", "sandbox", "bench"} <= targets()


def test_bench_measures_what_was_asked_for(bare_checkout: Path) -> None:
    """Part, devices and seeds reach the benchmark, and what was not given is left to it."""
    recorder = bare_checkout / ".venv/bin/python"
    recorder.parent.mkdir(parents=True)
    recorder.write_text('#!/bin/sh\ncase "$1" in -m) printf "%s|" "$@";; esac\n')
    recorder.chmod(0o755)
    asked = make("bench", "PART=chaos", "SEEDS=2", "DEVICES=300", folder=bare_checkout)
    assert asked.stdout == "-m|bench|--part|chaos|--devices|300|--seeds|2|"
    assert make("bench", folder=bare_checkout).stdout == "-m|bench|"


def test_a_python_that_does_not_run_gives_one_clear_message(bare_checkout: Path) -> None:
    """A missing or too old Python is named, with what to type instead; nothing is left half made."""
    result = make("demo", "PYTHON=/nowhere/python3", folder=bare_checkout)
    assert result.returncode != 0
    errors = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert len(errors) == 1
    assert "/nowhere/python3" in errors[0]
    assert "make PYTHON=/path/to/python3.12 demo" in errors[0]
    assert not (bare_checkout / ".venv").exists()


def test_conf_reaches_the_run_as_it_was_typed(bare_checkout: Path) -> None:
    """Neither make nor the shell changes a character of CONF, not even a dollar sign or a quote."""
    recorder = bare_checkout / ".venv/bin/python"
    recorder.parent.mkdir(parents=True)
    recorder.write_text('#!/bin/sh\ncase "$1" in -m) printf "%s|" "$@";; esac\n')
    recorder.chmod(0o755)
    conf = """{"note": "a $HOME $(x) 'b' \\"c\\""}"""
    result = make("dag", "DAG=iru_devices", f"CONF={conf}", folder=bare_checkout)
    assert result.stdout.split("|")[:4] == ["-m", "include.local.dag", "iru_devices", conf]
