"""How busy the sandbox was while something was measured: where it was near 1, it was measured itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_PROGRAMS = ("include.sandbox", "bench.load_server")


class Busy:
    """Its ``share`` of one core, once the block has ended."""

    share: float = 0.0


@contextmanager
def busy_sandbox() -> Iterator[Busy]:
    """Measure what this process's sandboxes take of a core while the block runs."""
    told = Busy()
    before, begun_s = _cpu_s(), time.perf_counter()
    yield told
    told.share = round((_cpu_s() - before) / (time.perf_counter() - begun_s), 3)


def _cpu_s() -> float:
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            if any(program in child.cmdline() for program in _PROGRAMS):
                times = child.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total
