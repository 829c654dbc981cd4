"""The guard that stops an extract which Iru's hourly quota has no room for."""

import logging
from collections.abc import Mapping

from include.errors import RunUnsafe
from include.inventory.mapping import SourceName
from include.iru.quota import ExtractMethod, Quota, predict_requests

log = logging.getLogger(__name__)

IRU_QUOTA = "iru_quota"
"""The guard's name, as the param ``lift_guards`` has it."""

APPS_EXTRACT = "IRU_SERVICENOW_APPS_EXTRACT"


def require_quota(
    quota: Quota | None,
    source: SourceName,
    counts: Mapping[str, int | None],
    *,
    method: ExtractMethod,
    lifted: bool,
) -> int | None:
    """Return how many requests the extract will take, None where that cannot be told.

    ``counts`` are the rows of each Prism category as Iru counts them. Raises RunUnsafe when less is left of the hour,
    unless the guard is lifted.
    """
    rows = dict(counts) | ({"devices": counts.get("device_information")} if source == "devices" else {})
    predicted = predict_requests(rows, method=method)
    if predicted is None or quota is None:
        log.info("Whether the extract fits Iru's hourly quota cannot be told: no count, or no headers about it.")
        return predicted
    log.info("The extract takes about %d requests; %d of %d an hour are left.", predicted, quota.remaining, quota.limit)
    if predicted <= quota.remaining:
        return predicted
    message = (
        f"The extract takes about {predicted} requests, but only {quota.remaining} of Iru's {quota.limit} an hour are "
        "left, which all API tokens of the tenant share. "
    )
    if not lifted:
        other = f"set {APPS_EXTRACT}=auto, " if source == "apps" and method == "pages" else ""
        raise RunUnsafe(
            f"{message}Nothing was extracted. Run again in the next hour, {other}or lift the guard with the param "
            f'{{"lift_guards": ["{IRU_QUOTA}"]}}.'
        )
    log.warning("%sThe guard %s is lifted: going on.", message, IRU_QUOTA)
    return predicted
