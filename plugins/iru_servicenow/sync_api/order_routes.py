"""Routes of orders: the only ones that write, into the ledger's database and into Airflow's audit log."""

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Depends, HTTPException

from include.errors import SetupWrong
from include.insight.order_list import orders
from include.insight.paging import DEFAULT_ROWS, EMPTY, Asked
from include.insight.scope import dag_of
from include.inventory.database import open_database
from include.inventory.orders import Orders
from iru_servicenow.sync_api.access import Access, ReadsAny, Writes, refuse_feed
from iru_servicenow.sync_api.answers import Json
from iru_servicenow.sync_api.audit_log import entry
from iru_servicenow.sync_api.bodies import NewOrders
from iru_servicenow.sync_api.empty import or_empty
from iru_servicenow.sync_api.guard import body_of
from iru_servicenow.sync_api.run_routes import Cursor, Limit

router = APIRouter()

WAIT_S = 10.0
"""How long an order waits for a run that is writing; a person tries again."""


@router.post("/{pair}/orders")
def post_orders(mine: Writes, body: Annotated[NewOrders, Depends(body_of(NewOrders))], session: SessionDep) -> Json:
    """Order something for some rows; what cannot be noted in Airflow's audit log is not ordered."""
    refuse_feed(mine, body.feed, writes=True)
    dag_id = dag_of(mine.settings, mine.mapping.feeds[body.feed].source)
    about: dict[str, str | int] = {"pair": mine.settings.pair, "feed": body.feed, "action": body.action}
    session.add(entry(dag_id=dag_id, user=mine.user, about=about | {"rows": len(set(body.keys))}))
    session.flush()
    return Json({"placed": _place(mine, body), "starts_with": dag_id})


@router.get("/{pair}/orders")
def get_orders(mine: ReadsAny, cursor: Cursor = None, limit: Limit = DEFAULT_ROWS) -> Json:
    """Return orders, newest first."""
    return Json(or_empty(mine, lambda scope: orders(scope, Asked(cursor, limit)), EMPTY).to_json())


def _place(mine: Access, body: NewOrders) -> int:
    with mine.scope() as scope:
        scope.reader.check()  # orders are for a ledger that is there; they make none
    engine = open_database(mine.settings.ledger, wait_s=WAIT_S)
    try:
        placing = Orders.on(engine, mine.pair)
        return placing.place(body.feed, body.keys, action=body.action, by=mine.user, reason=body.reason)
    except SetupWrong as error:
        raise HTTPException(422, str(error)) from None
    finally:
        engine.dispose()  # the API server lives for weeks, and orders are few
