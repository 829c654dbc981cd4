"""Who sends a request: HTTP Basic or a bearer token.

Source: ServiceNow, "REST API security", "OAuth 2.0".
"""

import base64
import binascii
import secrets
from typing import Annotated

from fastapi import Depends, Request

from include.sandbox.servicenow.errors import not_authenticated
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.token_store import user_of_token


def authenticate(request: Request, instance: InstanceOf) -> str:
    """Return the user name behind a request; 401 for missing, wrong or expired credentials."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    user: str | None = None
    if scheme.lower() == "bearer":
        user = user_of_token(instance, credentials.strip())
    elif scheme.lower() == "basic":
        name, password = split_basic(credentials)
        user = name if may_use_password(instance, name, password) else None
    if user is None or not may_sign_in(instance, user):
        raise not_authenticated()
    return user


def password_fits(instance: Instance, name: str, password: str) -> bool:
    """Say whether name and password are those of the service account."""
    settings = instance.settings
    return name == settings.username and secrets.compare_digest(password.encode(), settings.password.encode())


def may_use_password(instance: Instance, name: str, password: str) -> bool:
    """Say whether a password lets its user in: it fits and has not expired."""
    return password_fits(instance, name, password) and not instance.settings.password_expired


def may_sign_in(instance: Instance, name: str) -> bool:
    """Say whether a user exists, is active and not locked out."""
    found = instance.store.find("sys_user", {"user_name": name})
    active = bool(found) and found[0]["active"] == "true" and found[0]["locked_out"] != "true"
    return active and instance.settings.user_active


def split_basic(credentials: str) -> tuple[str, str]:
    """Return the two halves of HTTP Basic credentials, empty where they cannot be read."""
    try:
        name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


User = Annotated[str, Depends(authenticate)]
