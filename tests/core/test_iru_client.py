"""The Iru client reads everything that a tenant holds, once, and knows what to do about every other answer."""

import logging

import pytest
from scripted import Asked, Reply, in_turn, serving

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.iru.client import REQUESTS_PER_SECOND, IruClient, IruSettings
from include.iru.judge import BadRequest, NotFound
from include.iru.prism import iter_prism
from include.sandbox.fleet import FleetSpec, generate_fleet
from include.sandbox.iru import IruSettings as TenantSettings
from include.sandbox.iru import IruSwitches, create_app
from include.sandbox.server import Server
from include.web.pace import Pace
from include.web.retry import RetryPolicy

TOKEN = "11111111-2222-4333-8444-5555SECRET99"
SPEC = FleetSpec(devices=310, apps_per_device=3, seed=5)
FLEET = generate_fleet(SPEC)


def client_of(url: str, waits: list[float] | None = None, token: str = TOKEN, **options) -> IruClient:
    """Return a client that notes its waits instead of sleeping."""
    sleep = (waits if waits is not None else []).append
    return IruClient(IruSettings(url, token), retry=RetryPolicy(sleep=sleep, **options))


def tenant(**switches) -> Server:
    """Return a sandbox tenant."""
    given = IruSwitches(**({"rate_limit": False} | switches))
    return Server(create_app(TenantSettings(spec=SPEC, fleet=FLEET, token=TOKEN, switches=given)))


def test_all_devices_are_read_once():
    """A list that is longer than one page arrives whole, without repetitions."""
    with tenant() as server:
        client = client_of(server.url)
        ids = [row["device_id"] for page in client.iter_devices() for row in page]
    assert sorted(ids) == sorted(device.id for device in FLEET.devices)
    assert client.requests.total == 3


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"prism_short_pages": True},
        {"prism_empty_last_page": True},
        {"prism_total": False},
        {"prism_offset": True},
        {"prism_offset": True, "prism_total": False},
        {"prism_short_pages": True, "prism_total": False},
    ],
    ids=str,
)
def test_all_apps_are_read_once_from_every_kind_of_tenant(switches):
    """By cursor or by offset, with or without a total, with short pages or an empty last one: every row arrives."""
    with tenant(**switches) as server:
        client = client_of(server.url)
        rows = [row for page in iter_prism(client, "apps") for row in page]
        expected = client.get("prism/count", category="apps")["count"]
    assert len(rows) == expected > 900
    identities = [(row["device_id"], row["path"], row["bundle_id"], row["name"]) for row in rows]
    assert len(set(identities)) > 0.95 * expected


def test_the_count_of_a_category_is_exact():
    """Prism's own count is what completeness is measured by."""
    with tenant() as server:
        assert client_of(server.url).count_prism("device_information")[1] is True


def _page(*names: str, **envelope) -> Reply:
    return Reply({"offset": None, "limit": 300, "total": None, "data": [{"n": n} for n in names]} | envelope)


def _walk(*replies: Reply) -> tuple[list[str], list[Asked]]:
    with serving(in_turn(*replies)) as server:
        rows = [row["n"] for page in iter_prism(client_of(server.url), "apps") for row in page]
        return rows, server.asked


def test_a_tenant_that_refuses_an_empty_cursor_is_read_all_the_same():
    """Some tenants may take a cursor only once they gave one; the walk then opens without."""
    refused = Reply({"detail": "Invalid cursor."}, 400)
    rows, asked = _walk(refused, _page("a", cursor="x"), _page("b", cursor=None))
    assert rows == ["a", "b"]
    assert [one.query.get("cursor") for one in asked] == ["", None, "x"]


def test_a_walk_by_cursor_passes_the_cursor_on_and_nothing_else():
    """The cursor is opaque and bound to its query: limit stays, offset and ordering are never sent."""
    rows, asked = _walk(_page("a", cursor="x|1"), _page("b", cursor="y="), _page("c", cursor=None))
    assert rows == ["a", "b", "c"]
    assert [one.query for one in asked] == [{"limit": "300", "cursor": cursor} for cursor in ("", "x|1", "y=")]


def test_a_full_last_page_of_a_walk_by_cursor_is_the_last():
    """Once a tenant has given a cursor, a page without one ends the walk, however full it is."""
    rows, asked = _walk(_page("a", cursor="x"), _page(*[str(n) for n in range(300)], cursor=None))
    assert (len(rows), len(asked)) == (301, 2)


