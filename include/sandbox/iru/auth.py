"""Bearer tokens and what each of them may do."""

import secrets
from fnmatch import fnmatchcase

from fastapi import Request

from include.sandbox.iru.errors import ApiError
from include.sandbox.iru.tenant import API_PREFIX, Tenant, get_tenant


async def authorize(request: Request) -> None:
    """Refuse an unknown token with 401 and a call that the token may not make with 403."""
    tenant = get_tenant(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    denied = _denied_patterns(tenant, token.strip()) if scheme.lower() == "bearer" else None
    if denied is None:
        raise ApiError(401, {"detail": "Invalid token."})
    call = f"{request.method} {request.url.path.removeprefix(API_PREFIX).rstrip('/')}"
    if any(fnmatchcase(call, pattern) for pattern in denied):
        raise ApiError(403, {"detail": "You do not have permission to perform this action."})


def _denied_patterns(tenant: Tenant, token: str) -> list[str] | None:
    if secrets.compare_digest(token.encode(), tenant.settings.token.encode()):
        return split_patterns(tenant.switches.denied)
    denied = tenant.tokens.get(token)
    return None if denied is None else split_patterns(denied)


def split_patterns(text: str) -> list[str]:
    """Return the patterns of a comma list such as ``GET /prism/*,PATCH /devices/*``."""
    return [part.strip() for part in text.split(",") if part.strip()]
