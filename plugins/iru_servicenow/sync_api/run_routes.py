"""Routes of runs, and of what they made day by day."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from include.insight.paging import DEFAULT_ROWS, EMPTY, MOST_ROWS, Asked
from include.insight.runs import MOST_DAYS, days, latency, runs
from iru_servicenow.sync_api.access import ReadsAny
from iru_servicenow.sync_api.answers import Json
from iru_servicenow.sync_api.empty import no_rows, or_empty

router = APIRouter()

Cursor = Annotated[str | None, Query(max_length=2000)]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Days = Annotated[int, Query(alias="days", ge=1, le=MOST_DAYS)]


@router.get("/{pair}/runs")
def get_runs(
    mine: ReadsAny,
    flow: Literal["devices", "apps", ""] = "",
    cursor: Cursor = None,
    limit: Limit = DEFAULT_ROWS,
) -> Json:
    """Return runs, newest first."""
    page = or_empty(mine, lambda scope: runs(scope, Asked(cursor, limit), flow=flow), EMPTY)
    return Json(page.to_json())


@router.get("/{pair}/days")
def get_days(mine: ReadsAny, days_: Days = 30) -> Json:
    """Return what each day's runs made."""
    return Json({"days": or_empty(mine, lambda scope: days(scope, days_), no_rows())})


@router.get("/{pair}/latency")
def get_latency(mine: ReadsAny, days_: Days = 30) -> Json:
    """Return how long changes took, day by day."""
    return Json({"days": or_empty(mine, lambda scope: latency(scope, days_), no_rows())})
