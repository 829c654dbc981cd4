"""Send one HTTP request and hand its answer to the API's own judge."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.auth import AuthBase
from requests.models import PreparedRequest

from include.errors import AnswerUnusable, RetryLater, SetupWrong

TIMEOUT_S = (10.0, 90.0)
"""Connect and read time-outs; ServiceNow cancels an Import Set transaction after 60 s by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, with the request it belongs to (without its query, which may hold names)."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the parsed body; AnswerUnusable when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("Content-Type", "no content type")
            raise AnswerUnusable(
                f"{self.request} answered HTTP {self.status} with {len(self.body)} bytes of {kind} "
                "that are not valid JSON."
            ) from error

    @property
    def retry_after_s(self) -> float | None:
        """The server's Retry-After in seconds, where it sent a number."""
        try:
            return max(0.0, float(self.headers.get("Retry-After", "")))
        except ValueError:
            return None


class Bearer(AuthBase):
    """Signs a request with a token; as ``auth``, so that no entry of a .netrc file can take its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class RequestCount:
    """Counts requests of several threads, for the run's report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.total = 0
        self.retries = 0
        self.waited_s = 0.0

    def add(self) -> None:
        """Count one request."""
        with self._lock:
            self.total += 1


def new_session(*, verify: bool | str = True, proxies: Mapping[str, str] | None = None) -> requests.Session:
    """Return a session that belongs to one thread only (ServiceNow serves one session serially)."""
    session = requests.Session()
    session.verify = verify
    session.proxies.update(proxies or {})
    return session


def own_verify(verify: bool | str | None) -> Any:
    """Return what to pass with each request: requests lets REQUESTS_CA_BUNDLE beat what only the session says."""
    return None if verify is True else verify


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    label: str,
    count: RequestCount,
    **options: Any,
) -> Answer:
    """Send one request without following redirects, and return whatever was answered.

    ``label`` names the request in messages. Raises RetryLater when no answer came, SetupWrong when the server's
    certificate cannot be trusted or the request cannot even be written.
    """
    count.add()
    options.setdefault("timeout", TIMEOUT_S)
    options.setdefault("verify", own_verify(session.verify))
    try:
        response = session.request(method, url, allow_redirects=False, **options)
    except requests.exceptions.SSLError as error:
        raise SetupWrong(
            f"{label}: the server's TLS certificate could not be verified. Check the host, or name the "
            "organisation's CA file in the connection's extra as 'verify'."
        ) from error
    except ValueError:  # requests' own and Python's errors about headers and addresses; their text may show a token
        raise SetupWrong(
            f"{label}: the connection's host, or a token or proxy of it, holds a character that HTTP does not allow "
            "there (a line break from copying, a typographic quote)."
        ) from None
    except (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError) as error:
        raise RetryLater(f"{label}: no connection ({type(error).__name__}).") from None
    except requests.exceptions.ConnectionError as error:
        raise RetryLater(f"{label}: {_why(error)}.", maybe_done=not _refused(error)) from None
    except requests.exceptions.RequestException as error:
        raise RetryLater(f"{label}: no complete answer ({type(error).__name__}).", maybe_done=True) from None
    return Answer(label, response.status_code, response.headers, response.content)


def _refused(error: Exception) -> bool:
    """Say whether the connection was never made, so that the server cannot have worked on the request."""
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _why(error: Exception) -> str:
    if "NameResolutionError" in repr(error):
        return "the host name could not be resolved"
    return "connection refused" if _refused(error) else "the connection broke before a complete answer came"


Judge = Callable[[Answer], Any]
"""Turns an answer into its JSON value, or raises the error that says what to do."""
