"""
### Devices: Iru Endpoint → ServiceNow

Brings every Apple device of the tenant into `cmdb_ci_computer` and `x_kandj_kandji_mdm`; only what changed is sent.

| task | does | when it is red |
|---|---|---|
| `prepare` | checks params, mapping and connections, without a request | the message names what to correct |
| `extract` | fetches `/devices` and Prism `device_information` | Iru is down, or the token lacks a permission |
| `shape` | validates and reshapes the rows, keeps rejects with reasons | a defect: keep the run's folder |
| `plan` | compares with the ledger, checks the staging tables | a staging table lacks a column |
| `load.computer`, `load.mdm` | send what changed, read each verdict | ServiceNow is down, or the set-up is wrong |
| `settle` | takes verdicts into the ledger, writes `report.json` | planned rows were not sent: see the load tasks |

**Running it again is always safe**: rows coalesce on their keys, and a cleared load goes on where it was. Rows that
ServiceNow refused are sent again with the next run. Trigger with `{"mode": "plan"}` to see what would be sent.
The run's files lie under `<storage root>/runs/iru_devices/<run id>/`; the table in `settle`'s log sums them up.
"""

from datetime import UTC, datetime

from airflow.sdk import dag
from iru_servicenow import tasks
from iru_servicenow.wiring import default_args, load_tasks, params

from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings

SETTINGS = Settings.from_environment()
FEEDS = list(load_mapping(SETTINGS.mapping).of_source("devices"))


@dag(
    dag_display_name="Iru devices → ServiceNow",
    description="Apple devices from Iru Endpoint into ServiceNow's computers and MDM records",
    schedule=SETTINGS.devices_schedule,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=params([feed.name for feed in FEEDS], SETTINGS, devices=True),
    default_args=default_args(SETTINGS),
    doc_md=__doc__,
    tags=["iru", "servicenow", "devices"],
)
def iru_devices() -> None:
    """Extract, shape, plan, load each feed, settle."""
    folder = tasks.prepare("devices", [feed.name for feed in FEEDS])
    planned = tasks.plan(tasks.shape(tasks.extract(folder)))
    loads = load_tasks(FEEDS, planned)
    planned >> loads >> tasks.settle(folder, {load.label: load.task_id for load in loads})


iru_devices()
