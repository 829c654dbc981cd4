"""At debug level the libraries below the clients talk a lot; none of it may be a person's or a secret."""

import logging
import socket
import threading

import pytest
from instance import Instance, settings
from scripted import Reply, serving

from include.iru.client import IruClient, IruSettings
from include.servicenow.client import ServiceNowClient
from include.servicenow.lookup import find_existing
from include.web.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1, sleep=lambda _: None)


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture) -> None:
    """Log everything that logs."""
    caplog.set_level(logging.DEBUG)


def test_a_look_up_at_debug_level_logs_no_value_and_no_token(caplog):
    """Neither the e-mail addresses of a query, nor the credentials and tokens of signing in, reach the log."""
    instance = Instance(hook=lambda asked: Reply({"result": []}) if "sys_user" in asked.path else None)
    with serving(instance) as server:
        client = ServiceNowClient(settings(server.url), retry=ONCE)
        find_existing(client, "sys_user", "email", ["jane.doe@acme.example"])
    assert len(server.asked) == 2
    for private in ("jane", "acme", "SECRET", "tok-1", "ref-1"):
        assert private not in caplog.text


def _answer_with_odd_headers(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nno colon\r\nContent-Length: 2\r\n\r\n[]"
        )


def test_odd_headers_do_not_bring_the_address_into_the_log(caplog):
    """urllib3 warns of headers that it cannot read and shows the whole address; what stands in a query stays out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_with_odd_headers, args=(listener,))
        thread.start()
        client = IruClient(IruSettings(f"http://127.0.0.1:{listener.getsockname()[1]}", "tok-SECRET"), retry=ONCE)
        client.get("devices", serial_number="C02SECRET")
        thread.join()
    assert "SECRET" not in caplog.text
