"""One request ends in bounded time and memory, in an answer or in one of the project's errors, whatever is sent."""

import contextlib
import gzip
import json
import logging
import socket
import ssl
import threading
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from raw_server import Raw, sending
from scripted import Reply, in_turn, serving

from include.errors import AnswerUnusable, PipelineError, RetryLater, SetupWrong
from include.sandbox.tls import make_certificates
from include.web import transport
from include.web.transport import Answer, RequestCount, new_session, send

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FUZZ = hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ask(url: str, **options) -> Answer:
    """Send one request with short time limits."""
    options = {"timeout": (2.0, 2.0), "total_timeout_s": 10.0} | options
    with new_session() as session:
        return send(session, "GET", url, label="GET /x", count=RequestCount(), **options)


# --- size ----------------------------------------------------------------------------------------------------------


def _bomb(megabytes: int) -> bytes:
    return gzip.compress(b"0" * (megabytes * 1024 * 1024), 9, mtime=0)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_not_unpacked(monkeypatch, layers):
    """A small answer that unpacks to far more than the bound is stopped early, also when it is packed twice."""
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 1024 * 1024)
    body = _bomb(80)
    for _ in range(layers - 1):
        body = gzip.compress(body, 9, mtime=0)
    reply = Reply(body, headers={"Content-Encoding": ", ".join(["gzip"] * layers)})
    with serving(in_turn(reply)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(AnswerUnusable, match="larger than 1048576 bytes"):
                ask(server.url)
            assert tracemalloc.get_traced_memory()[1] < 20 * 1024 * 1024
        finally:
            tracemalloc.stop()


def test_an_endless_answer_is_stopped_at_the_bound():
    """An answer without an end is read up to the bound, not until memory is full."""

    def endless():
        while True:
            yield b"x" * 65536

    with sending() as server:
        server.pieces = (piece for part in ([HEAD + b"\r\n"], endless()) for piece in part)
        with pytest.raises(AnswerUnusable, match="larger than"):
            ask(server.url, max_bytes=1_000_000)
        assert server.sent < 50_000_000


def test_an_answer_within_the_bound_arrives_whole():
    """The bound cuts nothing that is allowed: packed, chunked and plain answers arrive byte by byte."""
    body = json.dumps([{"n": n} for n in range(20_000)]).encode()
    packed = Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    with serving(in_turn(Reply(body), packed)) as server:
        assert ask(server.url).body == body
        assert ask(server.url).body == body
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (body[:1000], body[1000:])) + b"0\r\n\r\n"
    with sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks) as server:
        assert ask(server.url).body == body


# --- time ----------------------------------------------------------------------------------------------------------

