"""Who may see and do what: a person's rights on a pair's DAGs, as Airflow's own auth manager tells them.

Source: Airflow's ``core_api.security``, whose checks these are.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.sdk.configuration import conf
from fastapi import Depends, HTTPException, Request

from include.insight.reader import BUDGET_S, Reader
from include.insight.scope import FLOWS, PREFLIGHT, Scope, dag_of
from include.inventory.ledger_tables import Pair
from include.inventory.mapping import FeedMapping, load_mapping
from include.inventory.settings import Settings, pair_names
from iru_servicenow.under_way import pair as pair_of

NAMELESS = "-"
"""What the only pair is called in an address."""

PAGES = "iru-servicenow/runs"


@dataclass(frozen=True, slots=True)
class Access:
    """A pair, and what the caller may do with it: flows to read, flows to give orders for, the set-up check."""

    settings: Settings
    readable: frozenset[str]
    writable: frozenset[str]
    reads_setup: bool
    user: str

    @property
    def mapping(self) -> FeedMapping:
        """The pair's mapping."""
        return load_mapping(self.settings.mapping)

    @property
    def pair(self) -> Pair:
        """The base URLs of both connections, without a request; SetupWrong where one is missing."""
        return pair_of(self.settings)

    @contextmanager
    def scope(self) -> Iterator[Scope]:
        """Open the pair's ledger as the caller may see it."""
        with Reader(self.settings.ledger, self.pair, budget_s=BUDGET_S) as reader:
            yield Scope(reader, self.settings, self.mapping, self.readable, self.writable, pages_address())


def pages_address() -> str:
    """Return the address of the pages of runs, from the server's root."""
    root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{root}/{PAGES}"


def settings_of(name: str) -> Settings:
    """Return the settings of a pair as an address names it; 404 where there is none."""
    known = pair_names()
    wanted = "" if name == NAMELESS else name
    if wanted not in known:
        raise HTTPException(404, "There is no pair of that name. Open the page without one.")
    return Settings.of_pair(wanted)


def access_of(settings: Settings, request: Request, user: GetUserDep) -> Access:
    """Return what a person may do with a pair."""

    def may(dag_id: str, method: Literal["GET", "POST"], entity: DagAccessEntity | None = None) -> bool:
        try:
            requires_access_dag(method, entity, dag_id)(request, user)
        except HTTPException as error:
            if error.status_code != 403:
                raise
            return False
        return True

    dags = {flow: dag_of(settings, flow) for flow in FLOWS}
    readable = frozenset(flow for flow, dag_id in dags.items() if may(dag_id, "GET"))
    writable = frozenset(flow for flow in readable if may(dags[flow], "POST", DagAccessEntity.RUN))
    reads_setup = may(settings.named(PREFLIGHT), "GET")
    return Access(settings, readable, writable, reads_setup, user.get_name())


def access(pair: str, request: Request, user: GetUserDep) -> Access:
    """Return what the caller may do with the pair that an address names (a dependency of every route of a pair)."""
    return access_of(settings_of(pair), request, user)


def _needs(holds: Callable[[Access], bool], right: str) -> Callable[[Access], Access]:
    def check(found: Annotated[Access, Depends(access)]) -> Access:
        if not holds(found):
            raise HTTPException(403, f"You need the right to {right}. Ask the people who run this Airflow for it.")
        return found

    return check


ReadsAny = Annotated[
    Access, Depends(_needs(lambda found: bool(found.readable), "read the DAG iru_devices or iru_apps of this pair"))
]
ReadsDevices = Annotated[
    Access, Depends(_needs(lambda found: "devices" in found.readable, "read the DAG iru_devices of this pair"))
]
ReadsApps = Annotated[
    Access, Depends(_needs(lambda found: "apps" in found.readable, "read the DAG iru_apps of this pair"))
]
ReadsSetup = Annotated[
    Access, Depends(_needs(lambda found: found.reads_setup, f"read the DAG {PREFLIGHT} of this pair"))
]
ReadsSomething = Annotated[
    Access, Depends(_needs(lambda found: found.reads_setup or bool(found.readable), "read a DAG of this pair"))
]
Writes = Annotated[
    Access, Depends(_needs(lambda found: bool(found.writable), "trigger runs of the DAG iru_devices or iru_apps"))
]


def refuse_feed(found: Access, feed: str, *, writes: bool = False) -> None:
    """Answer 403 where the caller may not read, or not order, rows of a feed; 422 where there is no such feed."""
    feeds = found.mapping.feeds
    if feed not in feeds:
        raise HTTPException(422, f"There is no such feed. There are: {', '.join(feeds)}.")
    flow = feeds[feed].source
    if flow not in (found.writable if writes else found.readable):
        right = "trigger runs of" if writes else "read"
        raise HTTPException(403, f"You need the right to {right} the DAG {dag_of(found.settings, flow)}.")
