"""Run DAGs one after the other in one Airflow, with nothing of ours between its logs and the terminal.

``python bare_runs.py FILE``: FILE is a JSON list of runs (dag_id, conf, environment). Prints one line per run at the
end: its number and its state. Failed tasks are not tried again.
"""

import json
import os
import sys
from pathlib import Path

from include.local.environment import airflow_environment, airflow_home


def main(path: str) -> None:
    """Run what the file lists."""
    os.environ.update(airflow_environment(airflow_home()) | {"AIRFLOW__LOGGING__JSON_LOGS": "True"})
    from iru_servicenow.wiring import DEFAULT_ARGS

    from include.local.dag import _run

    DEFAULT_ARGS["retries"] = 0
    states = []
    for number, run in enumerate(json.loads(Path(path).read_text())):
        os.environ.update(run["environment"])
        states.append(f"bare run {number}: {_run(run['dag_id'], run['conf']).state}")
    print("\n".join(states))


if __name__ == "__main__":
    main(sys.argv[1])