def test_an_old_tenant_that_states_no_total_is_walked_by_offset():
    """Without cursor and total, a full page is followed by the next offset, until a page is short or empty."""
    names = [str(n) for n in range(300)]
    rows, asked = _walk(_page(*names), _page(*[f"x{n}" for n in names]), _page())
    assert len(rows) == 600
    assert [one.query.get("offset") for one in asked] == [None, "300", "600"]


def test_a_tenant_that_refuses_offset_is_done():
    """A full page without a cursor, whose successor by offset is refused, was the whole category."""
    names = [str(n) for n in range(300)]
    rows, _ = _walk(_page(*names, cursor=None), Reply({"detail": "offset is not supported"}, 400))
    assert len(rows) == 300


@pytest.mark.parametrize(
    "replies",
    [
        [_page("a", cursor="x"), _page("b", cursor="x")],
        [_page("a", cursor="x"), _page("a", cursor="y"), _page("a", cursor="z")],
        [_page(*[str(n) for n in range(300)])],
    ],
    ids=["cursor", "page", "offset"],
)
def test_a_walk_that_would_never_end_is_stopped(replies):
    """A server that repeats a cursor or a page is an error instead of an endless run."""
    with pytest.raises(AnswerUnusable, match=r"never end|repeats"):
        _walk(*replies)


def test_an_equal_first_row_is_no_repeated_page():
    """Prism may list one row twice; a page that begins with a known row but goes on differently is a new page."""
    assert _walk(_page("a", "b", cursor="x"), _page("a", "c", cursor=None))[0] == ["a", "b", "a", "c"]


def test_a_device_list_that_ignores_offset_is_stopped():
    """A server that always answers the first page is an error instead of an endless run."""
    with serving(in_turn(Reply([{"device_id": "d1"}]))) as server, pytest.raises(AnswerUnusable, match="repeats"):
        list(client_of(server.url).iter_devices())


@pytest.mark.parametrize("body", [{"results": []}, "text", [1], None, {"data": [1]}, {"data": None}])
def test_a_list_in_another_shape_is_not_taken_for_empty(body):
    """An answer that is not what the documentation says is an error, never an empty fleet."""
    with serving(in_turn(Reply(body))) as server:
        with pytest.raises(AnswerUnusable):
            list(client_of(server.url).iter_devices())
        with pytest.raises(AnswerUnusable):
            list(iter_prism(client_of(server.url), "apps"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_named(status):
    """A token that Iru refuses is a set-up mistake: the message says where to look, not what the token is."""
    with serving(in_turn(Reply({"detail": "Invalid token."}, status))) as server:
        with pytest.raises(SetupWrong, match=r"GET /devices.*Invalid token.*API token") as caught:
            client_of(server.url).get("devices")
        assert len(server.asked) == 1
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        Reply(status=503),
        Reply(b"<html>bad gateway</html>", 502, {"Content-Type": "text/html"}),
        Reply(status=429),
        Reply([{"device_id": "d"}] * 50, broken="cut"),
        Reply(broken="dropped"),
    ],
    ids=["503", "502 page", "429", "cut", "dropped"],
)
def test_a_read_is_tried_again(broken):
    """Reading is harmless, so every passing failure of it is tried again."""
    with serving(in_turn(broken, Reply([]))) as server:
        assert client_of(server.url).get("devices") == []
        assert len(server.asked) == 2


def test_retry_after_is_honoured():
    """Iru says how long to wait, and that long is waited."""
    waits: list[float] = []
    with serving(in_turn(Reply([], 429, {"Retry-After": "17"}), Reply([]))) as server:
        client_of(server.url, waits).get("devices")
    assert waits == [17.0]


