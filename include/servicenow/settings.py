"""What the connection to a ServiceNow instance says, checked before the first request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from include.errors import SetupWrong
from include.web.address import base_url
from include.web.extras import HTTP_EXTRAS, read_proxies, read_timeout_s, read_verify
from include.web.transport import TIMEOUT_S

GrantType = Literal["password", "client_credentials", "refresh_token"]
ColumnKeys = Literal["label", "name"]

_KNOWN_EXTRAS = {
    "client_id",
    "client_secret",
    "grant_type",
    "column_keys",
    "refresh_token",
    "scope",
    *HTTP_EXTRAS,
}


@dataclass(frozen=True, slots=True)
class ServiceNowSettings:
    """Where an instance is and how to sign in; ``repr`` hides every secret.

    ``column_keys`` says what insertMultiple takes as keys: the labels of the staging columns
    (ServiceNow's default) or their names (a column mapping in ``sys_rest_insert_multiple``).
    """

    base_url: str
    connection: str
    grant_type: GrantType
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    column_keys: ColumnKeys = "label"
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_timeout_s: float = TIMEOUT_S[1]


def read_settings(
    connection: str,
    *,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    scheme: str | None,
    extra: Mapping[str, Any],
) -> ServiceNowSettings:
    """Check the parts of an Airflow connection; SetupWrong names the connection and the field that is wrong."""
    _refuse_unknown(connection, extra)
    address = base_url(host, connection=connection, scheme=scheme, port=port)
    settings = ServiceNowSettings(
        base_url=address,
        connection=connection,
        grant_type=one_of(connection, extra, "grant_type", get_args(GrantType), "password"),
        client_id=str(extra.get("client_id") or ""),
        client_secret=str(extra.get("client_secret") or ""),
        username=login or "",
        password=password or "",
        refresh_token=str(extra.get("refresh_token") or ""),
        scope=str(extra.get("scope") or ""),
        column_keys=one_of(connection, extra, "column_keys", get_args(ColumnKeys), "label"),
        verify=read_verify(connection, extra, base_url=address),
        proxies=read_proxies(connection, extra),
        read_timeout_s=read_timeout_s(connection, extra),
    )
    _require_credentials(settings)
    return settings


def one_of(connection: str, extra: Mapping[str, Any], key: str, allowed: tuple[str, ...], default: str) -> Any:
    """Return an extra that must be one of a few words."""
    value = extra.get(key) or default
    if value not in allowed:
        raise SetupWrong(
            f"Connection {connection!r} has the extra {key!r} = {value!r}; it must be one of: {', '.join(allowed)}."
        )
    return value


def _refuse_unknown(connection: str, extra: Mapping[str, Any]) -> None:
    unknown = sorted(set(extra) - _KNOWN_EXTRAS)
    if unknown:
        raise SetupWrong(
            f"Connection {connection!r} has unknown extras: {', '.join(unknown)}. "
            f"Known are: {', '.join(sorted(_KNOWN_EXTRAS))}."
        )


def _require_credentials(settings: ServiceNowSettings) -> None:
    needed = {"extra 'client_id'": settings.client_id, "extra 'client_secret'": settings.client_secret}
    if settings.grant_type == "password":
        needed |= {"login": settings.username, "password": settings.password}
    if settings.grant_type == "refresh_token":
        needed |= {"extra 'refresh_token'": settings.refresh_token}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SetupWrong(
            f"Connection {settings.connection!r} lacks {', '.join(missing)}, needed for the grant type "
            f"{settings.grant_type!r}."
        )
