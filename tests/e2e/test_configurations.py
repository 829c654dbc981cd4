"""Instances and tenants are set up in different ways; the same DAGs serve them all, over the sandbox."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from runs import access, run_dag

from include.local.check import SignIn, compare, read_fleet, read_tables
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

_FLEET = FleetSpec(devices=30, apps_per_device=12, seed=3)


@pytest.mark.parametrize(
    ("switches", "column_keys"),
    [
        ({"servicenow.insert_multiple_keys": "name", "servicenow.insert_multiple_synchronous": True}, "name"),
        ({"servicenow.config_tables_readable": False, "iru.prism_offset": True}, "label"),
        ({"iru.prism_last_opened": True, "iru.prism_is_removed": True, "iru.windows_android": True}, "label"),
    ],
)
def test_both_flows_reach_agreement(tmp_path: Path, switches: Mapping[str, Any], column_keys: str) -> None:
    """Names for labels, no dictionary, offset pages, last-opened dates, other platforms: ServiceNow equals Iru."""
    with Sandbox(SandboxSpec(fleet=_FLEET, switches=switches)) as sandbox:
        servicenow = sandbox.servicenow
        account = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret,
                   "username": servicenow.username, "password": servicenow.password}  # fmt: skip
        connections = access(sandbox.iru.url, sandbox.iru.token, servicenow.url, **account, column_keys=column_keys)
        for dag_id in ("iru_devices", "iru_apps"):
            ended = run_dag(dag_id, connections, tmp_path)
            assert ended.status == 0, ended.output
        fleet = read_fleet(sandbox.iru.url, sandbox.iru.token)
        found = compare(fleet, read_tables(servicenow.url, SignIn(**account)))
        assert found.agree, found.lines()


def test_the_wrong_kind_of_keys_is_named(tmp_path: Path) -> None:
    """Names sent where labels are expected land empty; the run stops after the first chunk and says what to set."""
    with Sandbox(SandboxSpec(fleet=_FLEET)) as sandbox:
        servicenow = sandbox.servicenow
        account = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret,
                   "username": servicenow.username, "password": servicenow.password}  # fmt: skip
        connections = access(sandbox.iru.url, sandbox.iru.token, servicenow.url, **account, column_keys="name")
        ended = run_dag("iru_devices", connections, tmp_path, {"feeds": ["computer"]})
    assert ended.status == 1
    assert "column_keys" in ended.output
    assert ended.report
    assert ended.counts("computer")["held"] == 30 - ended.counts("computer").get("rejected", 0)
