"""Routes of the pairs, the overview, the fleet and the set-up check."""

import logging
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Request

from include.errors import SetupWrong
from include.insight.errors import NoLedger, OtherForm
from include.insight.fleet import fleet, nothing, titles
from include.insight.overview import blank, overview
from include.insight.paging import EMPTY, Asked
from include.insight.scope import DAGS, PREFLIGHT, RECONCILE, dag_of
from include.insight.search import Search
from include.insight.setup import setup
from include.inventory.ledger_tables import Pair
from include.inventory.settings import Settings, pair_names
from iru_servicenow.storage import storage_path
from iru_servicenow.sync_api.access import NAMELESS, Access, ReadsAny, ReadsApps, ReadsSetup, access_of
from iru_servicenow.sync_api.answers import Json
from iru_servicenow.sync_api.bodies import Titles
from iru_servicenow.sync_api.empty import or_empty
from iru_servicenow.sync_api.guard import body_of

log = logging.getLogger(__name__)
router = APIRouter()


@router.get("/pairs")
def get_pairs(request: Request, user: GetUserDep) -> Json:
    """Return the pairs of which the caller may read something."""
    found, wrong = [], None
    for name in pair_names():
        try:
            mine = access_of(Settings.of_pair(name), request, user)
        except SetupWrong as error:
            log.warning("A pair is left out of the sync page: %s", error)
            wrong = error
            continue
        if mine.readable or mine.reads_setup:
            found.append(_pair(mine))
    if not found and wrong:
        raise wrong
    if not found:
        raise HTTPException(403, "You may read no DAG of this integration. Ask the people who run this Airflow for it.")
    return Json({"user": user.get_name(), "pairs": found})


@router.get("/{pair}/overview")
def get_overview(mine: ReadsAny) -> Json:
    """Return the overview; a grey one where nothing is known yet, whatever the reason."""
    try:
        with mine.scope() as scope:
            return Json(overview(scope))
    except (NoLedger, OtherForm, SetupWrong) as error:
        return Json(blank(mine.settings, mine.mapping, mine.readable, str(error)))


@router.get("/{pair}/fleet")
def get_fleet(mine: ReadsAny) -> Json:
    """Return the fleet's facts, and what its apps are in all."""
    return Json(or_empty(mine, fleet, nothing()))


@router.post("/{pair}/titles")
def post_titles(mine: ReadsApps, body: Annotated[Titles, Depends(body_of(Titles))]) -> Json:
    """Return titles of apps."""
    asked, search = Asked(body.cursor, body.limit), Search(body.search or "")
    return Json(or_empty(mine, lambda scope: titles(scope, search, asked, sort=body.sort), EMPTY).to_json())


@router.get("/{pair}/setup")
def get_setup(mine: ReadsSetup) -> Json:
    """Return the last set-up check."""
    return Json(setup(storage_path(mine.settings.storage) / "runs", mine.settings.named(PREFLIGHT)))


def _pair(mine: Access) -> dict[str, Any]:
    settings = mine.settings
    return {
        "name": settings.pair or NAMELESS,
        "title": settings.titled("Iru → ServiceNow"),
        **_addresses(mine),
        "max_attempts": settings.max_attempts,
        "flows": {name: feed.source for name, feed in mine.mapping.feeds.items()},
        "dags": {flow: dag_of(settings, flow) for flow in DAGS}
        | {"preflight": settings.named(PREFLIGHT), "reconcile": settings.named(RECONCILE)},
        "may": {f"read_{flow}": flow in mine.readable for flow in DAGS}
        | {f"write_{flow}": flow in mine.writable for flow in DAGS}
        | {"read_setup": mine.reads_setup},
    }


def _addresses(mine: Access) -> dict[str, str]:
    """Return where both services are; empty while a connection is missing, which the overview says."""
    try:
        pair = mine.pair
    except SetupWrong:
        pair = Pair("", "")
    return {"iru": pair.source, "servicenow": pair.target}
