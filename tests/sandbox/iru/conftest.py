"""Real servers of the Iru tenant, and a client that knows nothing but the documented API."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from include.sandbox.faults.plan import FaultPlan
from include.sandbox.fleet import Fleet, FleetSpec, generate_fleet
from include.sandbox.iru import IruSettings, IruSwitches, create_app
from include.sandbox.server import Server

TOKEN = "11111111-2222-4333-8444-555555555555"
SPEC = FleetSpec(devices=400, apps_per_device=8, seed=11)


@dataclass
class Api:
    """One tenant as a client sees it."""

    url: str
    token: str = TOKEN

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request with the token, and follow nothing."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        url = path if path.startswith("http") else self.url + (path if path[:2] == "/_" else "/api/v1" + path)
        return requests.request(method, url, headers=headers, timeout=30, allow_redirects=False, **options)

    def get(self, path: str, **params: Any) -> requests.Response:
        """Read ``path``."""
        return self.call("GET", path, params=params)

    def json(self, path: str, **params: Any) -> Any:
        """Read ``path``, which must succeed."""
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def change(self, **counts: int) -> dict[str, Any]:
        """Change the fleet."""
        answer = self.call("POST", "/_sandbox/fleet/change", json=counts)
        assert answer.status_code == 200, answer.text
        return answer.json()["changes"]

    def switch(self, **switches: Any) -> None:
        """Change switches."""
        answer = self.call("PATCH", "/_sandbox/switches", json=switches)
        assert answer.status_code == 200, answer.text

    def prism(self, category: str, **params: Any) -> list[dict[str, Any]]:
        """Read all pages of a category by cursor."""
        rows, cursor = [], ""
        while cursor is not None:
            page = self.json(f"/prism/{category}", **{"limit": 300} | params, cursor=cursor)
            rows += page["data"]
            cursor = page["cursor"] if page["data"] else None
        return rows


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    """The fleet that every tenant of these tests starts with."""
    return generate_fleet(SPEC)


@pytest.fixture(scope="session")
def api(fleet: Fleet) -> Iterator[Api]:
    """A tenant that tests only read, without rate limits."""
    switches = IruSwitches(rate_limit=False)
    settings = IruSettings(spec=SPEC, fleet=fleet, token=TOKEN, switches=switches)
    with Server(create_app(settings)) as server:
        yield Api(server.url)


@pytest.fixture
def start(fleet: Fleet) -> Iterator[Callable[..., Api]]:
    """Start tenants of a test's own, by default with the shared fleet and without rate limits."""
    with ExitStack() as servers:

        def start_one(**options: Any) -> Api:
            switches = IruSwitches(**{"rate_limit": False} | options.pop("switches", {}))
            given = {"spec": SPEC, "fleet": fleet, "token": TOKEN} | options
            return Api(servers.enter_context(Server(create_app(IruSettings(switches=switches, **given)))).url)

        yield start_one


@dataclass
class FaultyApi(Api):
    """A tenant that can be asked for faults."""

    plan: FaultPlan = field(kw_only=True)

    def fault(self, kind: str, **options: Any) -> None:
        """Ask for a fault."""
        self.plan.add({"kind": kind} | options)

    def struck(self) -> list[str]:
        """Return the subjects of all strikes so far."""
        return [strike["subject"] for strike in self.plan.snapshot()["strikes"]]


@pytest.fixture
def faulty(fleet: Fleet) -> Iterator[Callable[..., FaultyApi]]:
    """Start tenants of a test's own that take faults, with the shared fleet and without rate limits."""
    with ExitStack() as servers:

        def start_one(**switches: Any) -> FaultyApi:
            chosen = IruSwitches(**{"rate_limit": False} | switches)
            app = create_app(IruSettings(spec=SPEC, fleet=fleet, token=TOKEN, switches=chosen))
            return FaultyApi(servers.enter_context(Server(app)).url, plan=app.state.tenant.faults)

        yield start_one
