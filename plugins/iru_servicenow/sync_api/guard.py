"""Bodies of requests, which only our own page may send: refused when another site had a browser send them.

A browser lets no other site set a header of ours or the type JSON without asking first, and nobody here answers such a
question; what it says of the sender's site is looked at besides. Source: OWASP, "Cross-Site Request Forgery
Prevention" (custom headers, origin, fetch metadata).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.sdk.configuration import conf
from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

from iru_servicenow.sync_api.answers import sentence

HEADER, SENDER = "X-Requested-By", "iru-servicenow-page"
MOST_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


def body_of(model: type[Model]) -> Callable[..., Awaitable[Model]]:
    """Return a dependency that reads the body of a request of our page: after the login, and no more than it may be."""

    async def read(request: Request, _user: GetUserDep) -> Model:
        refuse_foreign(request)
        try:
            return model.model_validate_json(await _bytes_of(request))
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            raise HTTPException(422, sentence(map(dict, problems))) from None

    return read


def refuse_foreign(request: Request) -> None:
    """Answer 403 to what another site, or a plain form, may have sent."""
    if request.headers.get(HEADER) != SENDER:
        raise HTTPException(403, f"The header {HEADER}: {SENDER} is missing; only the page itself may ask this.")
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(403, "The content type must be application/json; only the page itself may ask this.")
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise HTTPException(403, "Another site has asked this; only the page itself may.")
    if site is None and not _is_ours(request):
        raise HTTPException(403, "Another origin has asked this; only the page itself may.")


def _is_ours(request: Request) -> bool:
    """Compare the origin with where we were reached; programs that are no browsers send none."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    ours = {request.headers.get("Host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc} - {""}
    return urlsplit(origin).netloc in ours


async def _bytes_of(request: Request) -> bytes:
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > MOST_BYTES:
            raise HTTPException(413, f"The request is larger than {MOST_BYTES:,} bytes. Choose fewer rows.")
    return bytes(received)
