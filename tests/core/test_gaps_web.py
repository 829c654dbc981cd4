"""What a connection says is done for every request: time limits, proxies, pace; and short pages lose no row."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from instance import settings
from scripted import Asked, Reply, Script, in_turn, serving

from include.errors import RetryLater, SetupWrong
from include.iru.client import IruClient, IruSettings
from include.iru.prism import iter_prism
from include.servicenow.client import ServiceNowClient
from include.web.address import base_url
from include.web.pace import Pace
from include.web.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1)
NOBODY = "http://127.0.0.1:9"
Ask = Callable[..., Any]


def _iru(url: str, **options: Any) -> Any:
    return IruClient(IruSettings(url, "t", **options), retry=ONCE).get("devices")


def _servicenow(url: str, **options: Any) -> Any:
    return ServiceNowClient(settings(url, **options), retry=ONCE).get("table/t")


def _signed_in(api: Script) -> Script:
    token = Reply({"access_token": "t", "token_type": "Bearer", "expires_in": 1800})
    return lambda asked: token if asked.path == "/oauth_token.do" else api(asked)


@pytest.mark.parametrize(
    ("ask", "silent"), [(_iru, "/api/v1/devices"), (_servicenow, "/api/now/table/t"), (_servicenow, "/oauth_token.do")]
)
def test_no_request_waits_forever(ask: Ask, silent: str):
    """A server that takes a request and never answers ends in an error that Airflow tries again."""
    given_up = threading.Event()
    answer = _signed_in(in_turn(Reply({"result": []})))

    def script(asked: Asked) -> Reply:
        if asked.path == silent:
            given_up.wait(5)
        return answer(asked)

    with serving(script) as server:
        with pytest.raises(RetryLater):
            ask(server.url, read_timeout_s=0.1)
        given_up.set()


def test_signing_in_on_loopback_opens_plain_http_to_nobody_else():
    """What lets oauthlib talk http to this machine is taken back: other code in the worker stays safe."""
    with serving(_signed_in(in_turn(Reply({"result": []})))) as server:
        _servicenow(server.url)
    assert "OAUTHLIB_INSECURE_TRANSPORT" not in os.environ


@pytest.mark.parametrize(("ask", "asked"), [(_iru, 1), (_servicenow, 2)])
def test_every_request_goes_through_the_connections_proxy(ask: Ask, asked: int):
    """Where only a proxy leads outside, the token request takes it like all others."""
    with serving(_signed_in(in_turn(Reply([])))) as proxy:
        ask(NOBODY, proxies={"http": proxy.url})
        assert len(proxy.asked) == asked


def test_the_iru_client_keeps_its_pace():
    """Iru allows so many requests a second; each request of the client waits for its turn."""
    waits: list[float] = []
    pace = Pace(10, now_s=lambda: 0.0, sleep=waits.append)
    with serving(in_turn(Reply([]))) as server:
        client = IruClient(IruSettings(server.url, "t"), retry=ONCE, pace=pace)
        for _ in range(3):
            client.get("devices")
    assert waits == pytest.approx([0.1, 0.2])


def _short_pages(rows: list[dict[str, str]], *, envelope: bool) -> Script:
    """Answer two rows a page whatever is asked for, by offset and without a cursor."""

    def script(asked: Asked) -> Reply:
        offset = int(asked.query.get("offset", 0))
        page = rows[offset : offset + 2]
        return Reply({"data": page, "cursor": None, "total": len(rows)} if envelope else page)

    return script


def test_short_pages_of_devices_lose_no_row():
    """A server that answers fewer rows than asked for is asked on from where it stopped."""
    rows = [{"device_id": f"d{n}"} for n in range(5)]
    with serving(_short_pages(rows, envelope=False)) as server:
        pages = list(IruClient(IruSettings(server.url, "t"), retry=ONCE).iter_devices())
    assert [row for page in pages for row in page] == rows


def test_short_pages_of_prism_lose_no_row():
    """A page that is shorter than asked for is not the end while Prism's own total says that there is more."""
    rows = [{"device_id": f"d{n}"} for n in range(5)]
    with serving(_short_pages(rows, envelope=True)) as server:
        pages = list(iter_prism(IruClient(IruSettings(server.url, "t"), retry=ONCE), "apps"))
    assert [row for page in pages for row in page] == rows


def test_a_password_alone_in_a_host_is_refused_and_not_shown():
    """A password without a user name is a credential all the same."""
    with pytest.raises(SetupWrong, match="credentials in its host") as caught:
        base_url("https://:S3CRET@acme.example", connection="c")
    assert "S3CRET" not in str(caught.value)
