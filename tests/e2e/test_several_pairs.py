"""Two pairs of tenant and instance in one installation: each has its own runs, and neither sees the other's rows."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from runs import Access, access, run_dag

from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Access]]:
    """Start two tenants and two instances."""
    with Sandbox(_spec(4, seed=1)) as first, Sandbox(_spec(7, seed=2)) as second:
        yield {"emea": _access(first), "us": _access(second)}


def _spec(devices: int, seed: int) -> SandboxSpec:
    return SandboxSpec(fleet=FleetSpec(devices=devices, apps_per_device=1, seed=seed))


def _access(sandbox: Sandbox) -> Access:
    snow = sandbox.servicenow
    known = {name: getattr(snow, name) for name in ("client_id", "client_secret", "username", "password")}
    return access(sandbox.iru.url, sandbox.iru.token, snow.url, **known)


def _settings(pairs: dict[str, Access]) -> dict[str, str]:
    connections = {
        f"AIRFLOW_CONN_{kind.upper()}_{name.upper()}": json.dumps(value)
        for name, pair in pairs.items()
        for kind, value in asdict(pair).items()
    }
    return connections | {"IRU_SERVICENOW_PAIRS": json.dumps({name: {} for name in pairs})}


def test_each_pair_is_loaded_by_dags_of_its_own(pairs: dict[str, Access], tmp_path: Path) -> None:
    """Both flows end with their own fleet's rows, in folders of their own, over one ledger file."""
    settings = _settings(pairs)
    for name, devices in (("emea", 4), ("us", 7)):
        ended = run_dag(f"iru_devices__{name}", pairs["emea"], tmp_path, **settings)
        assert ended.status == 0, ended.output
        assert ended.counts("computer") == {"extracted": devices, "inserted": devices}
    again = run_dag("iru_devices__emea", pairs["emea"], tmp_path, **settings)
    assert again.counts("computer") == {"extracted": 4, "unchanged": 4}


def test_a_pair_without_a_connection_fails_alone(pairs: dict[str, Access], tmp_path: Path) -> None:
    """The message names the connection that is missing; the other pair is loaded."""
    settings = _settings(pairs)
    del settings["AIRFLOW_CONN_SERVICENOW_US"]
    missing = run_dag("iru_devices__us", pairs["emea"], tmp_path, **settings)
    assert missing.status == 1
    assert "'servicenow_us' is not defined" in missing.output
    assert run_dag("iru_devices__emea", pairs["emea"], tmp_path, **settings).status == 0
