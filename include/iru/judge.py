"""One judge for every answer of Iru's API.

Error bodies are an object, an array, a bare string or HTML, so only the status code is relied on.
Source: Iru Endpoint API, "Response codes" in the official Postman collection.
"""

import json

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.privacy import masked
from include.web.transport import Answer, Parse

_LONGEST_DETAIL = 200
_TRANSIENT = {408, 425}


class NotPermitted(SetupWrong):
    """The token is known and may not make this call (403)."""


class NotFound(AnswerUnusable):
    """Iru does not know the object; for a device, this proves that it is gone."""


class BadRequest(AnswerUnusable):
    """Iru refused the request's parameters."""


def judge(answer: Answer, parse: Parse | None = None) -> object:
    """Return the JSON value of a success, as ``parse`` reads it; raise what to do about anything else."""
    status = answer.status
    if status == 200:
        return _json(answer, parse)
    if status in (401, 403):
        kind = NotPermitted if status == 403 else SetupWrong
        raise kind(
            f"{answer.request}: Iru answered HTTP {status}{_detail(answer)}. Check the API token in the password of "
            "the Iru connection, and that the token's permissions include this endpoint (Access > API tokens)."
        )
    if status == 404:
        raise NotFound(
            f"{answer.request}: Iru answered HTTP 404{_detail(answer)}. Check the host in the Iru connection."
        )
    if status == 429:
        raise RetryLater(f"{answer.request}: Iru's rate limit is reached (HTTP 429).", after_s=answer.retry_after_s)
    if status in _TRANSIENT or status >= 500:
        raise RetryLater(
            f"{answer.request}: Iru answered HTTP {status}.", after_s=answer.retry_after_s, maybe_done=True
        )
    if 300 <= status < 400:
        raise SetupWrong(f"{answer.request}: Iru answered a redirect (HTTP {status}); check the connection's host.")
    if 400 <= status < 500:
        raise BadRequest(f"{answer.request}: Iru answered HTTP {status}{_detail(answer)}.")
    raise AnswerUnusable(f"{answer.request}: Iru answered HTTP {status}, which this call does not know.")


def _json(answer: Answer, parse: Parse | None) -> object:
    """Return the body; what is no JSON is a page of something in between or a cut answer, and may be whole next time.

    Source: proxies, gateways and maintenance pages answer 200 with HTML of their own.
    """
    try:
        return answer.json(parse)
    except AnswerUnusable as error:
        raise RetryLater(
            f"{error} If that stays so, a proxy or a sign-in page answers in Iru's place; check the connection's "
            "host and proxies.",
            maybe_done=True,
        ) from None


def _detail(answer: Answer) -> str:
    """Return the server's own words, without values, where they are short text in JSON, else nothing."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(body, dict):
        body = body.get("detail") or body.get("message")
    if isinstance(body, list) and body:
        body = body[0]
    words = "".join(c for c in body if c.isprintable())[:_LONGEST_DETAIL] if isinstance(body, str) else ""
    return f" ({masked(words.strip())})" if words.strip() else ""
