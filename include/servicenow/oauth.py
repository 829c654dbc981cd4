"""Fetch and renew the OAuth 2.0 access token that every request to ServiceNow carries.

Source: ServiceNow, "OAuth API request parameters" and "OAuth API response parameters". Asking again while a token
is alive returns the same token with what is left of its life, so ``expires_in`` is believed as returned.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2Session

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.servicenow.settings import ServiceNowSettings
from include.web.address import is_loopback
from include.web.retry import RetryPolicy
from include.web.transport import CONNECT_TIMEOUT_S, RequestCount, own_verify

# Both libraries write request bodies and tokens to their debug logs.
logging.getLogger("requests_oauthlib").setLevel(logging.INFO)
logging.getLogger("oauthlib").setLevel(logging.INFO)

_DEFAULT_LIFE_S = 1800.0
_environment_lock = threading.Lock()


class TokenSource:
    """Holds one access token for all threads of a client and renews it when it ends."""

    def __init__(
        self,
        settings: ServiceNowSettings,
        count: RequestCount,
        retry: RetryPolicy,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._count = count
        self._retry = retry
        self._now_s = now_s
        self._lock = threading.Lock()
        self._access_token = ""
        self._refresh_token = settings.refresh_token
        self._ends_at_s = 0.0

    def bearer(self) -> str:
        """Return a token that is alive, fetching one where needed."""
        with self._lock:
            if not self._access_token or self._now_s() >= self._ends_at_s:
                self._renew()
            return self._access_token

    def replace(self, refused: str) -> str:
        """Return another token than the one that ServiceNow just refused with 401."""
        with self._lock:
            if self._access_token == refused:
                self._renew()
            return self._access_token

    def _renew(self) -> None:
        token = self._retry.call(self._fetch_once, repeat_unsure=True, count=self._count)
        self._access_token = str(token["access_token"])
        self._refresh_token = str(token.get("refresh_token") or self._refresh_token)
        self._ends_at_s = self._now_s() + _life_s(token)

    def _fetch_once(self) -> dict[str, Any]:
        if self._refresh_token:
            try:
                return self._request(self._refresh)
            except SetupWrong:
                if self._settings.grant_type == "refresh_token":
                    raise
                self._refresh_token = ""  # it has expired; the first grant gives a new one
        return self._request(self._grant)

    def _request(self, ask: Callable[[OAuth2Session], dict[str, Any]]) -> dict[str, Any]:
        self._count.add()
        client_class = (
            BackendApplicationClient if self._settings.grant_type == "client_credentials" else LegacyApplicationClient
        )
        session = OAuth2Session(client=client_class(client_id=self._settings.client_id))
        session.verify = self._settings.verify
        session.proxies.update(self._settings.proxies)
        session.max_redirects = 0  # a redirect could carry the credentials elsewhere
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, self._check)
        try:
            with session, _http_allowed_on_loopback(self._url):
                return dict(ask(session))
        except requests.exceptions.SSLError as error:
            raise SetupWrong(
                f"Connection {self._settings.connection!r}: the TLS certificate of the instance could not be verified."
            ) from error
        except requests.exceptions.TooManyRedirects:
            raise SetupWrong(
                f"Connection {self._settings.connection!r}: POST /oauth_token.do answered a redirect; check the host."
            ) from None
        except requests.exceptions.RequestException as error:
            raise RetryLater(f"POST /oauth_token.do: no answer ({type(error).__name__}).") from None
        except OAuth2Error as error:
            raise self._refused(f"{error.error}") from None
        except ValueError as error:
            raise AnswerUnusable("POST /oauth_token.do answered a life of the token that is no number.") from error

    def _grant(self, session: OAuth2Session) -> dict[str, Any]:
        settings = self._settings
        details: dict[str, Any] = {"scope": settings.scope} if settings.scope else {}
        if settings.grant_type == "password":
            details |= {"username": settings.username, "password": settings.password}
        token: dict[str, Any] = session.fetch_token(
            self._url,
            client_secret=settings.client_secret,
            include_client_id=True,
            timeout=self._timeout_s,
            verify=own_verify(settings.verify),
            **details,
        )
        return token

    def _refresh(self, session: OAuth2Session) -> dict[str, Any]:
        token: dict[str, Any] = session.refresh_token(
            self._url,
            refresh_token=self._refresh_token,
            timeout=self._timeout_s,
            verify=own_verify(self._settings.verify),
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
        )
        return token

    @property
    def _timeout_s(self) -> tuple[float, float]:
        return (CONNECT_TIMEOUT_S, self._settings.read_timeout_s)

    @property
    def _url(self) -> str:
        return f"{self._settings.base_url}/oauth_token.do"

    def _check(self, response: requests.Response) -> requests.Response:
        """Judge the token endpoint's answer before oauthlib parses it."""
        if response.status_code == 429 or response.status_code >= 500:
            raise RetryLater(f"POST /oauth_token.do answered HTTP {response.status_code}.")
        if response.status_code != 200:
            raise self._refused(f"HTTP {response.status_code}")
        if not _is_object(response):
            raise RetryLater(
                "POST /oauth_token.do answered a page instead of a token: the instance hibernates, is in maintenance, "
                "or the connection's host is not a ServiceNow instance."
            )
        return response

    def _refused(self, cause: str) -> SetupWrong:
        return SetupWrong(
            f"Connection {self._settings.connection!r}: ServiceNow refused a token ({cause}) for the grant type "
            f"{self._settings.grant_type!r}. It does not say why; check client_id, client_secret, login and password, "
            "that the OAuth client is active and broadly scoped, that the user is active, not locked out and needs no "
            "password reset, and the instance's system log."
        )


def _is_object(response: requests.Response) -> bool:
    try:
        return isinstance(response.json(), dict)
    except ValueError:
        return False


def _life_s(token: dict[str, Any]) -> float:
    life_s = token.get("expires_in")
    return _DEFAULT_LIFE_S if life_s is None else max(0.0, float(life_s))


@contextmanager
def _http_allowed_on_loopback(url: str) -> Iterator[None]:
    """Let oauthlib, which refuses every http address, talk to a loopback host (our own check allows only that)."""
    name = "OAUTHLIB_INSECURE_TRANSPORT"
    if not is_loopback(url) or name in os.environ:
        yield
        return
    with _environment_lock:
        os.environ[name] = "1"
        try:
            yield
        finally:
            os.environ.pop(name, None)
