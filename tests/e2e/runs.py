"""Run a DAG to its end as ``make dag`` does, against whatever two base URLs point at."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Access:
    """Both connections, as Airflow reads them from the environment."""

    iru: dict[str, Any]
    servicenow: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit status, all that it printed and logged, and its report where it left one."""

    status: int
    output: str
    report: dict[str, Any] | None

    def counts(self, feed: str) -> dict[str, int]:
        """Return the feed's verdict counts that are not zero."""
        assert self.report, self.output
        return {name: n for name, n in self.report["feeds"][feed].items() if n}


def access(iru_url: str, token: str, servicenow_url: str, **servicenow: str) -> Access:
    """Return the connections of design section 9; ``servicenow`` gives login, password and the OAuth client."""
    extra = {"client_id": servicenow["client_id"], "client_secret": servicenow["client_secret"]}
    return Access(
        iru={"conn_type": "iru", "host": iru_url, "password": token},
        servicenow={
            "conn_type": "servicenow",
            "host": servicenow_url,
            "login": servicenow["username"],
            "password": servicenow["password"],
            "extra": extra | {"grant_type": "password", "column_keys": servicenow.get("column_keys", "label")},
        },
    )


def run_dag(dag_id: str, connections: Access, home: Path, conf: dict[str, Any] | None = None, **settings: str) -> Ended:
    """Run one DAG in a process of its own; ``home`` holds Airflow's database, the storage root and the ledger."""
    before = set(_reports(home, dag_id))
    process = start_dag(dag_id, connections, home, conf, **settings)
    output, _ = process.communicate(timeout=240)
    new = sorted(set(_reports(home, dag_id)) - before)
    report = json.loads(new[-1].read_text()) if new else None
    return Ended(process.returncode, output.decode(), report)


def start_dag(
    dag_id: str, connections: Access, home: Path, conf: dict[str, Any] | None = None, **settings: str
) -> "subprocess.Popen[bytes]":
    """Start one DAG run in a process group of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "IRU_"))}
    environment |= {
        "AIRFLOW_HOME": str(home / "airflow"),
        "IRU_SERVICENOW_STORAGE": str(home / "storage"),
        "AIRFLOW_CONN_IRU_DEFAULT": json.dumps(connections.iru),
        "AIRFLOW_CONN_SERVICENOW_DEFAULT": json.dumps(connections.servicenow),
        "PYTHONPATH": str(ROOT),
    } | settings
    command = [sys.executable, "-m", "include.local.dag", dag_id, json.dumps(conf or {})]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def _reports(home: Path, dag_id: str) -> list[Path]:
    return list((home / "storage" / "runs" / dag_id).glob("*/report.json"))
