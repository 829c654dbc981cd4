"""What the instance answers to a request that a fault struck.

Source: servicenow-api.md, section 5: ServiceNow, "Inbound REST API rate limiting" (429), KB0546297 (layers of
throttling, 502 and 503), the hibernation page as clients code for it; the texts of a 429 without headers and of the
maintenance page are not published and made up.
"""

import time

from starlette.responses import HTMLResponse, Response

from include.sandbox.faults.plan import Fault
from include.sandbox.servicenow.errors import ApiError, not_authenticated, not_authorized
from include.sandbox.servicenow.json_response import SnowJson

_RULE = "5f0c4e61c3a1320076173b0ac3d3ae40"
_REASONS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
_HIBERNATING = (
    "<html><head><title>Instance Hibernating page</title></head><body><h1>Your instance is hibernating</h1>"
    "<p>Sign in to the site to wake your instance.</p></body></html>"
)
_OAUTH = "/oauth_token.do"


def error_answer(fault: Fault, path: str) -> Response:
    """Return the answer."""
    match fault.kind:
        case "unauthorized" if path == _OAUTH:
            return SnowJson({"error_description": "access_denied", "error": "server_error"}, status_code=401)
        case "unauthorized":
            return _envelope(not_authenticated())
        case "forbidden":
            return _envelope(not_authorized())
        case "rate_limited":
            return _envelope(_over_the_rule(fault.options["retry_after_s"]))
        case "rate_limited_bare":
            return _envelope(ApiError(429, "Too many requests", "Maximum number of concurrent requests reached"))
        case "html_200":
            return HTMLResponse(_HIBERNATING)
        case "error_500" | "error_502" | "error_503":
            return _failed(int(fault.kind.removeprefix("error_")), fault)
    raise KeyError(fault.kind)


def _envelope(error: ApiError) -> Response:
    return SnowJson(error.body(), status_code=error.status, headers=error.headers)


def _over_the_rule(retry_after_s: int) -> ApiError:
    headers = {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Reset": str(int(time.time()) + retry_after_s),
        "X-RateLimit-Rule": _RULE,
        "Retry-After": str(retry_after_s),
    }
    detail = "Rate limit of 100 requests per hour for Table API exceeded"
    return ApiError(429, "Rate limit exceeded", detail, headers=headers)


def _failed(status: int, fault: Fault) -> Response:
    reason = _REASONS[status]
    page = f"<html><head><title>{status} {reason}</title></head><body><h1>{reason}</h1></body></html>"
    is_page = fault.options["body"] == "html"
    answer = HTMLResponse(page, status) if is_page else _envelope(ApiError(status, reason))
    if fault.options.get("retry_after_s", -1) >= 0:
        answer.headers["Retry-After"] = str(fault.options["retry_after_s"])
    return answer
