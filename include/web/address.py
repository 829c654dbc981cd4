"""Turn what a connection says about a host into a base URL that is safe to send credentials to."""

import ipaddress
from urllib.parse import urlsplit

from include.errors import SetupWrong


def base_url(host: str | None, *, connection: str, scheme: str | None = None, port: int | None = None) -> str:
    """Return ``scheme://host[:port][/path]`` without a trailing slash.

    https is assumed where no scheme is given, and required for every host but loopback.
    Raises SetupWrong that names ``connection`` when the host is missing or malformed.
    """
    if not host or not host.strip():
        raise SetupWrong(f"Connection {connection!r} has no host. Set it to the API's base URL, https://…")
    text = host.strip()
    if "://" not in text:
        text = f"{scheme or 'https'}://{text}"
    try:
        parts = urlsplit(text)
        hostname, own_port = parts.hostname, parts.port
    except ValueError as error:
        raise SetupWrong(f"Connection {connection!r} has a malformed host {_shown(text)!r}: {error}.") from error
    if not hostname or any(c.isspace() for c in text) or parts.query or parts.fragment:
        raise SetupWrong(f"Connection {connection!r} has a malformed host {_shown(text)!r}: give https://name[:port].")
    if parts.username or parts.password:
        raise SetupWrong(f"Connection {connection!r} has credentials in its host; put them into login and password.")
    _check_scheme(parts.scheme, hostname, connection)
    netloc = f"[{hostname}]" if ":" in hostname else hostname
    chosen_port = own_port or port
    return f"{parts.scheme}://{netloc}{f':{chosen_port}' if chosen_port else ''}{parts.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Say whether a URL's host is this machine itself."""
    return _is_loopback_host(urlsplit(url).hostname or "")


def _check_scheme(scheme: str, hostname: str, connection: str) -> None:
    if scheme == "https" or (scheme == "http" and _is_loopback_host(hostname)):
        return
    if scheme == "http":
        raise SetupWrong(
            f"Connection {connection!r} uses plain http to {hostname}, which would send credentials unencrypted. "
            "Use https://; only a host on this machine's loopback may use http."
        )
    raise SetupWrong(f"Connection {connection!r} has the scheme {scheme!r}; use https://.")


def _is_loopback_host(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    """Cut everything before an @, where a password may stand."""
    return text.rpartition("@")[2]
