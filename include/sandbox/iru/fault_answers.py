"""What the tenant answers to a request that a fault struck: every layer in front of it with a body of its own.

Source: iru-api.md, sections 1.3 and 1.4: recorded answers, the official examples, and Kong's and Varnish's defaults.
"""

from starlette.responses import HTMLResponse, JSONResponse, Response

from include.sandbox.faults.plan import Fault

_PER_SECOND, _PER_HOUR = 50, 10_000
_REASONS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 200: "Maintenance"}
_JSON = {
    500: {"message": "An unexpected error occurred"},
    502: {"message": "An invalid response was received from the upstream server"},
    503: {"detail": "The service is temporarily unavailable."},
}


def error_answer(fault: Fault, _path: str) -> Response:
    """Return the answer."""
    match fault.kind:
        case "unauthorized":
            return JSONResponse({"detail": "Invalid token."}, 401)
        case "forbidden":
            return JSONResponse({"detail": "You do not have permission to perform this action."}, 403)
        case "rate_limited":
            return JSONResponse({"message": "API rate limit exceeded"}, 429, _spent(fault.options["retry_after_s"]))
        case "rate_limited_bare":
            return JSONResponse({"detail": "Request was throttled."}, 429)
        case "bare_string_error":
            return JSONResponse("This device is already locked.", 400)
        case "array_error":
            return JSONResponse(["Device is not in lost mode."], 400)
        case "html_200":
            return _page(200)
        case "error_500" | "error_502" | "error_503":
            return _failed(int(fault.kind.removeprefix("error_")), fault)
    raise KeyError(fault.kind)


def _spent(retry_after_s: int) -> dict[str, str]:
    """Return the headers of a second's window that is used up."""
    return {
        "RateLimit-Limit": str(_PER_SECOND),
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": str(retry_after_s),
        "X-RateLimit-Limit-Hour": str(_PER_HOUR),
        "X-RateLimit-Limit-Second": str(_PER_SECOND),
        "X-RateLimit-Remaining-Hour": str(_PER_HOUR - _PER_SECOND),
        "X-RateLimit-Remaining-Second": "0",
        "Retry-After": str(retry_after_s),
    }


def _failed(status: int, fault: Fault) -> Response:
    answer = _page(status) if fault.options["body"] == "html" else JSONResponse(_JSON[status], status)
    if fault.options.get("retry_after_s", -1) >= 0:
        answer.headers["Retry-After"] = str(fault.options["retry_after_s"])
    return answer


def _page(status: int) -> Response:
    reason = _REASONS[status]
    return HTMLResponse(
        f"<!doctype html><html><head><title>{status} {reason}</title></head>"
        f"<body><h1>{reason}</h1><p>Varnish cache server</p></body></html>",
        status,
    )
