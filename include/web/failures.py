"""Say what to do about an exchange that failed before there was an answer to judge."""

import ssl
from urllib.parse import urlsplit

import requests
import urllib3

from include.errors import PipelineError, RetryLater, SetupWrong

_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A connection that was closed or reset, as TLS tells it; nothing is wrong with the certificate."""


def explain(error: Exception, label: str, url: str) -> PipelineError:
    """Return what to do about an exchange that failed; never its own text, which may show a token or an address.

    Of ``url`` no more than the host is told.
    """
    if isinstance(error, requests.exceptions.SSLError):
        if isinstance(_root(error), _ENDED):
            return RetryLater(f"{label}: the encrypted connection ended early.", maybe_done=True)
        return SetupWrong(
            f"{label}: the server's TLS certificate could not be verified. Check the host, or name the "
            "organisation's CA file in the connection's extra as 'verify'."
        )
    if _is_of_answer(error):
        return RetryLater(f"{label}: the answer's headers contradict each other.", maybe_done=True)
    if isinstance(error, ValueError):  # requests' own and Python's errors about headers and addresses
        return SetupWrong(
            f"{label}: the connection's host, or a token or proxy of it, holds a character that HTTP does not allow "
            "there (a line break from copying, a typographic quote)."
        )
    if isinstance(error, (ConnectionError, TimeoutError)):  # Python's own, should one come through
        return RetryLater(f"{label}: the connection broke before a complete answer came.", maybe_done=True)
    if not isinstance(error, requests.exceptions.RequestException):
        return SetupWrong(f"{label}: the CA file that the connection's extra names as 'verify' cannot be read.")
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError)):
        return RetryLater(f"{label}: no connection ({type(error).__name__}).")
    if isinstance(error, requests.exceptions.ConnectionError):
        return RetryLater(f"{label}: {_why(error, url)}", maybe_done=not _refused(error))
    return RetryLater(f"{label}: no complete answer ({type(error).__name__}).", maybe_done=True)


def _root(error: Exception) -> object:
    """Return the exception that the libraries have wrapped into others."""
    inner: object = error
    while isinstance(inner, Exception):
        wrapped = getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)
        if not isinstance(wrapped, Exception):
            break
        inner = wrapped
    return inner


def _is_of_answer(error: Exception) -> bool:
    """Say whether a header was refused that the server sent, not one of ours."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, urllib3.exceptions.InvalidHeader)


def _refused(error: Exception) -> bool:
    """Say whether the connection was never made, so that the server cannot have worked on the request."""
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _why(error: Exception, url: str) -> str:
    if not _refused(error):
        return "the connection broke before a complete answer came."
    host = urlsplit(url).netloc.rpartition("@")[2]
    if "NameResolutionError" in repr(error):
        return f"the host name {host} could not be resolved; check the connection's host."
    return f"connection refused by {host}; is it up, and is the connection's host right?"
