"""Fresh sandboxes one after the other, in a process of its own: ``python -m bench.load_server``.

Each line on standard input asks for a new sandbox in place of the last one, as JSON (``{"tls": false}``); its ready
line comes back on standard output. The end of the input is the end of the process.
"""

import gc
import json
import sys
from contextlib import ExitStack

from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

SWITCHES = {"servicenow.transform_pickup_delay_s": 0.0, "servicenow.transform_row_time_s": 0.0}


def main() -> None:
    """Serve until nobody asks any more."""
    sys.setswitchinterval(0.00005)  # a transform must not keep an answer that is due waiting
    with ExitStack() as running:
        for line in sys.stdin:
            running.close()
            gc.unfreeze()
            spec = SandboxSpec(
                fleet=FleetSpec(devices=1, apps_per_device=0), switches=SWITCHES, tls=json.loads(line)["tls"]
            )
            sandbox = running.enter_context(Sandbox(spec))
            gc.collect()
            gc.freeze()  # what the server is made of needs no looking at while it serves
            print(json.dumps(sandbox.ready_line()), flush=True)


if __name__ == "__main__":
    main()
