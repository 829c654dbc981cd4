"""The fields of both connection types in Airflow's connection form: a label, help, and a JSON schema for each extra.

What a user leaves empty is stored as null or "", and means the default. Source: Airflow, "Custom connection fields".
"""

from typing import Any, get_args

from include.servicenow.settings import ColumnKeys, GrantType

_Field = dict[str, Any]


def _text(label: str, help_text: str, *, secret: bool = False) -> _Field:
    schema = {"type": ["string", "null"]} | ({"format": "password"} if secret else {})
    return {"label": label, "description": help_text, "schema": schema}


def _choice(label: str, help_text: str, options: tuple[str, ...]) -> _Field:
    schema = {"type": ["string", "null"], "enum": list(options), "default": options[0]}
    return {"label": label, "description": help_text, "schema": schema}


HTTP_FIELDS: dict[str, _Field] = {
    "verify": _text("CA file", "Path of your organisation's CA file. Certificates are always verified."),
    "proxies": {
        "label": "Proxies",
        "description": 'As the library requests takes them, such as {"https": "http://proxy.example:3128"}. Shown in '
        "clear: keep a connection whose proxy has a password in a secrets backend.",
        "schema": {"type": ["object", "null"]},
    },
    "read_timeout_s": {
        "label": "Read time-out (s)",
        "description": "How long an answer may stay silent; 90 s by default, at most 600.",
        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 600},
    },
}

SERVICENOW_FIELDS: dict[str, _Field] = {
    "grant_type": _choice("OAuth grant", "How the token is fetched.", get_args(GrantType)),
    "client_id": _text("Client ID", "Of the OAuth client under System OAuth > Application Registry."),
    "client_secret": _text("Client secret", "Of the same OAuth client.", secret=True),
    "refresh_token": _text("Refresh token", "For the grant refresh_token only.", secret=True),
    "scope": _text("OAuth scope", "Where the OAuth client needs one; usually empty."),
    "column_keys": _choice(
        "insertMultiple keys",
        "What insertMultiple takes as keys: labels by default, names where sys_rest_insert_multiple says so.",
        get_args(ColumnKeys),
    ),
}