@pytest.mark.parametrize("hint", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5"])
def test_a_hint_that_is_no_number_of_seconds_does_no_harm(hint):
    """A Retry-After in another form is replaced by the client's own back-off."""
    waits: list[float] = []
    with serving(in_turn(Reply([], 429, {"Retry-After": hint}), Reply([]))) as server:
        assert client_of(server.url, waits).get("devices") == []
    assert len(waits) == 1
    assert 0 <= waits[0] <= 0.5


def test_a_server_that_stays_down_ends_in_its_own_error():
    """After the last attempt the message says what was asked and what was answered."""
    with serving(in_turn(Reply(status=503))) as server:
        with pytest.raises(RetryLater, match="GET /devices: Iru answered HTTP 503"):
            client_of(server.url, attempts=3).get("devices")
        assert len(server.asked) == 3


def test_a_refused_connection_says_so():
    """Nobody at the address: the message says that the connection was refused."""
    with serving(in_turn(Reply())) as server:
        url = server.url
    with pytest.raises(RetryLater, match="connection refused") as caught:
        client_of(url, attempts=2).get("devices")
    assert not caught.value.maybe_done


def test_a_redirect_is_not_followed():
    """A redirect would carry the token elsewhere; it is a wrong host instead."""
    with serving(in_turn(Reply([]))) as elsewhere:
        with (
            serving(in_turn(Reply(status=302, headers={"Location": elsewhere.url}))) as server,
            pytest.raises(SetupWrong, match="redirect"),
        ):
            client_of(server.url).get("devices")
        assert elsewhere.asked == []


_NO_JSON = {
    "page": Reply(b"<html>Sign in, dear USER77</html>", headers={"Content-Type": "text/html"}),
    "cut": Reply(b'[{"device_id": "USER77'),
    "nothing": Reply(b""),
    "nested": Reply(b"[" * 100_000),
}


@pytest.mark.parametrize("kind", _NO_JSON)
def test_a_200_without_json_is_tried_again(kind):
    """A gateway's page or half an answer passes; the same request then gets the data."""
    with serving(in_turn(_NO_JSON[kind], Reply([]))) as server:
        assert client_of(server.url).get("devices") == []
        assert len(server.asked) == 2


@pytest.mark.parametrize("kind", _NO_JSON)
def test_a_200_that_never_is_json_is_not_taken_for_data(kind):
    """What stays is an error that tells the kind and size of the answer, not its content."""
    with (
        serving(in_turn(_NO_JSON[kind])) as server,
        pytest.raises(RetryLater, match=r"HTTP 200 with \d+ bytes of .* not valid JSON.*proxies") as caught,
    ):
        client_of(server.url, attempts=2).get("devices")
    assert "USER77" not in str(caught.value)


@pytest.mark.parametrize("body", [["Bad limit"], "Bad limit", {"detail": "Bad limit"}, {"message": "Bad limit"}])
def test_a_refused_request_repeats_irus_words(body):
    """Iru's errors are an object, a list or a bare text; its words reach the reader in every form."""
    with serving(in_turn(Reply(body, 400))) as server, pytest.raises(BadRequest, match=r"HTTP 400 \(Bad limit\)"):
        client_of(server.url).get("devices")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"<p>x", b"\xff", b"[]", b"{}", b"5", b'[{"a": 1}]', b'"\\n"', b"null"]
)
def test_an_odd_error_body_adds_nothing_to_the_message(body):
    """Whatever the body of a refusal is, the status alone decides, and nothing of it is repeated but short text."""
    with serving(in_turn(Reply(body, 400))) as server, pytest.raises(BadRequest, match=r"HTTP 400\.$"):
        client_of(server.url).get("devices")


def test_a_long_error_text_is_cut_and_stays_on_its_line():
    """A refusal cannot fill the log or forge lines in it."""
    with serving(in_turn(Reply({"detail": "x\ny" * 1000}, 400))) as server, pytest.raises(BadRequest) as caught:
        client_of(server.url).get("devices")
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 501, 507, 520, 599, 408, 425])
def test_every_failing_server_is_tried_again(status):
    """Gateways have statuses of their own; all of them pass."""
    with serving(in_turn(Reply(status=status), Reply([]))) as server:
        assert client_of(server.url).get("devices") == []


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_a_success_of_another_kind_is_not_taken_for_data(status):
    """A read is answered with 200 and nothing else."""
    with serving(in_turn(Reply([], status))) as server, pytest.raises(AnswerUnusable, match=f"HTTP {status}"):
        client_of(server.url).get("devices")


@pytest.mark.parametrize("device_id", ["../users", "..", "", "a/b", "a?b", "é", "x" * 65, "d1\n"])
def test_an_id_that_could_be_another_address_is_never_asked_for(device_id):
    """What came from a server's data does not choose which call is made; nor is it taken for gone."""
    with serving(in_turn(Reply([]))) as server:
        client = client_of(server.url)
        assert client.device_exists(device_id)
        with pytest.raises(AnswerUnusable):
            client.fetch_device(device_id)
        assert server.asked == []


