"""Do ServiceNow's tables hold what Iru holds? Answered over both public HTTP APIs, with no code of the pipeline.

Alone: ``python -m include.local.check --iru-url … --iru-token … --servicenow-url … --username … --password …``;
what is not given comes from ``AIRFLOW_CONN_IRU_DEFAULT`` and ``AIRFLOW_CONN_SERVICENOW_DEFAULT``.
"""

from include.local.check.compare import compare
from include.local.check.iru import IruFleet, read_fleet
from include.local.check.report import Difference, Findings
from include.local.check.rows import RemovedApp
from include.local.check.servicenow import ServiceNowTables, SignIn, read_tables

__all__ = [
    "Difference",
    "Findings",
    "IruFleet",
    "RemovedApp",
    "ServiceNowTables",
    "SignIn",
    "compare",
    "read_fleet",
    "read_tables",
]
