"""Give memory back that frames have left: a task works through many of them, one after another.

Arrow's own allocator and glibc both keep what they were once given, the latter beyond a threshold that grows with use,
so that a process would end at the sum of its worst moments. With Arrow on the C library's allocator and the threshold
fixed, large blocks go back to the system as soon as they are free. Sources: mallopt(3), M_MMAP_THRESHOLD; Apache Arrow,
"Memory Management".
"""

import ctypes
import sys
from functools import cache

import pyarrow as pa

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_THRESHOLD_BYTES = 128 * 1024
"""glibc's own default before it adapts to use. A megabyte costs a fifth less time and a tenth more memory."""


@cache
def return_freed_memory() -> None:
    """Let this process return large blocks at once, from now on; other systems than Linux with glibc go on as ever."""
    pa.set_memory_pool(pa.system_memory_pool())
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "mallopt"):
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            library.mallopt(option, _THRESHOLD_BYTES)
