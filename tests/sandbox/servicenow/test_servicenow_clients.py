"""Other people's clients, unmodified: PySNC (which accepts only https) and requests-oauthlib."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient
from pysnc import ServiceNowClient
from pysnc.auth import ServiceNowClientCredentialsFlow, ServiceNowPasswordGrantFlow
from pysnc.exceptions import AuthenticationException
from requests_oauthlib import OAuth2Session

from include.sandbox.server import Server
from include.sandbox.servicenow import SeedUser, ServiceNowSettings, create_app
from include.sandbox.tls import make_certificates

SETTINGS = ServiceNowSettings(
    users=tuple(SeedUser(f"User {n:03d}", f"u{n}@example.com") for n in range(250)),
    client_id="client",
    client_secret="client-secret",
    username="svc",
    password="word",
    oauth_client_credentials=True,
)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An instance behind TLS, and the certificate authority to trust."""
    ca, files = make_certificates(tmp_path_factory.mktemp("tls"))
    with Server(create_app(replace(SETTINGS)), tls=files) as server:
        yield server.url, ca


@pytest.fixture
def trusted(secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """The instance's address, with its authority trusted by requests."""
    url, ca = secured
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    return url


@pytest.fixture
def pysnc(trusted: str) -> ServiceNowClient:
    """A PySNC client that signed in with the password grant."""
    return ServiceNowClient(trusted, ServiceNowPasswordGrantFlow("svc", "word", "client", "client-secret"))


def test_pysnc_writes_reads_and_deletes_records(pysnc: Any) -> None:
    """GlideRecord's insert, get, update and delete work as against a real instance."""
    company = pysnc.GlideRecord("core_company")
    company.initialize()
    company.name = "Acme"
    sys_id = str(company.insert())
    found = pysnc.GlideRecord("core_company")
    assert found.get(sys_id)
    assert (str(found.name), str(found.sys_created_by)) == ("Acme", "svc")
    found.name = "Acme & Söhne"
    assert found.update()
    again = pysnc.GlideRecord("core_company")
    assert again.get("name", "acme & söhne")
    assert again.delete()
    assert not pysnc.GlideRecord("core_company").get(sys_id)


def test_pysnc_pages_through_a_table(pysnc: Any) -> None:
    """A query over several pages returns every record once, in order, with dot-walked conditions."""
    users = pysnc.GlideRecord("sys_user", batch_size=60)
    users.add_query("email", "ENDSWITH", "@example.com")
    users.add_not_null_query("email")
    users.order_by("name")
    users.query()
    assert len(users) == 250
    assert [str(user.name) for user in users] == [f"User {n:03d}" for n in range(250)]


def test_pysnc_conditions(pysnc: Any) -> None:
    """PySNC's query builder, OR included, gives encoded queries that are understood."""
    users = pysnc.GlideRecord("sys_user")
    users.fields = ["email", "active"]
    users.add_active_query()
    users.add_query("name", "User 001").add_or_condition("name", "User 002")
    users.add_null_query("time_zone")
    users.query()
    assert sorted(user.get_value("email") for user in users) == ["u1@example.com", "u2@example.com"]


def test_pysnc_queries_related_tables(pysnc: Any) -> None:
    """Join queries and related-list queries select by what other tables hold."""
    users = pysnc.GlideRecord("sys_user")
    users.add_rl_query("sys_user_has_role", "user", ">0", True).add_query("role.name", "cmdb_read")
    users.query()
    assert [str(user.user_name) for user in users] == ["svc"]
    without = pysnc.GlideRecord("sys_user")
    without.add_rl_query("sys_user_has_role", "user", "=0")
    without.query()
    assert len(without) == 250
    joined = pysnc.GlideRecord("sys_user")
    joined.add_join_query("sys_user_has_role", join_table_field="user").add_query("role.name", "cmdb_read")
    joined.query()
    assert [str(user.user_name) for user in joined] == ["svc"]


def test_pysnc_shows_display_values(pysnc: Any) -> None:
    """References carry value and display value."""
    user = pysnc.GlideRecord("sys_user")
    assert user.get("name", "User 007")
    computer = pysnc.GlideRecord("cmdb_ci_computer")
    computer.initialize()
    computer.name = "Mac"
    computer.assigned_to = str(user.sys_id)
    computer.insert()
    assert computer.get_display_value("assigned_to") == "User 007"
    assert computer.get_value("assigned_to") == user.get_value("sys_id")


def test_pysnc_changes_many_records_through_the_batch_api(pysnc: Any) -> None:
    """update_multiple and delete_multiple go through /api/now/v1/batch."""
    for number in range(3):
        model = pysnc.GlideRecord("cmdb_model")
        model.initialize()
        model.name = f"Batch {number}"
        model.insert()
    models = pysnc.GlideRecord("cmdb_model")
    models.add_query("name", "STARTSWITH", "Batch")
    models.query()
    for model in models:
        model.display_name = "changed"
    assert models.update_multiple()
    changed = pysnc.GlideRecord("cmdb_model")
    changed.add_query("display_name", "changed")
    changed.query()
    assert len(changed) == 3
    assert changed.delete_multiple()
    assert not pysnc.GlideRecord("cmdb_model").get("display_name", "changed")


def test_pysnc_sends_a_long_query_through_the_batch_api(pysnc: Any) -> None:
    """A query too long for an address goes as a batch, and finds the same."""
    users = pysnc.GlideRecord("sys_user")
    users.add_query("email", "IN", ",".join(f"u{n}@example.com" for n in range(240, 1200)))
    users.query()
    assert len(users) == 10


def test_pysnc_signs_in_in_other_ways(trusted: str) -> None:
    """HTTP Basic and client credentials work; a wrong password is an authentication error."""
    for auth in (("svc", "word"), ServiceNowClientCredentialsFlow("client", "client-secret")):
        assert ServiceNowClient(trusted, auth).GlideRecord("sys_user").get("name", "User 001")
    with pytest.raises(AuthenticationException):
        ServiceNowClient(trusted, ("svc", "wrong")).GlideRecord("sys_user").get("name", "User 001")


def test_requests_oauthlib_legacy_application(trusted: str) -> None:
    """The password grant, then a refresh, as the vendor's set-up signs in."""
    with OAuth2Session(client=LegacyApplicationClient(client_id="client")) as session:
        url = f"{trusted}/oauth_token.do"
        token = session.fetch_token(url, username="svc", password="word", client_secret="client-secret")
        assert session.get(f"{trusted}/api/now/table/sys_user", timeout=30).status_code == 200
        secrets = {"client_id": "client", "client_secret": "client-secret"}
        refreshed = session.refresh_token(url, refresh_token=token["refresh_token"], **secrets)
        assert refreshed["access_token"] == token["access_token"]


@pytest.mark.parametrize("in_form", [True, False])
def test_requests_oauthlib_backend_application(trusted: str, in_form: bool) -> None:
    """The client credentials grant, with the secret in the form or as HTTP Basic."""
    with OAuth2Session(client=BackendApplicationClient(client_id="client")) as session:
        url = f"{trusted}/oauth_token.do"
        session.fetch_token(url, client_secret="client-secret", include_client_id=in_form)
        assert session.get(f"{trusted}/api/now/table/sys_user", timeout=30).status_code == 200


def test_plain_requests_with_a_bearer_token(secured: tuple[str, Path]) -> None:
    """Nothing but the documented form and header is needed."""
    url, ca = secured
    form = {
        "grant_type": "password", "client_id": "client", "client_secret": "client-secret",
        "username": "svc", "password": "word",
    }  # fmt: skip
    token = requests.post(f"{url}/oauth_token.do", data=form, verify=str(ca), timeout=30).json()["access_token"]
    answer = requests.post(
        f"{url}/api/now/import/imp_user",
        json={"user_id": "x"},
        headers={"Authorization": f"Bearer {token}"},
        verify=str(ca),
        timeout=30,
    )
    assert answer.status_code == 201
