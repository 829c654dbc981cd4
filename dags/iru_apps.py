"""
### Applications and their usage: Iru Endpoint → ServiceNow

Brings every installed app into `cmdb_sam_sw_install`, nightly; only what changed is sent. An app that Iru no longer
lists is sent once more with `active` = `false`, and never deleted. Where a tenant sends last-opened dates, ServiceNow's
own nightly job fills `samp_sw_usage` from them. Needs SAM Pro.

| task | does | when it is red |
|---|---|---|
| `require_sam_pro` | asks whether the instance has SAM Pro; without it, the run is skipped | ServiceNow is down |
| `prepare` | checks params, mapping and connections | the message names what to correct, or a run that is under way |
| `extract` | fetches Prism `apps` and Prism's own count | Iru is down, or the extract is not whole: run it again |
| `extract_share` | in its place where the work is divided: some blueprints each | as `extract`; clear that instance |
| `shape` | validates and reshapes the rows, keeps rejects with reasons | a defect: keep the run's folder |
| `plan` | compares with the ledger, asks the guards, holds apps without a computer | the message says how to go on |
| `load.apps` | sends what changed and reads every row's verdict | ServiceNow is down, or the set-up is wrong |
| `settle` | takes verdicts into the ledger, writes `report.json` | planned rows were not sent: see the load task |

**Running it again is always safe**: rows coalesce on `instance_key`, and a cleared load goes on where it was. Many
`held` rows mean that `iru_devices` has to run first. A guard that struck is lifted for one run with the param
`lift_guards`, once somebody knows why so much changed. Trigger with `{"mode": "plan"}` to see what would be sent.
The run's files lie under `<storage root>/runs/iru_apps/<run id>/`; the table in `settle`'s log sums them up, and the
*Details* of `plan` and `settle` lead to their pages. *Iru → ServiceNow* in the menu shows what is stuck, and every run.
"""

from airflow.sdk import DAG, dag
from iru_servicenow import tasks
from iru_servicenow.each_pair import each_pair
from iru_servicenow.links import PLAN, PROBLEMS, REPORT, link
from iru_servicenow.wiring import alarms, common, load_tasks, params, shaped_apps

from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings


def build(settings: Settings) -> DAG:
    """Return the DAG of one pair of tenant and instance."""
    feeds = list(load_mapping(settings.mapping).of_source("apps"))
    names = [feed.name for feed in feeds]

    @dag(
        dag_id=settings.named("iru_apps"),
        dag_display_name=settings.titled("Iru applications → ServiceNow"),
        description="Installed applications and their usage from Iru Endpoint into ServiceNow's software installs",
        schedule=settings.apps_schedule,
        params=params(names, settings, devices=False),
        **common(settings),
        doc_md=__doc__,
        **alarms(settings),
        tags=["iru", "servicenow", "apps", *settings.tags],
    )
    def flow() -> None:
        """Extract, shape, plan, load each feed, settle."""
        has_sam_pro = tasks.require_sam_pro(settings.pair, names)
        folder = tasks.prepare("apps", names, settings.pair)
        planned = link(tasks.plan(shaped_apps(folder, settings)), PLAN)
        loads = load_tasks(feeds, planned, settings)
        settled = link(tasks.settle(folder, {feed: load.task_id for feed, load in loads.items()}), REPORT, PROBLEMS)
        has_sam_pro >> folder
        planned >> list(loads.values()) >> settled

    return flow()


each_pair("iru_apps", build)
