"""What ServiceNow's answers say of a rate limit rule: how many requests an hour it allows.

The headers come with every answer to a request that a rule counts, and with no other; how many are left they do not
say. Source: ServiceNow, "Inbound REST API rate limiting".
"""

from collections.abc import Mapping


def read_limit(headers: Mapping[str, str]) -> int | None:
    """Return the requests an hour that a rule allows; None where no rule has counted the request."""
    text = headers.get("X-RateLimit-Limit", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
