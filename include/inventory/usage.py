"""What ServiceNow's usage publisher made of the installs: read after a load, never a reason for it to fail.

Source: ServiceNow, "Aggregate API"; the Kandji integration's documentation (a nightly job fills ``samp_sw_usage`` from
the installs' ``last_used``).
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from include.errors import AnswerUnusable, PipelineError
from include.inventory.counts import count_in_servicenow
from include.inventory.run import Run, costs_of
from include.servicenow.client import ServiceNowClient
from include.servicenow.table_api import Sight, look_at
from include.servicenow.values import to_count

log = logging.getLogger(__name__)

INSTALLS, USAGE = "cmdb_sam_sw_install", "samp_sw_usage"

_OURS = "discovery_source=Kandji^active=true"


def has_sam_pro(client: ServiceNowClient) -> bool:
    """Say whether the instance has Software Asset Management Professional's tables; True where that may not be seen.

    Raises RetryLater or SetupWrong as every request does.
    """
    return look_at(client, INSTALLS) is not Sight.MISSING


def read_usage(client: ServiceNowClient) -> dict[str, Any]:
    """Return counts of active installs, of those with a last-used date, and of usage records, and the newest usage.

    ``cannot_tell`` says why something is missing instead.
    """
    try:
        installs = _aggregate(client, INSTALLS, _OURS)
        used = _aggregate(client, INSTALLS, f"{_OURS}^last_usedISNOTEMPTY")
        usage = _aggregate(client, USAGE, "reclamation_type=last_used", newest="last_used_time")
    except PipelineError as error:
        log.warning("What the usage publisher made cannot be told: %s", error)
        return {"cannot_tell": str(error)}
    return {
        "active_installs": to_count(installs.get("count", "")),
        "with_last_used": to_count(used.get("count", "")),
        "usage_records": to_count(usage.get("count", "")),
        "newest_usage": str(usage.get("max", {}).get("last_used_time", "")),
    }


def note_usage(run: Run, connect: Callable[[], ServiceNowClient], loads: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what ServiceNow holds after a run that has sent something; else nothing is asked.

    What the publisher made of an app run's installs is for its report, the feeds' active rows after a whole run are
    for the sync page.
    """
    if not any(load.get("rows") for load in loads.values()):
        return
    if run.source != "apps" and not run.is_whole:
        return
    client = connect()
    told: dict[str, Any] = {"usage": read_usage(client)} if run.source == "apps" else {}
    if run.is_whole:
        told["counts"] = count_in_servicenow(run.feeds, partial(_count, client))
    run.folder.note("usage", told | costs_of({"servicenow": client.requests}))


def _count(client: ServiceNowClient, table: str, query: str) -> int:
    text = str(_aggregate(client, table, query).get("count", ""))
    if not text:
        raise AnswerUnusable(f"GET /api/now/stats/{table} answered without a count.")
    return to_count(text)


def _aggregate(client: ServiceNowClient, table: str, query: str, *, newest: str = "") -> dict[str, Any]:
    greatest = {"sysparm_max_fields": newest} if newest else {}
    body, _ = client.get(f"stats/{table}", sysparm_count="true", sysparm_query=query, **greatest)
    result = body.get("result") if isinstance(body, dict) else None
    stats = result.get("stats") if isinstance(result, dict) else None
    if not isinstance(stats, dict):
        raise AnswerUnusable(f"GET /api/now/stats/{table} answered without 'stats'.")
    return stats
