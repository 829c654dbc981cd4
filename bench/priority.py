"""Keep other work on the machine from being measured."""

import os
from contextlib import suppress

_STEPS = -10


def go_first() -> int:
    """Raise this process's priority where it may, for it and its children, and return what it is (0: as any other)."""
    with suppress(OSError):
        if os.nice(0) == 0:
            os.nice(_STEPS)
    return os.nice(0)
