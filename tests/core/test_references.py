"""A computer must not keep an earlier user's name because ServiceNow does not know the new one."""

from collections.abc import Iterator

import pandas as pd
import pytest
import requests

from include.inventory.mapping import load_mapping
from include.inventory.references import clear_unknown
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow.client import ServiceNowClient
from include.servicenow.settings import read_settings

FEED = load_mapping().feeds["computer"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Start both servers once."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=40, apps_per_device=1))) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> ServiceNowClient:
    """Return a client of the sandbox's instance."""
    access = sandbox.servicenow
    extra = {"client_id": access.client_id, "client_secret": access.client_secret}
    return ServiceNowClient(
        read_settings("servicenow_default", host=access.url, port=None, login=access.username,
                      password=access.password, scheme=None, extra=extra)
    )  # fmt: skip


@pytest.fixture
def known(sandbox: Sandbox) -> list[str]:
    """Return e-mail addresses that the instance knows."""
    url = f"{sandbox.servicenow.url}/_sandbox/tables/sys_user"
    rows = requests.get(url, timeout=10).json()["result"]
    return [row["email"] for row in rows if row["email"]]


def _moves(*moves: tuple[str, str | None, str | None]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return to_send and changes for (key, user before, user after)."""
    to_send = pd.DataFrame({"_key": [key for key, _, _ in moves], "assigned_user": [after for *_, after in moves]})
    rows = [(key, "update", "assigned_user", before, after) for key, before, after in moves]
    return to_send, pd.DataFrame(rows, columns=["key", "action", "column", "before", "after"], dtype="str")


def test_a_move_to_an_unknown_user_empties_the_column(client: ServiceNowClient, known: list[str]) -> None:
    """Only the row whose new user ServiceNow does not have is emptied, and it is counted; case does not matter."""
    to_send, changes = _moves(
        ("a", known[0], "stranger@acme.example"),
        ("b", known[0], known[1].upper()),
        ("c", None, "stranger@acme.example"),
    )
    referred = clear_unknown(FEED, to_send, changes, client)
    assert referred.to_send["assigned_user"].tolist() == ["NULL", known[1].upper(), "stranger@acme.example"]
    assert referred.unknown == {"assigned_user": 1}


def test_nothing_is_emptied_where_no_user_can_be_seen(client: ServiceNowClient) -> None:
    """An account that sees none of the users, not even the earlier ones, proves nothing about the new ones."""
    to_send, changes = _moves(("a", "gone@acme.example", "stranger@acme.example"))
    referred = clear_unknown(FEED, to_send, changes, client)
    assert referred.to_send["assigned_user"].tolist() == ["stranger@acme.example"]
    assert referred.unknown == {}


def test_rows_without_a_move_cost_no_request(client: ServiceNowClient) -> None:
    """New rows and other changes ask ServiceNow nothing about users."""
    clear_unknown(FEED, *_moves(("a", None, "stranger@acme.example")), client)
    assert client.requests.total == 0
