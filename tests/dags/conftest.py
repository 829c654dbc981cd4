"""An installation between both services of a sandbox, as the tasks find it in their environment."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

SWITCHES = {"iru.rate_limit": False, "servicenow.transform_pickup_delay_s": 0.0}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Start both servers once."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=4, apps_per_device=1), switches=SWITCHES)) as sandbox:
        yield sandbox


@pytest.fixture
def installation(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Define connections and settings in the environment; every test has a storage root and a ledger of its own."""
    servicenow = sandbox.servicenow
    extra = {"client_id": servicenow.client_id, "client_secret": servicenow.client_secret}
    iru = {"conn_type": "iru", "host": sandbox.iru.url, "password": sandbox.iru.token}
    instance = {
        "conn_type": "servicenow", "host": servicenow.url, "login": servicenow.username,
        "password": servicenow.password, "extra": extra,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(iru))
    monkeypatch.setenv("AIRFLOW_CONN_SERVICENOW_DEFAULT", json.dumps(instance))
    monkeypatch.setenv("IRU_SERVICENOW_STORAGE", str(tmp_path))
