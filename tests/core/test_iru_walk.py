"""A walk over pages ends with every row once, begins anew where it must, and never goes where a link points."""

from collections.abc import Callable

import pytest
from scripted import Asked, Reply, Scripted, in_turn, serving

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.inventory.page_files import MAX_NEW_WALKS, Page, iter_pages, store_walk
from include.iru import walk
from include.iru.client import IruClient, IruSettings
from include.iru.prism import iter_prism
from include.iru.walk import Bookmark
from include.web.retry import RetryPolicy

EXPIRED = Reply({"detail": "Invalid cursor."}, 400)


def client_of(url: str, **options) -> IruClient:
    """Return a client that does not sleep."""
    return IruClient(IruSettings(url, "t-SECRET9"), retry=RetryPolicy(sleep=lambda _: None, **options))


def page(*names: str, **envelope) -> Reply:
    """Return a page of Prism."""
    return Reply({"offset": None, "limit": 300, "total": None, "data": [{"n": n} for n in names]} | envelope)


def devices(*ids: str) -> Reply:
    """Return a page of /devices."""
    return Reply([{"device_id": n} for n in ids])


def stored(tmp_path, walk: Callable[[Bookmark], object]) -> list[list[str]]:
    """Store a walk and return its pages, each as the names of its rows."""
    store_walk(tmp_path / "pages", walk)
    return [[next(iter(row.values())) for row in rows] for rows in iter_pages(tmp_path / "pages")]


def test_a_cursor_that_expires_begins_the_walk_anew(tmp_path, caplog):
    """The pages of the broken walk are thrown away: together with those of the new one they would be no snapshot."""
    first = [page("a", cursor="x"), page("b", cursor="y"), page("c", cursor="z"), EXPIRED]
    second = [page("a", cursor="x2"), page("b", "c", cursor=None)]
    with serving(in_turn(*first, *second)) as server:
        client = client_of(server.url)
        assert stored(tmp_path, lambda mark: iter_prism(client, "apps", mark)) == [["a"], ["b", "c"]]
    assert "expired" in caplog.text
    assert "begins anew" in caplog.text


def _always_expires(asked: Asked) -> Reply:
    return EXPIRED if asked.query["cursor"] else page("a", cursor="x")


def test_a_cursor_that_always_expires_ends_in_a_clear_error(tmp_path):
    """After three new beginnings the run fails for now, and says why."""
    with serving(_always_expires) as server:
        client = client_of(server.url)
        with pytest.raises(RetryLater, match=r"GET /prism/apps.*Invalid cursor.*expired.*anew 3 times"):
            stored(tmp_path, lambda mark: iter_prism(client, "apps", mark))
        assert len(server.asked) == 2 * (MAX_NEW_WALKS + 1)


def test_a_walk_that_fails_otherwise_is_not_begun_anew(tmp_path):
    """What a new walk would not mend is told at once."""
    with serving(in_turn(page("a", cursor="x"), Reply({}, 404))) as server:
        client = client_of(server.url)
        with pytest.raises(AnswerUnusable):
            stored(tmp_path, lambda mark: iter_prism(client, "apps", mark))
        assert len(server.asked) == 2


def test_a_page_that_is_repeated_once_is_asked_for_again(tmp_path):
    """A cache in between may answer an old page; the right one comes with the next try, and no row is doubled."""
    replies = [page("a", cursor="x"), page("b", cursor="y"), page("a", cursor="x"), page("c", cursor=None)]
    with serving(in_turn(*replies)) as server:
        client = client_of(server.url)
        assert stored(tmp_path, lambda mark: iter_prism(client, "apps", mark)) == [["a"], ["b"], ["c"]]
        assert [asked.query["cursor"] for asked in server.asked] == ["", "x", "y", "y"]


def test_a_cursor_that_is_repeated_once_is_asked_for_again(tmp_path):
    """Going on with an old cursor would walk in a circle; asked again, the server answers the next one."""
    replies = [page("a", cursor="x"), page("b", cursor="x"), page("b", cursor="y"), page("c", cursor=None)]
    with serving(in_turn(*replies)) as server:
        client = client_of(server.url)
        assert stored(tmp_path, lambda mark: iter_prism(client, "apps", mark)) == [["a"], ["b"], ["c"]]


def test_a_page_of_devices_that_is_repeated_once_is_asked_for_again(tmp_path):
    """The same holds for the list by offset."""
    replies = [devices("1", "2"), devices("1", "2"), devices("3", "4"), devices("1", "2"), devices()]
    with serving(in_turn(*replies)) as server:
        client = client_of(server.url)
        assert stored(tmp_path, client.iter_devices) == [["1", "2"], ["3", "4"]]
        assert [asked.query["offset"] for asked in server.asked] == ["0", "2", "2", "4", "4"]


