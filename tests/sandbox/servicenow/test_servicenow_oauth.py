"""The token endpoint: grants, the one error body, lives, revocation."""

import base64
import json
from typing import Any

import pytest
import requests

REFUSED = {"error_description": "access_denied", "error": "server_error"}
USER = {"grant_type": "password", "username": "svc", "password": "word"}
CLIENT = {"client_id": "client-1", "client_secret": "client-secret-1"}


def _table(snow: Any, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{snow.url}/api/now/table/sys_user", headers=headers, timeout=30)


def test_password_grant_answers_the_documented_body(snow: Any) -> None:
    """Clients find the keys that the documentation shows, in the order that real answers have."""
    body = snow.password_token().json()
    assert list(body) == ["access_token", "refresh_token", "scope", "token_type", "expires_in"]
    assert (body["scope"], body["token_type"]) == ("useraccount", "Bearer")
    assert body["expires_in"] in (1799, 1800)
    assert _table(snow, body["access_token"]).status_code == 200


def test_client_credentials_may_come_as_http_basic(snow: Any) -> None:
    """requests-oauthlib sends the client as HTTP Basic; a server that reads only the form would break it."""
    answer = requests.post(f"{snow.url}/oauth_token.do", data=USER, auth=tuple(CLIENT.values()), timeout=30)
    assert answer.status_code == 200


def test_asking_again_returns_the_same_token_with_less_time(snow: Any) -> None:
    """A client must use the returned expires_in, because the current token comes again until it expires."""
    first = snow.password_token().json()
    snow.travel(1000)
    second = snow.password_token().json()
    assert second["access_token"] == first["access_token"]
    assert second["expires_in"] <= first["expires_in"] - 1000
    snow.travel(1000)
    third = snow.password_token().json()
    assert third["access_token"] != first["access_token"]
    assert third["refresh_token"] == first["refresh_token"]


def test_a_token_dies_at_the_end_of_its_configured_life(serve: Any) -> None:
    """The life is configurable, so that expiry in the middle of a run can be rehearsed."""
    snow = serve(access_token_life_s=60)
    token = snow.password_token().json()
    assert token["expires_in"] <= 60
    snow.travel(61)
    answer = _table(snow, token["access_token"])
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "User Not Authenticated"


def test_refresh_token_gives_a_new_access_token(snow: Any) -> None:
    """A refresh needs no password, and keeps the refresh token."""
    first = snow.password_token().json()
    snow.travel(1801)
    second = snow.token(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] == first["refresh_token"]
    assert _table(snow, second["access_token"]).status_code == 200


def test_refresh_token_expires_after_100_days(snow: Any) -> None:
    """A refresh token is not for ever."""
    first = snow.password_token().json()
    snow.travel(8_640_001)
    assert snow.token(grant_type="refresh_token", refresh_token=first["refresh_token"]).status_code == 401


def test_client_credentials_grant_needs_its_property(snow: Any) -> None:
    """The grant is off by default, as glide.oauth.inbound.client.credential.grant_type.enabled is."""
    refused = snow.token(grant_type="client_credentials")
    assert (refused.status_code, refused.json()) == (401, REFUSED)
    snow.switch(oauth_client_credentials=True)
    granted = snow.token(grant_type="client_credentials").json()
    assert _table(snow, granted["access_token"]).status_code == 200
    assert "refresh_token" not in granted


@pytest.mark.parametrize(
    "form",
    [
        {**CLIENT, **USER, "client_secret": "wrong"},
        {**CLIENT, **USER, "client_id": "wrong"},
        {**CLIENT, **USER, "password": "wrong"},
        {**CLIENT, **USER, "username": "nobody"},
        {**CLIENT, **USER, "grant_type": "magic"},
        {**CLIENT, "grant_type": "refresh_token", "refresh_token": "made up"},
        {**CLIENT},
        {},
    ],
)
def test_every_refusal_has_the_same_body(snow: Any, form: dict[str, str]) -> None:
    """The token endpoint never tells why, so no client can depend on a cause."""
    answer = requests.post(f"{snow.url}/oauth_token.do", data=form, timeout=30)
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert list(answer.json()) == list(REFUSED)


def test_parameters_in_the_address_are_refused(snow: Any) -> None:
    """glide.oauth.allow.parameters.in.post.body.only keeps secrets out of logs."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{snow.url}/oauth_token.do"
    assert requests.post(url, params={**CLIENT, **USER}, headers=form, timeout=30).status_code == 401
    snow.switch(oauth_body_only=False)
    assert requests.post(url, params={**CLIENT, **USER}, headers=form, timeout=30).status_code == 200


def test_a_json_body_is_refused(snow: Any) -> None:
    """The endpoint takes forms only."""
    answer = requests.post(f"{snow.url}/oauth_token.do", json={**CLIENT, **USER}, timeout=30)
    assert (answer.status_code, answer.json()) == (401, REFUSED)


@pytest.mark.parametrize("path", ["/oauth_revoke_token.do", "/oauth_revoke.do"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_revoked_token_is_dead(snow: Any, path: str, kind: str) -> None:
    """Revocation needs no sign-in and works for both kinds."""
    token = snow.password_token().json()
    assert requests.post(snow.url + path, params={"token": token[kind]}, timeout=30).status_code == 200
    if kind == "access_token":
        assert _table(snow, token[kind]).status_code == 401
    else:
        assert snow.token(grant_type="refresh_token", refresh_token=token[kind]).status_code == 401


def test_no_or_wrong_credentials_answer_the_documented_401(snow: Any) -> None:
    """Body and header are those of a real instance."""
    documented = {
        "error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"},
        "status": "failure",
    }
    wrong = base64.b64encode(b"svc:wrong").decode()
    for header in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {wrong}"},
        {"Authorization": "Basic ?"},
    ):
        answer = requests.get(f"{snow.url}/api/now/table/sys_user", headers=header, timeout=30)
        assert (answer.status_code, answer.json()) == (401, documented)
        assert answer.headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'


def test_http_basic_works_on_the_apis(snow: Any) -> None:
    """ServiceNow's REST APIs take user and password as well as tokens."""
    assert snow.call("GET", "table/sys_user").status_code == 200


@pytest.mark.parametrize("change", [{"active": "false"}, {"locked_out": "true"}])
def test_an_inactive_or_locked_user_is_shut_out(snow: Any, change: dict[str, str]) -> None:
    """What an administrator does to the account, the pipeline must notice."""
    token = snow.password_token().json()["access_token"]
    snow.patch("sys_user", "user_name=svc", **change)
    assert _table(snow, token).status_code == 401
    assert snow.password_token().json() == REFUSED


def test_answers_carry_the_headers_of_a_real_instance(snow: Any) -> None:
    """A client without a session gets a new one; with it, no other."""
    session = requests.Session()
    first = session.get(f"{snow.url}/api/now/table/sys_user", auth=("svc", "word"), timeout=30)
    assert first.headers["Server"] == "ServiceNow"
    assert first.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert "JSESSIONID=" in first.headers["Set-Cookie"]
    second = session.get(f"{snow.url}/api/now/table/sys_user", auth=("svc", "word"), timeout=30)
    assert "Set-Cookie" not in second.headers
    assert json.loads(second.content)["result"]
