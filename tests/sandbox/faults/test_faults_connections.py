"""Faults below HTTP: what becomes of the connection, and whether the work was done."""

import http.client
import json
import socket
import threading
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
import requests

from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

WRITES = {"match": "P*"}
MEGABYTE = 1024 * 1024
TINY = SandboxSpec(fleet=FleetSpec(devices=1, apps_per_device=1))


def _connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)


def _is_open(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0


@pytest.mark.parametrize(("kind", "done"), [("reset_before", False), ("reset_after", True)])
def test_a_reset_leaves_open_whether_the_work_was_done(service, kind, done):
    """The client sees the same reset whether its write had its effect or not."""
    service.strike(kind, **WRITES)
    with pytest.raises(requests.ConnectionError, match="reset"):
        service.write()
    assert service.is_done() is done
    assert service.write().ok


def test_a_kept_connection_does_not_survive_a_reset(service):
    """A connection that served requests before gets RST, not an orderly end, and is of no use any more."""
    service.strike("reset_before", match="* /kept")
    connection = _connect(service.url)
    connection.request("GET", "/before")
    connection.getresponse().read()
    assert connection.sock is not None
    kept = connection.sock
    kept.sendall(b"GET /kept HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        kept.recv(1)
    with pytest.raises(BrokenPipeError):
        kept.sendall(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.close()


def test_a_request_without_an_answer_is_not_done(service):
    """A request that hangs is given up by the client, and had no effect."""
    service.strike("timeout", **WRITES)
    with pytest.raises(requests.exceptions.ReadTimeout):
        service.write(timeout_s=0.2)
    assert not service.is_done()


def test_a_request_without_an_answer_may_have_been_done(service):
    """With 'after' the write has its effect although no answer comes."""
    service.strike("timeout", after=True, **WRITES)
    with pytest.raises(requests.exceptions.ReadTimeout):
        service.write(timeout_s=0.2)
    assert service.becomes_done()


def test_a_hanging_request_ends_by_itself(service):
    """After its time the connection goes, for a client without a time-out."""
    service.strike("timeout", hang_s=0.2, **WRITES)
    with pytest.raises(requests.ConnectionError):
        service.write()


def test_a_truncated_answer_is_shorter_than_it_says(service):
    """The length is the whole body's, half of it comes, the connection ends, and the work was done."""
    service.strike("truncated", **WRITES)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        service.write()
    assert service.is_done()
    service.strike("truncated")
    connection = _connect(service.url)
    connection.request("GET", "/nowhere")
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    assert answer.getheader("content-length") == str(len(cut.value.partial) + (cut.value.expected or 0))
    assert abs(len(cut.value.partial) - (cut.value.expected or 0)) <= 1


def test_a_trickle_is_slow_and_right(iru):
    """The whole answer comes, in pieces of the size asked for."""
    iru.strike("trickle", match="GET *", piece_bytes=500, pause_s=0.01)
    began = time.monotonic()
    slow = iru.devices()
    took_s = time.monotonic() - began
    assert slow == iru.devices()
    assert took_s >= 0.01 * (len(json.dumps(slow, separators=(",", ":"))) // 500)


def test_a_trickle_sends_one_piece_at_a_time(service):
    """What is on the wire between two pauses is one piece."""
    service.strike("trickle", piece_bytes=10, pause_s=30)
    with socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0), timeout=30) as client:
        client.sendall(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        seen = b""
        while len(seen.partition(b"\r\n\r\n")[2]) < 10:
            seen += client.recv(65_536)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(65_536)
    assert len(seen.partition(b"\r\n\r\n")[2]) == 10


@pytest.mark.parametrize("gzip", [False, True])
def test_a_huge_answer_is_valid_and_does_not_say_its_size(service, gzip):
    """So many megabytes come without Content-Length; compressed, they are small on the wire."""
    service.strike("huge", size_mb=2, gzip=gzip)
    service.admin("DELETE", "counters")
    with requests.get(f"{service.url}/api/x", timeout=30, stream=True) as answer:
        assert (answer.status_code, "content-length" in answer.headers) == (200, False)
        body = answer.content
    assert len(body) == 2 * MEGABYTE + 2
    assert json.loads(body) == []
    sent = service.counters()["bytes_out"]
    assert sent < MEGABYTE / 10 if gzip else sent == len(body)


def test_an_endless_answer_ends_with_its_client(service):
    """The server goes on sending until the client leaves, and then serves others as before."""
    service.strike("huge")
    service.admin("DELETE", "counters")
    with requests.get(f"{service.url}/api/x", timeout=30, stream=True) as answer:
        received = 0
        for part in answer.iter_content(MEGABYTE):
            received += len(part)
            if received > 20 * MEGABYTE:
                break
    for _ in range(100):  # a request is counted by status when the server is done with it
        if service.counters()["by_status"]:
            break
        time.sleep(0.05)
    assert service.counters()["by_status"] == {"200": 1}
    assert service.write().ok
    assert service.is_done()


def test_a_refusing_server_comes_back_on_the_same_port(service):
    """The struck request and all other connections are reset, nothing is done, and soon all is as before."""
    other = _connect(service.url)
    other.request("GET", "/before")
    other.getresponse().read()
    service.strike("refused", for_s=0.2, **WRITES)
    with pytest.raises(requests.ConnectionError):
        service.write()
    assert other.sock is not None
    with pytest.raises(ConnectionResetError):
        other.sock.recv(1)
    other.close()
    _wait_until_open(service.url)
    assert not service.is_done()
    assert service.write().ok
    assert service.is_done()


def test_a_refusing_server_listens_no_more_and_keeps_its_port():
    """Nobody can connect, and nobody else can take the port."""
    with Sandbox(TINY) as sandbox:
        sandbox.servicenow_faults.add({"kind": "refused", "for_s": 60})
        _break(f"{sandbox.servicenow.url}/x")
        assert not _is_open(sandbox.servicenow.url)
        with pytest.raises(requests.ConnectionError, match="refused"):
            requests.get(sandbox.servicenow.url, timeout=30)
        with socket.socket() as thief, pytest.raises(OSError, match="in use"):
            thief.bind(("127.0.0.1", urlsplit(sandbox.servicenow.url).port or 0))
        assert _is_open(sandbox.iru.url)


def test_the_sandbox_stops_while_a_request_hangs_and_a_port_refuses(capfd):
    """Faults that last do not hold up the end of the sandbox, and its servers have nothing to complain about."""
    with Sandbox(TINY) as sandbox:
        sandbox.iru_faults.add({"kind": "timeout"})
        sandbox.servicenow_faults.add({"kind": "refused", "for_s": 60})
        hanging = threading.Thread(target=_break, args=(f"{sandbox.iru.url}/x",))
        hanging.start()
        _break(f"{sandbox.servicenow.url}/x")
        while not sandbox.iru_faults.snapshot()["strikes"]:
            time.sleep(0.01)
    hanging.join()
    assert capfd.readouterr().err == ""


def test_faults_of_connections_work_under_tls():
    """A reset and a refusal end encrypted connections too, and the port comes back with TLS."""
    with Sandbox(replace(TINY, tls=True)) as sandbox:
        for fault in ({"kind": "reset_before"}, {"kind": "truncated"}, {"kind": "refused", "for_s": 0.1}):
            sandbox.iru_faults.add(fault)
            with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
                requests.get(f"{sandbox.iru.url}/x", verify=str(sandbox.ca), timeout=30)
        _wait_until_open(sandbox.iru.url)
        assert requests.get(f"{sandbox.iru.url}/x", verify=str(sandbox.ca), timeout=30).status_code == 404


def _break(url: str) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)


def _wait_until_open(url: str) -> None:
    while not _is_open(url):
        time.sleep(0.02)
