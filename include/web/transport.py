"""Send one HTTP request and hand its answer to the API's own judge."""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from requests.auth import AuthBase
from requests.models import PreparedRequest

from include.errors import AnswerUnusable, PipelineError, RetryLater
from include.web.deadline import Deadline, EndableAdapter
from include.web.failures import explain
from include.web.hints import retry_after_s, server_time_s

# It writes whole addresses to the log, at debug level each one, at warning level those with odd headers; a query may
# hold names, and a signed address is a credential.
logging.getLogger("urllib3").setLevel(logging.ERROR)

CONNECT_TIMEOUT_S = 10.0

TIMEOUT_S = (CONNECT_TIMEOUT_S, 90.0)
"""Connect and read time-outs; ServiceNow cancels an Import Set transaction after 60 s by itself."""

TOTAL_TIMEOUT_S = 300.0
"""How long one answer may take as a whole: a slow trickle never trips the read time-out."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The largest answer that is read, after decompression; a page of 300 rows or 10,000 staging rows is far below."""

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, with the request it belongs to (without its query, which may hold names)."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, parse: "Parse | None" = None) -> Any:
        """Return the parsed body; AnswerUnusable when it is not JSON. ``parse`` reads it, json.loads by default."""
        try:
            return (parse or json.loads)(self.body)
        except (ValueError, RecursionError) as error:
            raise AnswerUnusable(
                f"{self.request} answered HTTP {self.status} with {self.kind} that are not valid JSON."
            ) from error

    @property
    def kind(self) -> str:
        """The body's size and type in words, without its content."""
        return f"{len(self.body)} bytes of {self.headers.get('Content-Type', 'no content type')[:60]}"

    @property
    def retry_after_s(self) -> float | None:
        """The server's own hint in seconds: Retry-After, or on a 429 the end of the rate limit's window."""
        return retry_after_s(self.headers, self.status)

    @property
    def date_s(self) -> float | None:
        """The server's clock when it answered, in unix seconds; None where it sent no Date."""
        return server_time_s(self.headers)


class Bearer(AuthBase):
    """Signs a request with a token; as ``auth``, so that no entry of a .netrc file can take its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class RequestCount:
    """Counts the requests of several threads, their repetitions and the seconds waited before these.

    ``ruled`` are those among them that a rate limit rule counted too, ``rule_limit`` is what it allows an hour.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.total = 0
        self.retries = 0
        self.waited_s = 0.0
        self.ruled = 0
        self.rule_limit = 0

    def add(self) -> None:
        """Count one request."""
        with self._lock:
            self.total += 1

    def add_ruled(self, limit: int) -> None:
        """Note that a rate limit rule has counted a request, which is counted already."""
        with self._lock:
            self.ruled += 1
            self.rule_limit = limit

    def add_retry(self, waited_s: float) -> None:
        """Count one repetition and the wait before it; the request itself is counted when it is sent."""
        with self._lock:
            self.retries += 1
            self.waited_s += waited_s


class _Session(requests.Session):
    """A session that never even looks at where a redirect points: it could carry a credential elsewhere."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return nothing: requests would read the whole body, unbounded, and parse the address."""
        return None


def new_session(*, verify: bool | str = True, proxies: Mapping[str, str] | None = None) -> requests.Session:
    """Return a session that belongs to one thread only (ServiceNow serves one session serially)."""
    session = _Session()
    session.verify = verify
    session.proxies.update(proxies or {})
    for scheme in ("https://", "http://"):
        session.mount(scheme, EndableAdapter())
    return session


def own_verify(verify: bool | str | None) -> Any:
    """Return what to pass with each request: requests lets REQUESTS_CA_BUNDLE beat what only the session says."""
    return None if verify is True else verify


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    label: str,
    count: RequestCount,
    max_bytes: int | None = None,
    **options: Any,
) -> Answer:
    """Send one request without following redirects, and return whatever was answered, bounded in size and time.

    ``label`` names the request in messages; ``timeout`` (connect, read) and ``total_timeout_s`` are options. Raises
    RetryLater when no complete answer came in time, AnswerUnusable when it is larger than ``max_bytes``, SetupWrong
    when the server's certificate cannot be trusted or the request cannot even be written.
    """
    with exchange(session, method, url, label=label, count=count, **options) as response:
        body = b"".join(pieces(response, label=label, max_bytes=max_bytes or MAX_BODY_BYTES))
    return Answer(label, response.status_code, response.headers, body)


@contextmanager
def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    label: str,
    count: RequestCount,
    timeout: tuple[float, float] | None = None,
    total_timeout_s: float | None = None,
    **options: Any,
) -> Iterator[requests.Response]:
    """Send one request and give the answer whose body is still to be read; errors are those of ``send``."""
    count.add()
    options.setdefault("verify", own_verify(session.verify))
    # As an option of the request, like ``verify``: requests lets the environment's proxies beat the session's.
    options.setdefault("proxies", dict(session.proxies))
    limit_s = total_timeout_s or TOTAL_TIMEOUT_S
    late = RetryLater(f"{label}: the answer was not complete after {limit_s:g} s.", maybe_done=True)
    with Deadline(session, limit_s) as deadline:
        try:
            with session.request(
                method, url, allow_redirects=False, stream=True, timeout=timeout or TIMEOUT_S, **options
            ) as response:
                yield response
        except (OSError, ValueError) as error:  # requests' own errors are both kinds
            raise (late if deadline.passed else explain(error, label, url)) from None
        except PipelineError:
            if deadline.passed:
                raise late from None
            raise
    if deadline.passed:  # what looks like the end of the answer was the end of our patience
        raise late


def pieces(response: requests.Response, *, label: str, max_bytes: int) -> Iterator[bytes]:
    """Yield the body as it comes, decompressed; AnswerUnusable beyond ``max_bytes``, before that much is in memory."""
    size = 0
    for piece in response.iter_content(PIECE_BYTES):
        size += len(piece)
        if size > max_bytes:
            raise AnswerUnusable(f"{label}: the answer is larger than {max_bytes} bytes; it was not read to its end.")
        yield piece


Parse = Callable[[bytes], Any]
"""Turns a body into a value; raises ValueError or RecursionError for what is no JSON."""

Judge = Callable[[Answer], Any]
"""Turns an answer into its JSON value, or raises the error that says what to do."""
