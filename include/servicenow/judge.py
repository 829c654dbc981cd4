"""One judge for every answer of ServiceNow.

Source: ServiceNow, "REST API HTTP response codes"; KB0546297 (throttling); KB0747638 (payload size); a 202 means that
the session's queue was full and the request was dropped (KB3047080).
"""

from typing import Any

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.web.transport import Answer


class TokenRefused(AnswerUnusable):
    """The access token is no longer good (401); the client renews it once and repeats."""


class AccessDenied(SetupWrong):
    """The service account may not do this (403)."""


class Refused(AnswerUnusable):
    """ServiceNow refused the request as such: a table that is not there, a body that it cannot take."""


def judge(answer: Answer) -> Any:
    """Return the JSON value of a success; raise what to do about anything else."""
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
    if status >= 500:
        raise RetryLater(
            f"{request}: ServiceNow answered HTTP {status}{_detail(answer)}.",
            after_s=answer.retry_after_s,
            maybe_done=True,
        )
    if 300 <= status < 400:
        raise SetupWrong(f"{request}: ServiceNow answered a redirect (HTTP {status}); check the connection's host.")
    raise Refused(f"{request}: ServiceNow answered HTTP {status}{_detail(answer)}.")


def _json(answer: Answer) -> Any:
    kind = answer.headers.get("Content-Type", "").lower()
    if "html" in kind or answer.body.lstrip()[:1] == b"<":
        hint = (
            "is hibernating; sign in to wake it" if b"hibernating" in answer.body.lower() else "may be in maintenance"
        )
        raise RetryLater(f"{answer.request}: ServiceNow answered a web page instead of JSON; the instance {hint}.")
    return answer.json()


def _detail(answer: Answer) -> str:
    """Return ServiceNow's own message, cut short, where the body is its error envelope."""
    try:
        error = answer.json()["error"]
        words = [str(error[key]) for key in ("message", "detail") if error.get(key)]
    except (AnswerUnusable, KeyError, TypeError, AttributeError):
        return ""
    return f" ({': '.join(words)[:300]})" if words else ""
