"""One sandbox with both services, and a write to each of them whose effect can be seen."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import requests

from include.sandbox.faults.plan import FaultPlan
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

MDM = "x_kandj_kandji_kandji_import_set_mdm"
SPEC = SandboxSpec(fleet=FleetSpec(devices=5, apps_per_device=2), switches={"iru.rate_limit": False})


@dataclass
class Service:
    """One service as a client sees it; every write leaves a mark of its own."""

    url: str
    faults: FaultPlan
    session: requests.Session = field(default_factory=requests.Session)

    def write(self, timeout_s: float = 30.0, **options: Any) -> requests.Response:
        """Send one write."""
        raise NotImplementedError

    def is_done(self) -> bool:
        """Say whether the last write had its effect."""
        raise NotImplementedError

    def becomes_done(self) -> bool:
        """Say whether the last write has its effect sooner or later."""
        for _ in range(100):
            if self.is_done():
                return True
            time.sleep(0.05)
        return False

    def strike(self, kind: str, **options: Any) -> None:
        """Ask for a fault by the admin API."""
        answer = self.admin("POST", "faults", json={"kind": kind, **options})
        assert answer.status_code == 201, answer.text

    def admin(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the admin API over a connection of its own."""
        return requests.request(method, f"{self.url}/_sandbox/{path}", timeout=30, **options)

    def counters(self) -> dict[str, Any]:
        """Return what the service has seen."""
        return self.admin("GET", "counters").json()


@dataclass
class Iru(Service):
    """The tenant; a write names a device's asset tag."""

    token: str = ""
    mark: str = ""

    def write(self, timeout_s: float = 30.0, **options: Any) -> requests.Response:
        """Change the first device."""
        self.mark = uuid4().hex
        options.setdefault("json", {"asset_tag": self.mark})
        return self.call("PATCH", f"devices/{self.devices()[0]['device_id']}", timeout=timeout_s, **options)

    def is_done(self) -> bool:
        """Say whether the first device has the last mark."""
        return self.devices()[0]["asset_tag"] == self.mark

    def devices(self) -> list[dict[str, Any]]:
        """Read the devices; faults of these tests are for PATCH only, or spent."""
        return self.call("GET", "devices", timeout=30).json()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.session.request(method, f"{self.url}/api/v1/{path}", headers=headers, **options)


@dataclass
class ServiceNow(Service):
    """The instance; a write stages one row."""

    account: tuple[str, str] = ("", "")
    before: int = 0

    def write(self, timeout_s: float = 30.0, **options: Any) -> requests.Response:
        """Stage a row."""
        self.before = self.staged()
        return self.session.post(
            f"{self.url}/api/now/import/{MDM}/insertMultiple",
            auth=self.account, json={"records": [{"device id": "d-1"}]}, timeout=timeout_s, **options,
        )  # fmt: skip

    def is_done(self) -> bool:
        """Say whether exactly one row was staged since the last write was sent."""
        assert self.staged() - self.before in (0, 1)
        return self.staged() == self.before + 1

    def staged(self) -> int:
        """Return how many rows the instance has taken."""
        return self.counters()["staged_rows"].get(MDM, 0)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox for all tests here."""
    with Sandbox(SPEC) as running:
        yield running


def _iru(sandbox: Sandbox) -> Iru:
    return Iru(sandbox.iru.url, sandbox.iru_faults, token=sandbox.iru.token)


def _servicenow(sandbox: Sandbox) -> ServiceNow:
    access = sandbox.servicenow
    return ServiceNow(access.url, sandbox.servicenow_faults, account=(access.username, access.password))


@pytest.fixture(params=[_iru, _servicenow], ids=["iru", "servicenow"])
def service(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[Service]:
    """Each of both services, without faults at first."""
    yield from _without_faults(request.param(sandbox))


@pytest.fixture
def iru(sandbox: Sandbox) -> Iterator[Iru]:
    """The tenant, without faults at first."""
    yield from _without_faults(_iru(sandbox))


@pytest.fixture
def servicenow(sandbox: Sandbox) -> Iterator[ServiceNow]:
    """The instance, without faults at first."""
    yield from _without_faults(_servicenow(sandbox))


def _without_faults(service: Any) -> Iterator[Any]:
    service.faults.clear()
    with service.session:
        yield service
    service.faults.clear()
