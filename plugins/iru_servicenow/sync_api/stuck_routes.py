"""Routes of the rows that did not arrive."""

from typing import Annotated

from fastapi import APIRouter, Depends

from include.insight.paging import EMPTY, Asked
from include.insight.search import Search
from include.insight.stuck import Filter, stuck
from include.insight.stuck_detail import detail, summary
from iru_servicenow.sync_api.access import ReadsAny, refuse_feed
from iru_servicenow.sync_api.answers import Json
from iru_servicenow.sync_api.bodies import RowName, Stuck
from iru_servicenow.sync_api.empty import no_rows, or_empty
from iru_servicenow.sync_api.guard import body_of

router = APIRouter()


@router.post("/{pair}/stuck")
def post_stuck(mine: ReadsAny, body: Annotated[Stuck, Depends(body_of(Stuck))]) -> Json:
    """Return rows that wait."""
    if body.feed:
        refuse_feed(mine, body.feed)
    wanted = Filter(body.kind, body.feed, body.verdict, Search(body.search or ""), newest_first=body.sort == "newest")
    page = or_empty(mine, lambda scope: stuck(scope, wanted, Asked(body.cursor, body.limit)), EMPTY)
    return Json(page.to_json())


@router.get("/{pair}/stuck/summary")
def get_summary(mine: ReadsAny) -> Json:
    """Return the most frequent messages."""
    return Json({"groups": or_empty(mine, summary, no_rows())})


@router.post("/{pair}/stuck/row")
def post_row(mine: ReadsAny, body: Annotated[RowName, Depends(body_of(RowName))]) -> Json:
    """Return all that is known of one row."""
    refuse_feed(mine, body.feed)
    with mine.scope() as scope:
        return Json(detail(scope, body.feed, body.key))