def test_retries_and_waits_are_counted():
    """The client knows how often it asked, repeated and waited."""
    with serving(in_turn(Reply([], 429, {"Retry-After": "17"}), Reply([]))) as server:
        client = client_of(server.url)
        client.get("devices")
    assert (client.requests.total, client.requests.retries, client.requests.waited_s) == (2, 1, 17.0)


def test_the_hourly_quota_is_read_from_every_answer():
    """The latest headers count, also those of a refusal; an answer without them changes nothing."""
    hour = {"X-RateLimit-Limit-Hour": "10000", "X-RateLimit-Remaining-Hour": "9965"}
    refused = Reply({}, 404, hour | {"X-RateLimit-Remaining-Hour": "9964"})
    odd = Reply([], headers={"X-RateLimit-Limit-Hour": "many", "X-RateLimit-Remaining-Hour": "-1"})
    with serving(in_turn(Reply([]), Reply([], headers=hour), refused, odd)) as server:
        client = client_of(server.url)
        seen = []
        for ask in (client.get, client.get, client.device_exists, client.get):
            ask("devices" if ask == client.get else "d1")
            seen.append((client.quota.limit, client.quota.remaining) if client.quota else None)
    assert seen == [None, (10_000, 9965), (10_000, 9964), (10_000, 9964)]


def test_proxies_are_not_shown():
    """An address of a proxy may hold a password."""
    assert "SECRET" not in repr(IruSettings("https://x", "t", proxies={"https": "http://u:SECRET@proxy"}))


def test_only_a_404_proves_that_a_device_is_gone():
    """A device exists unless Iru says 404; a failure to ask is not a proof."""
    known = {"device_id": "d1"}
    with serving(in_turn(Reply(known), Reply({}, 404), Reply({}, 403))) as server:
        client = client_of(server.url)
        assert client.device_exists("d1")
        assert not client.device_exists("d2")
        with pytest.raises(SetupWrong):
            client.device_exists("d3")


def test_a_tenant_without_a_count_says_so():
    """Where Prism's count is not offered or is nonsense, nobody takes it for a number."""
    with serving(in_turn(Reply({}, 404), Reply({"count": None}), Reply({"count": 3, "approximate": True}))) as server:
        client = client_of(server.url)
        with pytest.raises(NotFound):
            client.count_prism("apps")
        with pytest.raises(AnswerUnusable):
            client.count_prism("apps")
        assert client.count_prism("apps") == (3, False)


@pytest.mark.parametrize("token", ["abc\ndef", "tökén\u2014", "a\rb"])
def test_a_token_that_no_header_can_carry_is_a_set_up_mistake(token):
    """A token that was pasted with a line break or another alphabet is named at once and not shown."""
    waits: list[float] = []
    with serving(in_turn(Reply([]))) as server, pytest.raises(SetupWrong) as caught:
        client_of(server.url, waits, token=token).get("devices")
    assert token not in str(caught.value)
    assert waits == []


def test_the_token_is_never_logged_or_shown(caplog):
    """With logging at its most verbose, the token is in no message, no error and no repr."""
    with caplog.at_level(logging.DEBUG), serving(in_turn(Reply({}, 500), Reply({}, 500), Reply({}, 401))) as server:
        client = client_of(server.url)
        with pytest.raises(SetupWrong):
            client.get("devices", serial_number="X")
        assert server.asked[0].token == TOKEN
    assert "SECRET99" not in caplog.text + repr(client.settings) + str(client.__dict__)


def test_everybody_slows_down_when_the_hour_is_nearly_used_up():
    """What the tenant's headers say counts for all clients of all machines; with enough left nobody waits longer."""
    waits: list[float] = []
    left = iter(["5000", "900", "899", "2000"])

    def answer(_: Asked) -> Reply:
        return Reply([], headers={"X-RateLimit-Limit-Hour": "10000", "X-RateLimit-Remaining-Hour": next(left)})

    with serving(answer) as server:
        pace = Pace(REQUESTS_PER_SECOND, now_s=lambda: 0.0, sleep=waits.append)
        client = IruClient(IruSettings(server.url, "t"), pace=pace)
        for _ in range(4):
            client.get("devices")
    gaps = [later - sooner for sooner, later in zip([0.0, *waits], waits, strict=False)]
    assert gaps == pytest.approx([1 / REQUESTS_PER_SECOND, 1 / REQUESTS_PER_SECOND, 3600 / 10_000])
