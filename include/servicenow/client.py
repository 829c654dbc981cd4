"""Requests to one ServiceNow instance: signed in, judged, tried again, one session per thread."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests

from include.errors import RetryLater, SetupWrong
from include.servicenow.judge import TokenRefused, judge
from include.servicenow.oauth import TokenSource
from include.servicenow.rate_limit import read_limit
from include.servicenow.settings import ServiceNowSettings
from include.web.retry import RetryPolicy
from include.web.transport import CONNECT_TIMEOUT_S, Answer, Bearer, RequestCount, new_session, send

T = TypeVar("T")


class ServiceNowClient:
    """May be shared by threads: each gets a session of its own, since ServiceNow serves a session serially."""

    def __init__(self, settings: ServiceNowSettings, *, retry: RetryPolicy | None = None) -> None:
        self.settings = settings
        self.requests = RequestCount()
        self._retry = retry or RetryPolicy()
        self._tokens = TokenSource(settings, self.requests)
        self._threads = threading.local()
        self._dated: tuple[float, float] | None = None

    def get(self, path: str, **params: Any) -> tuple[Any, Mapping[str, str]]:
        """Return the JSON and the headers of ``GET /api/now/<path>``.

        Raises SetupWrong (AccessDenied for 403), RetryLater, Refused or AnswerUnusable.
        """
        return self._retry.call(lambda: self._send("GET", path, params=params), repeat_unsure=True, count=self.requests)

    def post(
        self,
        path: str,
        body: bytes,
        *,
        read: Callable[[Any], T],
        recall: Callable[[RetryLater], T | None],
        **params: str,
    ) -> T:
        """Return what ``read`` makes of the JSON of ``POST /api/now/<path>``.

        Where the work may have been done although its answer was lost, ``recall`` looks for it before anything is sent
        again: it returns what was done, or None where it was not. Raises as ``get`` does.
        """
        options = {"params": params, "data": body, "headers": {"Content-Type": "application/json"}}

        def attempt() -> T:
            try:
                return read(self._send("POST", path, **options)[0])
            except RetryLater as lost:
                done = _recalled(recall, lost) if lost.maybe_done else None
                if done is not None:
                    return done
                raise RetryLater(str(lost), after_s=lost.after_s) from None

        return self._retry.call(attempt, repeat_unsure=False, count=self.requests)

    def server_now_s(self) -> float | None:
        """Return the instance's present in unix seconds, as its last answer dated itself; None before the first."""
        dated = self._dated
        return dated[0] + time.monotonic() - dated[1] if dated else None

    def check_sign_in(self) -> None:
        """Fetch a token and nothing else; SetupWrong says what the connection lacks."""
        self._retry.call(self._tokens.bearer, repeat_unsure=True, count=self.requests)

    def check_refresh(self) -> bool:
        """Renew the token as a long run does; False where ServiceNow gives no refresh token. Raises SetupWrong."""
        return self._retry.call(self._tokens.check_refresh, repeat_unsure=True, count=self.requests)

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
        answer = send(
            self._session,
            method,
            f"{self.settings.base_url}/api/now/{path}",
            label=f"{method} /api/now/{path}",
            count=self.requests,
            auth=Bearer(token),
            timeout=(CONNECT_TIMEOUT_S, self.settings.read_timeout_s),
            **{**options, "headers": headers},
        )
        limit = read_limit(answer.headers)
        if limit is not None:
            self.requests.add_ruled(limit)
        if answer.date_s is not None:
            self._dated = (answer.date_s, time.monotonic())
        return answer

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = new_session(verify=self.settings.verify, proxies=self.settings.proxies)
            self._threads.session = session
        return session


def _recalled(recall: Callable[[RetryLater], T | None], lost: RetryLater) -> T | None:
    """Ask what became of a write; as long as that cannot be told, it may be done, and is not repeated."""
    try:
        return recall(lost)
    except RetryLater as error:
        raise RetryLater(f"{lost} What became of it cannot be told: {error}", maybe_done=True) from None