def test_an_empty_page_ends_a_walk_whatever_cursor_it_has(tmp_path):
    """The official example ends with an empty page; that it repeats a cursor does not matter."""
    with serving(in_turn(page("a", cursor="x"), page(cursor="x"))) as server:
        client = client_of(server.url)
        assert stored(tmp_path, lambda mark: iter_prism(client, "apps", mark)) == [["a"]]


def _endless_prism() -> Callable[[Asked], Reply]:
    numbers = iter(range(10**9))
    return lambda _: page(f"r{next(numbers)}", cursor=f"c{next(numbers)}")


def _endless_devices() -> Callable[[Asked], Reply]:
    numbers = iter(range(10**9))
    return lambda _: devices(f"d{next(numbers)}")


@pytest.mark.parametrize("endless", [_endless_prism, _endless_devices])
def test_the_number_of_pages_is_bounded(monkeypatch, tmp_path, endless):
    """A server that always has another page does not fill the disk."""
    monkeypatch.setattr(walk, "MAX_PAGES", 5)
    with serving(endless()) as server:
        client = client_of(server.url)
        with pytest.raises(AnswerUnusable, match="more than 5 pages"):
            stored(
                tmp_path,
                client.iter_devices if endless is _endless_devices else lambda mark: iter_prism(client, "apps", mark),
            )
        assert len(server.asked) == 6


@pytest.mark.parametrize("cursor", [5, ["x"], {"a": 1}, True, 1.5])
def test_a_cursor_of_another_type_is_an_error(tmp_path, cursor):
    """A cursor is text; anything else is told instead of being sent back."""
    with serving(in_turn(page("a", cursor=cursor))) as server:
        client = client_of(server.url)
        with pytest.raises(AnswerUnusable, match="cursor that is no text"):
            stored(tmp_path, lambda mark: iter_prism(client, "apps", mark))


def _linked(elsewhere: Scripted, rows: object) -> Reply:
    link = f"{elsewhere.url}/api/v1/devices?limit=300"
    return Reply(rows, headers={"Link": f'<{link}>; rel="next"', "Location": link, "Content-Location": link})


def test_a_next_link_is_never_followed(tmp_path):
    """The next page is always asked of the connection's own host: a link may name any other, which gets no token."""
    with serving(in_turn(Reply([]))) as elsewhere:
        link = f"{elsewhere.url}/api/v1/prism/apps?cursor=x"
        prism = {"data": [{"n": "a"}], "next": link, "cursor": "x", "results": [], "links": {"next": link}}
        pages = [_linked(elsewhere, prism), _linked(elsewhere, prism | {"data": [{"n": "b"}], "cursor": None})]
        sweep = [_linked(elsewhere, [{"device_id": "d1"}]), _linked(elsewhere, [])]
        with serving(in_turn(*pages, *sweep)) as server:
            client = client_of(server.url)
            assert stored(tmp_path, lambda mark: iter_prism(client, "apps", mark)) == [["a"], ["b"]]
            assert stored(tmp_path, client.iter_devices) == [["d1"]]
        assert elsewhere.asked == []


def test_a_url_as_a_cursor_is_only_a_parameter(tmp_path):
    """A cursor that reads like an address is sent back as it came, to the connection's own host."""
    with serving(in_turn(Reply([]))) as elsewhere:
        link = f"{elsewhere.url}/?a=b&limit=1"
        with serving(in_turn(page("a", cursor=link), page("b", cursor=None))) as server:
            client = client_of(server.url)
            assert stored(tmp_path, lambda mark: iter_prism(client, "apps", mark)) == [["a"], ["b"]]
            assert server.asked[1].query == {"limit": "300", "cursor": link}
        assert elsewhere.asked == []


def test_a_redirect_never_carries_the_token(tmp_path):
    """A redirect in the middle of a walk stops it; the other host is not asked."""
    with serving(in_turn(Reply([]))) as elsewhere:
        moved = Reply(status=307, headers={"Location": f"{elsewhere.url}/api/v1/devices"})
        with serving(in_turn(devices("1"), moved)) as server:
            client = client_of(server.url)
            with pytest.raises(SetupWrong, match="redirect"):
                stored(tmp_path, client.iter_devices)
        assert elsewhere.asked == []


def test_pages_hold_what_was_received(tmp_path):
    """What JSON can spell is kept as it came, lone surrogates and control characters included."""
    odd: Page = [{"device_id": "\ud800", "name": "\x00\u202e", "n": 10**30, "x": [None, {"y": 1.5}]}]
    store_walk(tmp_path / "p", lambda _: [odd])
    assert list(iter_pages(tmp_path / "p")) == [odd]
