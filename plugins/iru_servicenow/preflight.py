"""The set-up check as a task: open both services of a pair, ask everything, keep and show the answers."""

import logging
from typing import Any

import pandas as pd
from airflow.sdk import Param, task
from airflow.sdk.exceptions import AirflowFailException

from include.errors import PipelineError
from include.inventory.mapping import FeedMapping, load_mapping
from include.inventory.run_folder import RunFolder
from include.inventory.settings import Settings
from include.iru.client import IruClient
from include.preflight.check import check_all
from include.preflight.finding import failing
from include.preflight.show import summary, to_json, to_page, to_text
from include.preflight.subject import Subject, read_fleet
from include.storage import write_bytes, write_json
from iru_servicenow.storage import storage_path
from iru_servicenow.under_way import iru_hook, servicenow_hook

log = logging.getLogger(__name__)

PARAMS = {
    "fleet": Param(
        True,
        type="boolean",
        title="Read the fleet",
        description="Read all devices, to see whether keys are unique and users are known; nothing is sent.",
    ),
    "show_users": Param(
        False,
        type="boolean",
        title="Show users",
        description="Name assigned users whom ServiceNow does not know by their address instead of a digest.",
    ),
}


@task
def check_set_up(pair_name: str, **context: Any) -> dict[str, Any]:
    """Ask both services everything that a run depends on; fail when something would lose data."""
    settings, params = Settings.of_pair(pair_name), context["params"]
    folder = RunFolder(storage_path(settings.storage) / "runs" / context["ti"].dag_id / context["run_id"])
    mapping, iru = load_mapping(settings.mapping), iru_hook(settings).get_conn()
    subject = Subject(
        iru=iru,
        servicenow=servicenow_hook(settings).get_conn(),
        mapping=mapping,
        fleet=_fleet(iru, mapping, folder) if params["fleet"] else None,
        show_users=bool(params["show_users"]),
    )
    findings = check_all(subject)
    write_json(folder.root / "preflight.json", to_json(findings))
    write_bytes(folder.page("preflight"), to_page(findings))
    log.info("\n%s\nPage: %s", to_text(findings), folder.page("preflight"))
    if failing(findings):
        raise AirflowFailException(f"{summary(findings)} The table is in this task's log and in {folder.root}.")
    return {"page": str(folder.page("preflight")), "summary": summary(findings)}


def _fleet(iru: IruClient, mapping: FeedMapping, folder: RunFolder) -> dict[str, pd.DataFrame] | None:
    """Read the fleet; where that fails, the checks say why, and those that need it cannot tell."""
    try:
        return read_fleet(iru, mapping, folder.root)
    except PipelineError as error:
        log.warning("The fleet cannot be read: %s", error)
        return None
