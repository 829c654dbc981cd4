"""One device flow in a process of its own, which may be killed at any moment: ``python -m bench.chaos_child``.

Takes what it needs as one JSON object on standard input, says ``started`` when the run begins, and why it failed ("" if
it did not) as one line of JSON when it has ended.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from bench.flow import Flow
from include.iru.client import IruSettings
from include.loading.spec import LoadSpec
from include.servicenow.settings import ServiceNowSettings
from include.web.retry import RetryPolicy

RETRY = {"first_wait_s": 0.05, "longest_wait_s": 1.0}
"""Short waits keep the run short; the number of attempts is the pipeline's own."""
SPEC = {"chunk_rows": 500, "concurrency": 4, "lost_answer_wait_s": 1.0, "transform_timeout_s": 120.0}
READ_TIMEOUT_S = 30.0


def main() -> None:
    """Run the flow that standard input describes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s")
    asked = json.load(sys.stdin)
    flow = _flow(asked)
    print("started", flush=True)
    print(json.dumps(flow.run("devices", asked["run_id"]).failed), flush=True)


def _flow(asked: dict[str, Any]) -> Flow:
    iru, snow = asked["iru"], asked["servicenow"]
    account = {name: snow[name] for name in ("client_id", "client_secret", "username", "password")}
    return Flow(
        Path(asked["root"]),
        IruSettings(iru["url"], iru["token"], read_timeout_s=READ_TIMEOUT_S),
        ServiceNowSettings(
            base_url=snow["url"],
            connection="servicenow_default",
            grant_type="password",
            read_timeout_s=READ_TIMEOUT_S,
            **account,
        ),
        spec=LoadSpec(table="-", key_columns=("-",), **asked["spec"]),
        retry=RetryPolicy(**asked["retry"]),
    )


if __name__ == "__main__":
    main()
