"""Both servers of the sandbox in one process, for tests and for the command line.

Interface (fixed; the body follows):

    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=20, apps_per_device=5))) as sandbox:
        sandbox.iru.url, sandbox.iru.token
        sandbox.servicenow.url, .client_id, .client_secret, .username, .password
"""

from dataclasses import dataclass, field

from include.sandbox.fleet import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What to start; port 0 takes a free one."""

    fleet: FleetSpec = field(default_factory=FleetSpec)
    iru_port: int = 0
    servicenow_port: int = 0
