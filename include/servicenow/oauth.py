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
from io import BytesIO
from typing import Any

import requests
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2Session

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.servicenow.settings import ServiceNowSettings
from include.web.address import is_loopback
from include.web.hints import retry_after_s
from include.web.transport import CONNECT_TIMEOUT_S, RequestCount, new_session, send

# Both libraries write request bodies and tokens to their debug logs.
logging.getLogger("requests_oauthlib").setLevel(logging.INFO)
logging.getLogger("oauthlib").setLevel(logging.INFO)

_DEFAULT_LIFE_S = 1800.0
_LABEL = "POST /oauth_token.do"
_environment_lock = threading.Lock()


class TokenSource:
    """Holds one access token for all threads of a client and renews it when it ends.

    It asks once: whoever needs the token tries again as a whole, or tries would multiply.
    """

    def __init__(
        self,
        settings: ServiceNowSettings,
        count: RequestCount,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._count = count
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

    def check_refresh(self) -> bool:
        """Renew the token by the refresh token that ServiceNow gave; False where it gave none. Raises SetupWrong."""
        with self._lock:
            if not self._refresh_token:
                return False
            self._request(self._refresh)
        return True

    def _renew(self) -> None:
        token = self._fetch_once()
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
        client_class = (
            BackendApplicationClient if self._settings.grant_type == "client_credentials" else LegacyApplicationClient
        )
        session = _TokenSession(self._settings, self._count, client=client_class(client_id=self._settings.client_id))
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, self._check)
        try:
            with session, _http_allowed_on_loopback(self._url):
                return dict(ask(session))
        except RetryLater as error:
            raise RetryLater(str(error), after_s=error.after_s) from None  # asking twice for a token changes nothing
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
            **details,
        )
        return token

    def _refresh(self, session: OAuth2Session) -> dict[str, Any]:
        token: dict[str, Any] = session.refresh_token(
            self._url,
            refresh_token=self._refresh_token,
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
        )
        return token

    @property
    def _url(self) -> str:
        return f"{self._settings.base_url}/oauth_token.do"

    def _check(self, response: requests.Response) -> requests.Response:
        """Judge the token endpoint's answer before oauthlib parses it."""
        if response.status_code == 429 or response.status_code >= 500:
            after_s = retry_after_s(response.headers, response.status_code)
            raise RetryLater(f"{_LABEL} answered HTTP {response.status_code}.", after_s=after_s)
        if 300 <= response.status_code < 400:
            raise SetupWrong(f"Connection {self._settings.connection!r}: {_LABEL} answered a redirect; check the host.")
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


class _TokenSession(OAuth2Session):
    """Asks for tokens as everything else is asked for: bounded, without redirects, by the connection's own proxies."""

    def __init__(self, settings: ServiceNowSettings, count: RequestCount, **options: Any) -> None:
        super().__init__(**options)
        self._count = count
        self._read_timeout_s = settings.read_timeout_s
        self._transport = new_session(verify=settings.verify, proxies=settings.proxies)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]  # oauthlib's
        """Send one request of oauthlib's and return the answer in its terms."""
        sent = {name: options[name] for name in ("data", "headers", "auth") if options.get(name) is not None}
        timeout = (CONNECT_TIMEOUT_S, self._read_timeout_s)
        answer = send(self._transport, method, url, label=_LABEL, count=self._count, timeout=timeout, **sent)
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response.raw = BytesIO(answer.body)
        response.encoding = "utf-8"
        response.request = requests.Request(method, url).prepare()  # oauthlib logs its parts: none of ours
        return response


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
