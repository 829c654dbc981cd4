"""Airflow with its UI, and the sandbox beside it, until Ctrl-C: ``python -m include.local.up``.

State is kept in ``AIRFLOW_HOME`` and the ports stay the same from one start to the next, because the pipeline
remembers what it has sent by the addresses of both sides.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.local.airflow import AirflowFailedError, LocalAirflow, free_port, is_free
from include.local.environment import airflow_home
from include.local.processes import exit_on_signals
from include.local.rest import AirflowApiError
from include.local.sandbox import Sandbox, SandboxFailedError, running_sandbox

PREFERRED_PORTS = {"airflow": 8080, "iru": 8081, "servicenow": 8082}
DAGS = ("iru_devices", "iru_apps", "iru_servicenow_preflight", "iru_servicenow_reconcile")


class PortTakenError(RuntimeError):
    """Something else listens where an earlier start did."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted and return the exit status."""
    options = _parse(arguments)
    home = airflow_home()
    home.mkdir(parents=True, exist_ok=True)
    try:
        with exit_on_signals():
            _serve(options, home)
    except KeyboardInterrupt:
        print("\nstopped")
    except (AirflowApiError, AirflowFailedError, PortTakenError, SandboxFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make up", description="Airflow and the sandbox, until Ctrl-C.")
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--apps-per-device", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(arguments)


def _serve(options: argparse.Namespace, home: Path) -> None:
    ports = stable_ports(home / "up-ports.json")
    state = home / "sandbox"
    state.mkdir(exist_ok=True)
    sandbox_options = [
        *("--devices", str(options.devices)),
        *("--apps-per-device", str(options.apps_per_device)),
        *("--seed", str(options.seed)),
        *("--iru-port", str(ports["iru"])),
        *("--servicenow-port", str(ports["servicenow"])),
        *("--database-dir", str(state)),
    ]
    print("starting the sandbox and Airflow, about 15 s ...", flush=True)
    with running_sandbox(sandbox_options, log_path=home / "logs" / "local" / "sandbox.log") as sandbox:
        connections = _unset(sandbox.connections())
        environment = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"} | connections
        with LocalAirflow(home, environment=environment, port=ports["airflow"]) as airflow:
            for dag_id in DAGS:
                airflow.client.unpause(dag_id)
            _say_where(airflow, sandbox, connections)
            while True:
                airflow.check()
                time.sleep(1)


def _unset(connections: Mapping[str, str]) -> dict[str, str]:
    """Leave out connections that the caller's environment sets: who brings a real tenant wants that one."""
    return {name: value for name, value in connections.items() if name not in os.environ}


def stable_ports(path: Path) -> dict[str, int]:
    """Return the ports of earlier starts, or choose them now and remember them.

    Raises:
        PortTakenError: a remembered port is in use.
    """
    if not path.exists():
        chosen = {name: port if is_free(port) else free_port() for name, port in PREFERRED_PORTS.items()}
        path.write_text(json.dumps(chosen))
        return chosen
    ports: dict[str, int] = json.loads(path.read_text())
    taken = [f"{port} ({name})" for name, port in ports.items() if not is_free(port)]
    if taken:
        raise PortTakenError(
            f"Something listens on {', '.join(taken)} already: another make up? Stop it, or delete {path} to "
            "choose other ports (the pipeline then sends everything once more)."
        )
    return ports


def _say_where(airflow: LocalAirflow, sandbox: Sandbox, connections: Mapping[str, str]) -> None:
    lines = [
        "",
        f"Airflow      {airflow.url}",
        f"  sign in    {airflow.username} / {airflow.password}",
        f"  sync page  {airflow.url}/plugin/iru-servicenow",
        f"  logs       {airflow.log_folder}",
        f"Iru          {sandbox.iru_url}  (sandbox)",
        f"ServiceNow   {sandbox.servicenow_url}  (sandbox)",
        f"DAGs         {', '.join(DAGS)} are on; iru_devices runs every hour and whenever devices change",
    ]
    if len(connections) < len(sandbox.connections()):
        lines.append("Connections  the environment's own AIRFLOW_CONN_... are used instead of the sandbox's")
    print("\n".join([*lines, "", "Ctrl-C stops everything."]), flush=True)


if __name__ == "__main__":
    sys.exit(main())
