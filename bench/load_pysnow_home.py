"""A Python environment for pysnow: it needs an older requests-oauthlib than the pipeline does."""

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
HOME = _HERE.parent / ".cache" / "bench-pysnow"
PINS = _HERE / "requirements-pysnow.txt"


def pysnow_python() -> Path:
    """Return the environment's Python; it is made when it is asked for first, or when the pins changed."""
    python, made_of = HOME / "bin" / "python", HOME / "pins.txt"
    if not made_of.exists() or made_of.read_text(encoding="utf-8") != PINS.read_text(encoding="utf-8"):
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, HOME], check=True)  # noqa: S603 - a fixed command
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, "-r", PINS], check=True)  # noqa: S603 - a fixed command
        made_of.write_text(PINS.read_text(encoding="utf-8"), encoding="utf-8")
    return python
