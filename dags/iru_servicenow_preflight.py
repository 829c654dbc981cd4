"""
### Set-up check: is everything ready between Iru Endpoint and ServiceNow?

Trigger it before the first load, after every change of the set-up, and when a run fails for no plain reason. It writes
to neither service.

| task | does | when it is red |
|---|---|---|
| `check_set_up` | asks both services, logs a table of ✔, ✘ and ? | a line with ✘! would lose data: do what it says |

It looks at the token and each permission, region and quota; the OAuth grant, roles and rights, the account's time zone,
SAM Pro, rate limits and payload limit; each staging table, column, label and length; names or labels as keys; transform
maps, whether they are active and whether their coalesce fields tell this fleet's rows apart; the discovery source; and
the assigned users that ServiceNow does not know. A `?` means that the account has no right to look; the line says
where.

The table also lies in the run's folder, as `preflight.json` and `preflight.html`. Without a scheduler:
`make preflight`.
"""

from airflow.sdk import DAG, dag
from iru_servicenow import preflight
from iru_servicenow.each_pair import each_pair
from iru_servicenow.links import PREFLIGHT, link
from iru_servicenow.wiring import common

from include.inventory.settings import Settings


def build(settings: Settings) -> DAG:
    """Return the DAG of one pair of tenant and instance."""

    @dag(
        dag_id=settings.named("iru_servicenow_preflight"),
        dag_display_name=settings.titled("Set-up check: Iru → ServiceNow"),
        description="Whether token, account, staging tables and transform maps are ready; nothing is written",
        schedule=None,
        params=preflight.PARAMS,
        **common(settings),
        doc_md=__doc__,
        tags=["iru", "servicenow", "set-up", *settings.tags],
    )
    def check() -> None:
        """Check the set-up."""
        link(preflight.check_set_up(settings.pair), PREFLIGHT)

    return check()


each_pair("iru_servicenow_preflight", build)
