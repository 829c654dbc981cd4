"""A watcher over a sandbox's tenant, with a clock of its own, and the flow that its events start."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from factories import MAPPING
from instance import settings as account

from bench.flow import Flow
from include.detection.cadence import Cadence
from include.detection.detector import Detector, Poll
from include.detection.memory import Memory
from include.detection.queue import Queue
from include.detection.tables import WatchTables
from include.inventory.ledger import Pair
from include.iru.client import IruClient, IruSettings
from include.loading.spec import LoadSpec
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.web.retry import RetryPolicy

QUICK = RetryPolicy(attempts=2, sleep=lambda _: None)
SWITCHES = {"iru.rate_limit": False, "servicenow.transform_pickup_delay_s": 0.0}


@dataclass
class Watch:
    """One tenant, what is remembered of it, and watchers whose time passes only when they are told."""

    sandbox: Sandbox
    folder: Path
    now_s: float = 1_000_000.0
    devices: list[str] = field(default_factory=list)

    @property
    def tables(self) -> WatchTables:
        """The watcher's tables, in a ledger of this test's own."""
        pair = Pair(self.sandbox.iru.url, self.sandbox.servicenow.url)
        return WatchTables(f"sqlite:///{self.folder}/ledger.sqlite", pair)

    @property
    def queue(self) -> Queue:
        """The changed devices as runs take them."""
        return Queue(self.tables, now_s=lambda: self.now_s)

    def detector(self, holder: str = "a", token: str = "", **options: Any) -> Detector:
        """Return a watcher as a triggerer starts it."""
        settings = IruSettings(self.sandbox.iru.url, token or self.sandbox.iru.token)
        return Detector(
            connect=lambda: IruClient(settings, retry=QUICK),
            memory=Memory(self.tables, holder, now_s=lambda: self.now_s),
            mapping=MAPPING,
            now_s=lambda: self.now_s,
            **({"cadence": Cadence()} | options),
        )

    def poll(self, detector: Detector, *, after_s: float = 16.0) -> Poll:
        """Let time pass and look once."""
        self.now_s += after_s
        return detector.poll()

    def change(self, device_id: str, **body: Any) -> None:
        """Edit a device as an administrator of Iru does."""
        url = f"{self.sandbox.iru.url}/api/v1/devices/{device_id}"
        requests.patch(url, json=body, headers=self._bearer(), timeout=10).raise_for_status()

    def delete(self, device_id: str) -> None:
        """Delete a device in Iru."""
        url = f"{self.sandbox.iru.url}/api/v1/devices/{device_id}"
        requests.delete(url, headers=self._bearer(), timeout=10).raise_for_status()

    def change_fleet(self, **counts: int) -> dict[str, Any]:
        """Change some devices at random; return the ids by kind of change."""
        url = f"{self.sandbox.iru.url}/_sandbox/fleet/change"
        answer = requests.post(url, json=counts, timeout=60)
        answer.raise_for_status()
        return dict(answer.json()["changes"])

    def ids(self) -> list[str]:
        """Return the ids of all devices, in the tenant's order."""
        url = f"{self.sandbox.iru.url}/api/v1/devices"
        return [row["device_id"] for row in requests.get(url, headers=self._bearer(), timeout=10).json()]

    def asked(self) -> dict[str, int]:
        """Return how often the tenant was asked what, since it started."""
        url = f"{self.sandbox.iru.url}/_sandbox/counters"
        return dict(requests.get(url, timeout=10).json()["by_method_and_path"])

    def switch(self, **switches: Any) -> None:
        """Set switches of the tenant."""
        requests.patch(f"{self.sandbox.iru.url}/_sandbox/switches", json=switches, timeout=10).raise_for_status()

    def flow(self) -> Flow:
        """Return the device flow between the sandbox's services."""
        snow = self.sandbox.servicenow
        known = {
            "client_id": snow.client_id, "client_secret": snow.client_secret,
            "username": snow.username, "password": snow.password,
        }  # fmt: skip
        return Flow(
            self.folder,
            IruSettings(self.sandbox.iru.url, self.sandbox.iru.token),
            account(snow.url, **known),
            spec=LoadSpec(table="-", key_columns=("-",)),
        )

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.sandbox.iru.token}"}


@contextmanager
def watching(folder: Path, fleet: FleetSpec | None = None, *, devices: int = 8) -> Iterator[Watch]:
    """Start a sandbox with a small fleet and watch it."""
    spec = SandboxSpec(fleet=fleet or FleetSpec(devices=devices, apps_per_device=1), switches=SWITCHES)
    with Sandbox(spec) as sandbox:
        yield Watch(sandbox, folder)
