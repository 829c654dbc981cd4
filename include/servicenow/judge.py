"""One judge for every answer of ServiceNow.

Source: ServiceNow, "REST API HTTP response codes"; KB0546297 (throttling); KB0747638 (payload size); a 202 means that
the session's queue was full and the request was dropped (KB3047080).
"""

from typing import Any

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.privacy import masked
from include.servicenow.values import to_text
from include.web.transport import Answer


class TokenRefused(AnswerUnusable):
    """The access token is no longer good (401); the client renews it once and repeats."""


class AccessDenied(SetupWrong):
    """The service account may not do this (403)."""


class Refused(AnswerUnusable):
    """ServiceNow refused the request as such: a body that it cannot take, a record that is not there.

    ``words`` are ServiceNow's own, without values: an error may echo a token or a row.
    """

    def __init__(self, message: str, *, words: str = "") -> None:
        super().__init__(message)
        self.words = words or message


class NoSuchTable(Refused, SetupWrong):
    """The instance has no table of that name."""


class AnswerLost(RetryLater):
    """ServiceNow has ended its work on the request, but its answer does not say what became of it."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message, after_s=after_s, maybe_done=True)


_GATEWAY = (502, 504)
"""Answered by what stands before the instance, which may still be working on the request."""


def judge(answer: Answer) -> Any:
    """Return the JSON value of a success; raise what to do about anything else.

    Done: the value. Row or request refused: Refused. Try again, when, and whether the work may be done already:
    RetryLater. Wrong set-up: SetupWrong (AccessDenied, NoSuchTable). No longer signed in: TokenRefused.
    """
    status, request = answer.status, answer.request
    if status in (200, 201):
        return _json(answer)
    if status == 202:
        raise RetryLater(f"{request}: ServiceNow dropped the request (HTTP 202: the session's queue is full).")
    if status == 401:
        raise TokenRefused(f"{request}: ServiceNow answered HTTP 401.")
    if status == 403:
        raise AccessDenied(
            f"{request}: ServiceNow answered HTTP 403{_detail(answer)}. The service account lacks a role: "
            "import_transformer to load, cmdb_read to read the CMDB."
        )
    if status == 429:
        raise RetryLater(f"{request}: ServiceNow's rate limit is reached (HTTP 429).", after_s=answer.retry_after_s)
    if status in _GATEWAY or status == 408:
        message = f"{request}: ServiceNow answered HTTP {status}{_detail(answer)}."
        raise RetryLater(message, after_s=answer.retry_after_s, maybe_done=True)
    if status >= 500:
        raise AnswerLost(
            f"{request}: ServiceNow answered HTTP {status}{_detail(answer)}.", after_s=answer.retry_after_s
        )
    if 300 <= status < 400:
        raise SetupWrong(f"{request}: ServiceNow answered a redirect (HTTP {status}); check the connection's host.")
    if status == 400 and b"Invalid table" in answer.body:
        raise NoSuchTable(
            f"{request}: ServiceNow answered HTTP 400{_detail(answer)}. Check that the Kandji app is installed, and "
            "the staging table's name in the mapping."
        )
    raise Refused(
        f"{request}: ServiceNow answered HTTP {status}{_detail(answer)}.", words=f"HTTP {status}{_detail(answer)}"
    )


def _json(answer: Answer) -> Any:
    kind = answer.headers.get("Content-Type", "").lower()
    if "html" in kind or answer.body.lstrip()[:1] == b"<":
        hint = (
            "is hibernating; sign in to wake it" if b"hibernating" in answer.body.lower() else "may be in maintenance"
        )
        raise AnswerLost(f"{answer.request}: ServiceNow answered a web page instead of JSON; the instance {hint}.")
    try:
        return answer.json()
    except AnswerUnusable as error:
        raise AnswerLost(str(error)) from None


def _detail(answer: Answer) -> str:
    """Return ServiceNow's own message, cut short and without values, where the body is its error envelope."""
    try:
        error = answer.json()["error"]
        words = ": ".join(to_text(error[key]) for key in ("message", "detail") if error.get(key))[:300]
    except (AnswerUnusable, KeyError, TypeError, AttributeError):
        return ""
    return f" ({masked(words)})" if words else ""
