"""Requests to one ServiceNow instance: signed in, judged, tried again, one session per thread."""

import threading
from collections.abc import Mapping
from typing import Any

import requests

from include.errors import SetupWrong
from include.servicenow.judge import TokenRefused, judge
from include.servicenow.oauth import TokenSource
from include.servicenow.settings import ServiceNowSettings
from include.web.retry import RetryPolicy
from include.web.transport import Answer, Bearer, RequestCount, new_session, send


class ServiceNowClient:
    """May be shared by threads: each gets a session of its own, since ServiceNow serves a session serially."""

    def __init__(self, settings: ServiceNowSettings, *, retry: RetryPolicy | None = None) -> None:
        self.settings = settings
        self.requests = RequestCount()
        self._retry = retry or RetryPolicy()
        self._tokens = TokenSource(settings, self.requests, self._retry)
        self._threads = threading.local()

    def get(self, path: str, **params: Any) -> tuple[Any, Mapping[str, str]]:
        """Return the JSON and the headers of ``GET /api/now/<path>``.

        Raises SetupWrong (AccessDenied for 403), RetryLater, Refused or AnswerUnusable.
        """
        return self._retry.call(lambda: self._send("GET", path, params=params), repeat_unsure=True)

    def post(self, path: str, body: bytes, **params: Any) -> Any:
        """Return the JSON of ``POST /api/now/<path>``.

        A request that ServiceNow may have worked on already is not repeated: RetryLater with ``maybe_done``.
        """
        json_headers = {"Content-Type": "application/json"}
        return self._retry.call(
            lambda: self._send("POST", path, params=params, data=body, headers=json_headers)[0], repeat_unsure=False
        )

    def check_sign_in(self) -> None:
        """Fetch a token and nothing else; SetupWrong says what the connection lacks."""
        self._tokens.bearer()

    def _send(self, method: str, path: str, **options: Any) -> tuple[Any, Mapping[str, str]]:
        token = self._tokens.bearer()
        try:
            answer = self._send_with(token, method, path, options)
            return judge(answer), answer.headers
        except TokenRefused:
            answer = self._send_with(self._tokens.replace(token), method, path, options)
        try:
            return judge(answer), answer.headers
        except TokenRefused as error:
            raise SetupWrong(
                f"{error} A fresh token was refused as well: check the user of connection "
                f"{self.settings.connection!r} and its roles."
            ) from None

    def _send_with(self, token: str, method: str, path: str, options: Mapping[str, Any]) -> Answer:
        headers = {"Accept": "application/json", **options.get("headers", {})}
        return send(
            self._session,
            method,
            f"{self.settings.base_url}/api/now/{path}",
            label=f"{method} /api/now/{path}",
            count=self.requests,
            auth=Bearer(token),
            **{**options, "headers": headers},
        )

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = new_session(verify=self.settings.verify, proxies=self.settings.proxies)
            self._threads.session = session
        return session
