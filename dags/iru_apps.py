"""
### Applications and their usage: Iru Endpoint → ServiceNow

Brings every installed app into `cmdb_sam_sw_install`, nightly; only what changed is sent. An app that Iru no longer
lists is sent once more with `active` = `false`, and never deleted. Where a tenant sends last-opened dates, ServiceNow's
own nightly job fills `samp_sw_usage` from them. Needs SAM Pro.

| task | does | when it is red |
|---|---|---|
| `prepare` | checks params, mapping and connections, without a request | the message names what to correct |
| `extract` | fetches Prism `apps` and Prism's own count | Iru is down, or the extract is not whole: run it again |
| `shape` | validates and reshapes the rows, keeps rejects with reasons | a defect: keep the run's folder |
| `plan` | compares with the ledger, holds apps whose computer is not in ServiceNow yet | the message says why |
| `load.apps` | sends what changed and reads every row's verdict | ServiceNow is down, or the set-up is wrong |
| `settle` | takes verdicts into the ledger, writes `report.json` | planned rows were not sent: see the load task |

**Running it again is always safe**: rows coalesce on `instance_key`, and a cleared load goes on where it was. Many
`held` rows mean that `iru_devices` has to run first. Trigger with `{"mode": "plan"}` to see what would be sent.
The run's files lie under `<storage root>/runs/iru_apps/<run id>/`; the table in `settle`'s log sums them up.
"""

from datetime import UTC, datetime

from airflow.sdk import dag
from iru_servicenow import tasks
from iru_servicenow.wiring import default_args, load_tasks, params

from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings

SETTINGS = Settings.from_environment()
FEEDS = list(load_mapping(SETTINGS.mapping).of_source("apps"))


@dag(
    dag_display_name="Iru applications → ServiceNow",
    description="Installed applications and their usage from Iru Endpoint into ServiceNow's software installs",
    schedule=SETTINGS.apps_schedule,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=params([feed.name for feed in FEEDS], SETTINGS, devices=False),
    default_args=default_args(SETTINGS),
    doc_md=__doc__,
    tags=["iru", "servicenow", "apps"],
)
def iru_apps() -> None:
    """Extract, shape, plan, load each feed, settle."""
    folder = tasks.prepare("apps", [feed.name for feed in FEEDS])
    planned = tasks.plan(tasks.shape(tasks.extract(folder)))
    loads = load_tasks(FEEDS, planned)
    planned >> loads >> tasks.settle(folder, {load.label: load.task_id for load in loads})


iru_apps()
