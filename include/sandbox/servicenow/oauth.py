"""The token endpoint.

Source: ServiceNow, "OAuth API request parameters", "OAuth API response parameters", "Client credentials grant type",
"Revoke an OAuth token". Every failure has the same body; the cause is only in the instance's log.
"""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from include.sandbox.servicenow.auth import may_sign_in, may_use_password, split_basic
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.request_body import read_body
from include.sandbox.servicenow.token_store import Token, current_token, find_token, revoke_token

router = APIRouter()
_FORM = "application/x-www-form-urlencoded"


class TokenError(Exception):
    """The token endpoint refuses; the message is for the instance's log."""


@router.post("/oauth_token.do")
def token(request: Request, instance: InstanceOf, body: Annotated[bytes, Depends(read_body)]) -> Response:
    """Grant a token."""
    try:
        return SnowJson(_grant(instance, _parameters(request, instance, body)))
    except TokenError:
        return SnowJson({"error_description": "access_denied", "error": "server_error"}, status_code=401)


@router.api_route("/oauth_revoke_token.do", methods=["GET", "POST"])
@router.api_route("/oauth_revoke.do", methods=["GET", "POST"])
def revoke(request: Request, instance: InstanceOf, body: Annotated[bytes, Depends(read_body)]) -> Response:
    """Revoke an access or refresh token; no sign-in is asked for, and an unknown token is no error."""
    form = dict(parse_qsl(body.decode(errors="replace")))
    revoke_token(instance, request.query_params.get("token") or form.get("token", ""))
    return Response(status_code=200)


def _parameters(request: Request, instance: Instance, body: bytes) -> Mapping[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise TokenError(f"content type {kind!r}")
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if not instance.settings.oauth_body_only:
        form = {**request.query_params, **form}
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        client_id, client_secret = split_basic(credentials)
        form = {"client_id": client_id, "client_secret": client_secret, **form}
    return form


def _grant(instance: Instance, form: Mapping[str, str]) -> dict[str, Any]:
    _check_client(instance, form)
    grants = {"password": _by_password, "client_credentials": _by_client, "refresh_token": _by_refresh}
    grant = grants.get(form.get("grant_type", ""))
    if grant is None:
        raise TokenError("unsupported grant type")
    return grant(instance, form)


def _check_client(instance: Instance, form: Mapping[str, str]) -> None:
    settings = instance.settings
    right = form.get("client_id") == settings.client_id and secrets.compare_digest(
        form.get("client_secret", "").encode(), settings.client_secret.encode()
    )
    if not right:
        raise TokenError("invalid client")


def _by_password(instance: Instance, form: Mapping[str, str]) -> dict[str, Any]:
    user = form.get("username", "")
    if instance.settings.oauth_password_disabled:
        raise TokenError("resource owner password credentials are disabled")
    if not may_use_password(instance, user, form.get("password", "")) or not may_sign_in(instance, user):
        raise TokenError("invalid user")
    refresh = current_token(instance, "refresh", form["client_id"], user, life_s=instance.settings.refresh_token_life_s)
    return _answer(instance, _access(instance, form["client_id"], user), refresh)


def _by_client(instance: Instance, form: Mapping[str, str]) -> dict[str, Any]:
    """Speak for the OAuth application user, here the service account; gives no refresh token."""
    user = instance.settings.username
    if not instance.settings.oauth_client_credentials or not may_sign_in(instance, user):
        raise TokenError("client credentials are not enabled")
    return _answer(instance, _access(instance, form["client_id"], user), None)


def _by_refresh(instance: Instance, form: Mapping[str, str]) -> dict[str, Any]:
    refresh = find_token(instance, "refresh", form.get("refresh_token", ""))
    if instance.settings.password_expired:
        raise TokenError("the user's password needs a reset")
    if refresh is None or not may_sign_in(instance, refresh.user):
        raise TokenError("invalid refresh token")
    return _answer(instance, _access(instance, form["client_id"], refresh.user), refresh)


def _access(instance: Instance, client: str, user: str) -> Token:
    return current_token(instance, "access", client, user, life_s=instance.settings.access_token_life_s)


def _answer(instance: Instance, access: Token, refresh: Token | None) -> dict[str, Any]:
    expires_in_s = int(access.expires_s - instance.clock.now().timestamp())
    return {
        "access_token": access.token,
        **({"refresh_token": refresh.token} if refresh else {}),
        "scope": "useraccount",
        "token_type": "Bearer",
        "expires_in": expires_in_s,
    }
