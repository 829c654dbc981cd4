"""Links on tasks in Airflow's UI: to the pages that a run leaves, and to its import sets in ServiceNow."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink, XComArg
from airflow.sdk.configuration import conf

from include.inventory.run_folder import RunFolder
from include.inventory.settings import storage_root
from include.loading.frames import frame_parts
from include.loading.receipts import Receipts
from iru_servicenow.hooks.servicenow import ServiceNowHook
from iru_servicenow.storage import storage_path

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PREFIX = "iru-servicenow"
MOST_SETS = 50
"""More import sets than an address holds are not listed one by one."""


class PageLink(BaseOperatorLink):
    """Leads to one page of the task's run; no link where the run has left none."""

    def __init__(self, name: str, page: str) -> None:
        self._name = name
        self._page = page

    @property
    def name(self) -> str:
        """What the button says."""
        return self._name

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the link of a task instance."""
        return f"_link_{self._page.replace('.', '_')}"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Return the page's address, in the worker, once the task has ended."""
        path = RunFolder(storage_path(storage_root()) / "runs" / ti_key.dag_id / ti_key.run_id).root / self._page
        if not path.exists():
            return ""
        root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return f"{root}/{PREFIX}/runs/{quote(ti_key.dag_id, safe='')}/{quote(ti_key.run_id, safe='')}/{self._page}"


class ImportSetsLink(BaseOperatorLink):
    """Leads to the import sets of a load task in ServiceNow."""

    name = "Import sets in ServiceNow"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Return the address of ServiceNow's list, in the worker, once the task has ended; "" for nothing sent."""
        frame_uri, conn_id = getattr(operator, "frame_uri", ""), getattr(operator, "servicenow_conn_id", "")
        if not isinstance(frame_uri, str) or not frame_uri:
            return ""
        verdicts = [Receipts(path).read_verdicts() for path in frame_parts(storage_path(frame_uri))]
        sets = sorted({name for told in verdicts for name in told["import_set"].dropna()} - {""})
        if not sets:
            return ""
        listed = ",".join(sets[:MOST_SETS])
        query = f"sys_idIN{listed}^ORnumberIN{listed}"  # bulk loads tell the one, single rows the other
        target = f"sys_import_set_list.do?sysparm_query={query}"
        return f"{ServiceNowHook(conn_id).settings.base_url}/nav_to.do?uri={quote(target, safe='')}"


def link(task: XComArg, *links: BaseOperatorLink) -> XComArg:
    """Give a task of the TaskFlow API links of its own, and return it."""
    operator: Any = task.operator  # type: ignore[attr-defined]  # what a task function returns is a PlainXComArg
    operator.operator_extra_links = tuple(links)
    return task


REPORT = PageLink("Report", "report.html")
PROBLEMS = PageLink("Problems (CSV)", "problems.csv")
PLAN = PageLink("Plan", "plan.html")
PREFLIGHT = PageLink("Set-up check", "preflight.html")
RECONCILE = PageLink("Reconciliation", "reconcile.html")