_TRICKLES = {
    "body": [HEAD + b"Content-Length: 1000\r\n\r\n", *[b"1"] * 1000],
    "chunked": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n", *[b"1"] * 1000],
    "to the end of the connection": [HEAD + b"\r\n", *[b"1"] * 1000],
    "headers": [HEAD, *[b"X"] * 1000],
    "closing": [b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n", *[b"1"] * 1000],
}


@pytest.mark.parametrize("kind", _TRICKLES)
def test_a_slow_trickle_ends_after_the_total_time(kind):
    """Bytes that keep coming never trip a read time-out; the whole answer has a time limit of its own."""
    with sending(*_TRICKLES[kind], pause_s=0.02) as server:
        with pytest.raises(RetryLater, match=r"not complete after 0\.3 s") as caught:
            ask(server.url, total_timeout_s=0.3)
        assert caught.value.maybe_done
        assert server.sent < 900


@pytest.mark.parametrize("kind", ["body", "headers", "to the end of the connection"])
def test_a_slow_trickle_over_tls_ends_after_the_total_time(tmp_path, kind):
    """The same holds where the socket is encrypted, and it is not taken for a wrong certificate."""
    ca, files = make_certificates(tmp_path)
    with sending(*_TRICKLES[kind], pause_s=0.02) as server, new_session(verify=str(ca)) as session:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(files.certificate, files.key)
        with pytest.raises(RetryLater, match=r"not complete after 0\.4 s"):
            send(session, "GET", server.url, label="GET /x", count=RequestCount(), total_timeout_s=0.4)


def test_a_session_goes_on_after_an_answer_that_was_too_slow():
    """The next request of the same session opens a new connection and gets its answer."""
    count = RequestCount()
    with (
        sending(*_TRICKLES["body"], pause_s=0.02) as slow,
        serving(in_turn(Reply([1]))) as server,
        new_session() as session,
    ):
        with pytest.raises(RetryLater):
            send(session, "GET", slow.url, label="GET /x", count=count, total_timeout_s=0.2)
        for _ in range(2):
            assert send(session, "GET", server.url, label="GET /x", count=count).json() == [1]
    assert count.total == 3


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 100\r\n\r\n[1, 2",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"",
        b"not HTTP at all\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n[1,2]",
        HEAD + b"X: y\r\n" * 200 + b"\r\n",
        HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=["cut", "cut chunk", "no gzip", "nothing", "no HTTP", "two lengths", "many headers", "long header"],
)
def test_a_broken_answer_is_tried_again_as_maybe_done(answer):
    """What came is not whole, so the work may have been done, and the same request may get a whole answer."""
    with sending(answer) as server, pytest.raises(RetryLater) as caught:
        ask(server.url)
    assert caught.value.maybe_done


def test_a_tls_handshake_that_is_cut_off_is_tried_again():
    """A connection that ends while it is being encrypted says nothing about the certificate."""
    listener = socket.create_server(("127.0.0.1", 0))

    def cut() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        connection.close()

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(RetryLater):
        ask(f"https://127.0.0.1:{listener.getsockname()[1]}")
    thread.join()
    listener.close()


def test_a_port_that_speaks_no_tls_is_a_set_up_mistake():
    """https to a plain port would never succeed."""
    with sending(b"HTTP/1.1 400 no\r\n\r\n") as server, pytest.raises(SetupWrong):
        ask(server.url.replace("http://", "https://"))


# --- redirects, proxies, certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["", "http://[", "https://\xff\xfe/", "//elsewhere", "\t", "http://a:99999999/"])
def test_a_redirect_is_answered_as_it_is_and_its_address_not_even_read(location):
    """Where a redirect points is of no interest, so no spelling of it can do anything."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    with sending(head) as server:
        assert ask(server.url).status == 302


def test_the_body_of_a_redirect_is_bounded_too():
    """A redirect's body is an answer like any other, packed or not."""
    reply = Reply(_bomb(5), 302, {"Location": "/y", "Content-Encoding": "gzip"})
    with serving(in_turn(reply)) as server, pytest.raises(AnswerUnusable, match="larger than"):
        ask(server.url, max_bytes=100_000)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_connections_proxy_beats_the_environments(monkeypatch, variable):
    """Where the machine names a proxy as well, the one that the connection names is used."""
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with serving(in_turn(Reply([1]))) as proxy, new_session(proxies={"http": proxy.url}) as session:
        answer = send(session, "GET", "http://127.0.0.1:1/x", label="GET /x", count=RequestCount())
    assert answer.json() == [1]


def test_a_ca_file_that_is_not_there_is_named_as_a_set_up_mistake():
    """A slip in the path of the CA file is told as such, not as a crash."""
    with new_session(verify="/nowhere/ca.pem") as session, pytest.raises(SetupWrong, match="'verify'"):
        send(session, "GET", "https://127.0.0.1:9/x", label="GET /x", count=RequestCount())


def test_addresses_are_not_logged_even_at_debug(caplog):
    """A query may hold names or a signature; the libraries' debug log shows neither."""
    with caplog.at_level(logging.DEBUG), serving(in_turn(Reply([1]))) as server:
        ask(f"{server.url}/file?X-Amz-Signature=SECRET7")
    assert "SECRET7" not in caplog.text


# --- hostile answers -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raw():
    """One server for many examples."""
    with sending() as server:
        yield server


@FUZZ
@given(st.binary(max_size=300))
def test_any_bytes_as_an_answer_end_in_an_answer_or_an_error_of_ours(raw: Raw, sent: bytes):
    """Nothing that a server can send raises anything but the project's errors."""
    raw.pieces = [sent]
    with contextlib.suppress(PipelineError):
        ask(raw.url).json()


_LINES = st.sampled_from(
    [
        b"Content-Length: 3", b"Content-Length: -1", b"Content-Length: x", b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: " + b"gzip, " * 6 + b"gzip",
        b"Content-Encoding: br", b"Location: http://[", b"Set-Cookie: \xff=;;;expires=x", b"Date: x", b": no name",
        b"Retry-After: \xff", b"Connection: close", b"Content-Type: text/html; charset=no-such",
    ]
)  # fmt: skip
_BODIES = st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(gzip.compress), st.just(zlib.compress(b"[]")))


@FUZZ
@given(st.sampled_from([b"200 OK", b"204 No", b"302 F", b"429", b"999 x", b"100 C"]), st.lists(_LINES), _BODIES)
def test_any_mixture_of_headers_ends_in_an_answer_or_an_error_of_ours(raw: Raw, status, lines, body):
    """Headers that contradict each other or the body, in any mixture, are no crash."""
    raw.pieces = [b"\r\n".join([b"HTTP/1.1 " + status, *lines]) + b"\r\n\r\n" + body]
    with contextlib.suppress(PipelineError):
        answer = ask(raw.url)
        assert answer.retry_after_s is None or answer.retry_after_s >= 0
        answer.json()
