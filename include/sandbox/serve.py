"""Both servers of the sandbox in one process, for tests and for the command line.

with Sandbox(SandboxSpec(fleet=FleetSpec(devices=20, apps_per_device=5))) as sandbox:
    sandbox.iru.url, sandbox.iru.token
    sandbox.servicenow.url, .client_id, .client_secret, .username, .password
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI

from include.sandbox.common.clock import Clock
from include.sandbox.credentials import Credentials
from include.sandbox.faults.plan import FaultPlan
from include.sandbox.fleet import FleetSpec, generate_fleet
from include.sandbox.iru import IruSettings
from include.sandbox.iru import create_app as create_iru
from include.sandbox.server import Server, TlsFiles
from include.sandbox.switch_options import sort_switches
from include.sandbox.tls import make_certificates

_OTHER_PLATFORMS_SHARE = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What to start; port 0 takes a free one.

    ``switches`` maps ``iru.<name>``, ``servicenow.<name>`` or a name that only one of both has. ``faults`` are objects
    as ``POST /_sandbox/faults`` takes them, whose ``kind`` is prefixed in the same way.
    Without ``database_dir`` everything stays in memory; with it, a later start goes on with the state.
    """

    fleet: FleetSpec = field(default_factory=FleetSpec)
    iru_port: int = 0
    servicenow_port: int = 0
    credentials: Credentials | None = None
    database_dir: Path | None = None
    tls: bool = False
    tls_dir: Path | None = None
    switches: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class IruAccess:
    """How to reach the Iru tenant."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class ServiceNowAccess:
    """How to reach the ServiceNow instance."""

    url: str
    client_id: str
    client_secret: str
    username: str
    password: str


class Sandbox:
    """A running Iru tenant and a running ServiceNow instance, from ``with`` to its end."""

    iru: IruAccess
    servicenow: ServiceNowAccess
    iru_faults: FaultPlan
    servicenow_faults: FaultPlan
    ca: Path | None = None
    """The certificate authority to trust, when the sandbox speaks TLS."""

    def __init__(self, spec: SandboxSpec | None = None) -> None:
        self.spec = spec or SandboxSpec()
        self._running = ExitStack()
        self.clock = Clock()
        self.credentials = self.spec.credentials or Credentials.draw(self.spec.fleet.seed)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def ready_line(self) -> dict[str, Any]:
        """Return what a client needs to know, as the command line prints it."""
        line: dict[str, Any] = {"iru": asdict(self.iru), "servicenow": asdict(self.servicenow)}
        return line | {"ca": str(self.ca)} if self.ca else line

    def _start(self, starting: ExitStack) -> None:
        # Imported here: the generator and the tenant are of use without the ServiceNow half.
        from include.sandbox.fault_options import sort_faults
        from include.sandbox.servicenow import SeedUser, ServiceNowSettings
        from include.sandbox.servicenow import create_app as create_servicenow

        spec, known = self.spec, self.credentials
        iru, servicenow = sort_switches(spec.switches, IruSettings(), ServiceNowSettings())
        faults = sort_faults(spec.faults)
        fleet_spec = _with_other_platforms(spec.fleet) if iru.switches.windows_android else spec.fleet
        fleet = generate_fleet(fleet_spec)
        iru = replace(
            iru, spec=fleet_spec, fleet=fleet, token=known.iru_token, clock=self.clock,
            database_path=_file(spec.database_dir, "iru.sqlite"),
        )  # fmt: skip
        servicenow = replace(
            servicenow,
            users=tuple(
                SeedUser(name=user.name, email=user.email) for user in fleet.users if user.known_to_servicenow
            ),
            database_path=_file(spec.database_dir, "servicenow.sqlite"),
            client_id=known.client_id, client_secret=known.client_secret,
            username=known.username, password=known.password,
        )  # fmt: skip
        tls = self._prepare_tls(starting)
        app = create_iru(iru)
        self.iru_faults = _ask(app, faults["iru"])
        url = starting.enter_context(Server(app, port=spec.iru_port, tls=tls)).url
        self.iru = IruAccess(url, known.iru_token)
        app = create_servicenow(servicenow)
        self.servicenow_faults = _ask(app, faults["servicenow"])
        url = starting.enter_context(Server(app, port=spec.servicenow_port, tls=tls)).url
        self.servicenow = ServiceNowAccess(url, known.client_id, known.client_secret, known.username, known.password)

    def _prepare_tls(self, starting: ExitStack) -> TlsFiles | None:
        if not self.spec.tls:
            return None
        folder = self.spec.tls_dir or (self.spec.database_dir / "tls" if self.spec.database_dir else None)
        if folder is None:
            folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-tls-")))
        self.ca, files = make_certificates(folder.absolute())
        return files


def _with_other_platforms(spec: FleetSpec) -> FleetSpec:
    """Return a fleet with some Windows and Android devices, unless it states a share of them itself."""
    return spec if spec.non_apple_share else replace(spec, non_apple_share=_OTHER_PLATFORMS_SHARE)


def _ask(app: FastAPI, faults: Sequence[Mapping[str, Any]]) -> FaultPlan:
    """Ask a service for faults and return its plan."""
    plan: FaultPlan = app.state.faults
    plan.add_all(faults)
    return plan


def _file(folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
