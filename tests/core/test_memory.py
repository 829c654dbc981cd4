"""What frames have left goes back to the system."""

import subprocess
import sys
from pathlib import Path

CHILD = """
import os
import pandas as pd
import pyarrow as pa
from include.memory import return_freed_memory

def resident():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

return_freed_memory()
return_freed_memory()
before = resident()
for turn in range(3):
    frame = pd.DataFrame({"text": [f"{turn} {number} " * 20 for number in range(200_000)]}, dtype="str")
    full = resident()
    del frame
print(pa.default_memory_pool().backend_name, full - before, resident() - before)
"""


def test_a_frame_that_is_gone_takes_no_memory():
    """After large frames a process is nearly as small as before them."""
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", CHILD], check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    pool, full, left = told.stdout.split()
    assert pool == "system"
    assert int(full) > 30_000_000
    assert int(left) < int(full) / 3
