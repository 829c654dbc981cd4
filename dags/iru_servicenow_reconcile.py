"""
### Reconciliation: do Iru, the ledger and ServiceNow agree?

Compares, by key and field, what Iru lists, what the ledger believes that ServiceNow holds, and what ServiceNow's tables
really hold. Runs weekly, and whenever somebody has changed records by hand or a ledger was lost.

| task | does | when it is red |
|---|---|---|
| `compare` | reads all sides, names each difference, repairs if asked | a service is down, or a flow is under way |

| drift | means |
|---|---|
| `missing` | Iru lists a row, ServiceNow does not have it |
| `different` | a field holds something else |
| `unknown_user` | the assigned user is not in `sys_user` |
| `orphaned` | ServiceNow has a record that Iru does not list |
| `left_by_move` | an MDM record of a blueprint that its device has left |
| `duplicated` | several records have one key |

It is green with drift too: the page (button *Reconciliation*) tells. `mended by` says who mends a row: the *next run*
of the flow, a *repair* (param `repair`: the ledger learns what ServiceNow really holds, so that the next run sends the
row again), or *a person*. Nothing is ever written to ServiceNow's tables or deleted there. After the loss of a ledger,
`{"rebuild_ledger": true}` saves a full resend.
"""

from airflow.sdk import DAG, dag
from iru_servicenow import reconcile
from iru_servicenow.assets import table
from iru_servicenow.each_pair import each_pair
from iru_servicenow.links import RECONCILE, link
from iru_servicenow.wiring import alarms, common

from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings


def build(settings: Settings) -> DAG:
    """Return the DAG of one pair of tenant and instance."""
    feeds = load_mapping(settings.mapping).feeds

    @dag(
        dag_id=settings.named("iru_servicenow_reconcile"),
        dag_display_name=settings.titled("Reconciliation: Iru, ledger, ServiceNow"),
        description="Names every difference between Iru, the ledger and ServiceNow; repairs the ledger by choice",
        schedule=settings.reconcile_schedule,
        params=reconcile.params(list(feeds)),
        **common(settings),
        doc_md=__doc__,
        **alarms(settings),
        tags=["iru", "servicenow", "set-up", *settings.tags],
    )
    def check() -> None:
        """Compare all sides."""
        sources = list(dict.fromkeys(feed.source for feed in feeds.values()))
        # That the tables are named here, too, makes them known to Airflow before loads that end together tell of them.
        reads = [table(feed, settings) for feed in feeds.values()]
        link(reconcile.compare.override(inlets=reads)(settings.pair, sources), RECONCILE)

    return check()


each_pair("iru_servicenow_reconcile", build)
