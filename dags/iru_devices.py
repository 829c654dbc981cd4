"""
### Devices: Iru Endpoint → ServiceNow

Brings every Apple device of the tenant into `cmdb_ci_computer` and `x_kandj_kandji_mdm`; only what changed is sent.
The whole fleet by schedule (hourly), and in between exactly the devices that changed, whenever the watcher in the
triggerer asks for it: these runs are of the type *asset triggered*, and say nothing about other devices.

| task | does | when it is red |
|---|---|---|
| `prepare` | checks params, mapping and connections | the message names what to correct, or a run that is under way |
| `extract` | fetches all devices, or those that changed | Iru is down, or the token lacks a permission |
| `shape` | validates and reshapes the rows, keeps rejects with reasons | a defect: keep the run's folder |
| `plan` | compares with the ledger, asks the guards | a guard or a wrong set-up: the message says how to go on |
| `load.computer`, `load.mdm` | send what changed, read each verdict | ServiceNow is down, or the set-up is wrong |
| `settle` | takes verdicts into the ledger, writes `report.json` | planned rows were not sent: see the load tasks |

**Running it again is always safe**: rows coalesce on their keys, and a cleared load goes on where it was. Rows that
ServiceNow refused are sent again with the next run. A guard that struck is lifted for one run with the param
`lift_guards`, once somebody knows why so much changed. Trigger with `{"mode": "plan"}` to see what would be sent.
The run's files lie under `<storage root>/runs/iru_devices/<run id>/`; the table in `settle`'s log sums them up, and the
*Details* of `plan` and `settle` lead to their pages. *Iru → ServiceNow* in the menu shows what is stuck, and every run.
No runs between the schedules although devices change? The triggerer's log says what the watcher waits for; the next
full run carries everything in any case.
"""

from airflow.sdk import DAG, dag
from iru_servicenow import tasks
from iru_servicenow.each_pair import each_pair
from iru_servicenow.links import PLAN, PROBLEMS, REPORT, link
from iru_servicenow.watch import devices_schedule
from iru_servicenow.wiring import alarms, common, load_tasks, params, reads

from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings


def build(settings: Settings) -> DAG:
    """Return the DAG of one pair of tenant and instance."""
    feeds = list(load_mapping(settings.mapping).of_source("devices"))
    names = [feed.name for feed in feeds]

    @dag(
        dag_id=settings.named("iru_devices"),
        dag_display_name=settings.titled("Iru devices → ServiceNow"),
        description="Apple devices from Iru Endpoint into ServiceNow's computers and MDM records",
        schedule=devices_schedule(settings),
        params=params(names, settings, devices=True),
        **common(settings),
        doc_md=__doc__,
        **alarms(settings),
        tags=["iru", "servicenow", "devices", *settings.tags],
    )
    def flow() -> None:
        """Extract, shape, plan, load each feed, settle."""
        folder = tasks.prepare("devices", names, settings.pair)
        pages = tasks.extract.override(**reads("devices", settings))(folder)
        planned = link(tasks.plan(tasks.shape(pages)), PLAN)
        loads = load_tasks(feeds, planned, settings)
        settled = link(tasks.settle(folder, {feed: load.task_id for feed, load in loads.items()}), REPORT, PROBLEMS)
        planned >> list(loads.values()) >> settled

    return flow()


each_pair("iru_devices", build)
