"""Airflow's real API server, with the sync page's API in it, and clients signed in as people with different rights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient

PREFIX = "/iru-servicenow/api"
OURS = {"X-Requested-By": "iru-servicenow-page", "Content-Type": "application/json"}

ROLES = {"nobody": None, "viewer": "VIEWER", "user": "USER"}
"""People: one without any right, one who may read DAGs, one who may trigger them too."""


@contextmanager
def api_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make Airflow's app as its API server does, over an empty database of its own."""
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from airflow.utils.db import initdb

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "viewer:viewer,user:user")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "made-up-secret-of-the-tests-" * 3)
    initdb()
    purge_cached_app()
    yield create_app(apps="core")
    purge_cached_app()


def signed_in(app: Any, who: str) -> TestClient:
    """Return a client with a token of a person; "" for a stranger."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    client = TestClient(app, base_url="http://testserver", raise_server_exceptions=False)
    if who:
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=who, role=ROLES[who]))
        client.headers["Authorization"] = f"Bearer {token}"
    return client
