"""What the extra of a connection may say about HTTP, the same for both services."""

from collections.abc import Mapping
from typing import Any

from include.errors import SetupWrong
from include.web.address import is_loopback
from include.web.transport import TIMEOUT_S

HTTP_EXTRAS = frozenset({"verify", "proxies", "read_timeout_s"})

_LONGEST_READ_S = 600.0


def read_verify(connection: str, extra: Mapping[str, Any], *, base_url: str) -> bool | str:
    """Return the CA file named in ``verify``, or True.

    SetupWrong for anything else: without verification, whoever answers gets the credentials. Loopback may go without.
    """
    value = extra.get("verify", True)
    if value is True or (isinstance(value, str) and value.strip()):
        return value
    if value is False and is_loopback(base_url):
        return False
    raise SetupWrong(
        f"Connection {connection!r} has an extra 'verify' that is no path of a CA file. Certificates are always "
        "verified; name the file of your organisation's CA, or leave 'verify' out."
    )


def read_proxies(connection: str, extra: Mapping[str, Any]) -> dict[str, str]:
    """Return ``proxies`` as ``requests`` takes them; SetupWrong does not show them, they may hold a password."""
    value = extra.get("proxies") or {}
    if isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair):
        return dict(value)
    raise SetupWrong(
        f"Connection {connection!r} has an extra 'proxies' that is no object of texts, such as "
        '{"https": "http://proxy.example:3128"}.'
    )


def read_timeout_s(connection: str, extra: Mapping[str, Any]) -> float:
    """Return how many seconds an answer may stay silent, 90 by default; SetupWrong for what is no such number."""
    value = _number(extra.get("read_timeout_s", TIMEOUT_S[1]))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _LONGEST_READ_S:
        return float(value)
    raise SetupWrong(
        f"Connection {connection!r} has an extra 'read_timeout_s' that is no number of seconds up to "
        f"{_LONGEST_READ_S:g}."
    )


def _number(value: Any) -> Any:
    """Return the number that a text holds, as forms and environment variables give it; anything else as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
