"""Faults of requests, which both services play; their subject is ``<METHOD> <path>``, e.g. ``GET /api/v1/devices``.

Source: the answers and failures collected in servicenow-api.md, section 5, and iru-api.md, sections 1.3 and 1.4.
"""

from typing import Any

from include.sandbox.faults.kind import Catalogue, FaultKind, catalogue_of

REQUEST = "request"
_BODIES = ("json", "html")


def _kind(name: str, summary: str, *, match: str = "*", **options: Any) -> FaultKind:
    choices = {"body": _BODIES} if "body" in options else {}
    return FaultKind(name=name, point=REQUEST, summary=summary, match=match, options=options, choices=choices)


SHARED: Catalogue = catalogue_of(
    _kind("unauthorized", "401"),
    _kind("forbidden", "403; 'after' does the work all the same", after=False),
    _kind("rate_limited", "429 with Retry-After and rate headers", retry_after_s=1),
    _kind("rate_limited_bare", "429 without any of these headers"),
    _kind("error_500", "500; 'after' does the work first", after=False, body="json"),
    _kind("error_502", "502; 'after' does the work first", after=False, body="html"),
    _kind(
        "error_503", "503; 'after' does the work first; Retry-After from 0 on", after=False, body="json",
        retry_after_s=-1,
    ),
    _kind("html_200", "a web page with status 200; 'after' does the work first", after=False),
    _kind("refused", "every connection is reset, then the port refuses connections for a while", for_s=1.0),
    _kind("reset_before", "the connection is reset before anything is done"),
    _kind("reset_after", "the work is done and the connection reset instead of the answer"),
    _kind("timeout", "no answer until the connection closes; 'after' does the work first", hang_s=60.0, after=False),
    _kind("truncated", "the work is done; the connection closes after half of the announced body"),
    _kind("malformed", "the work is done; the body ends in its middle, and its length says so", match="* /api/*"),
    _kind("trickle", "the right answer in small pieces with pauses between", piece_bytes=64, pause_s=0.05),
    _kind("huge", "200 with a body of so many megabytes (0: without end); 'gzip' compresses it", size_mb=0, gzip=False),
)  # fmt: skip
"""What either service may be asked for."""

IRU: Catalogue = {
    **SHARED,
    **catalogue_of(
        _kind("bare_string_error", "400 with a bare JSON string"),
        _kind("array_error", "400 with a JSON array"),
    ),
}

SERVICENOW: Catalogue = SHARED
