"""The ServiceNow client keeps a token alive, repeats what is harmless and nothing else, and says what to do."""

import logging
import threading

import pytest
from instance import error, settings
from scripted import Asked, Reply, Script, in_turn, serving

from include.errors import AnswerUnusable, RetryLater, SetupWrong
from include.servicenow.client import ServiceNowClient
from include.servicenow.dictionary import read_staging_columns, require_columns
from include.servicenow.import_sets import ImportSet, insert_multiple, insert_one
from include.servicenow.judge import AccessDenied, NoSuchTable, Refused
from include.servicenow.oauth import TokenSource
from include.servicenow.table_api import iter_rows
from include.web.retry import RetryPolicy
from include.web.transport import RequestCount

SECRETS = ("SECRET1", "SECRET2", "SECRET3", "SECRET4", "ACCESS5", "REFRESH6")
OK = Reply({"result": []})
HIBERNATING = Reply(b"<html><h1>Your instance is hibernating</h1></html>", headers={"Content-Type": "text/html"})


def tokens(*lives: object, refresh: bool = True) -> Script:
    """Answer token requests with new tokens of the given lives, the last one again and again."""
    count = [0]
    left = list(lives)

    def script(_: Asked) -> Reply:
        count[0] += 1
        life = left.pop(0) if len(left) > 1 else left[0]
        body = {"access_token": f"ACCESS5-{count[0]}", "token_type": "Bearer", "expires_in": life}
        return Reply(body | ({"refresh_token": f"REFRESH6-{count[0]}"} if refresh else {}))

    return script


def routed(api: Script, token: Script | None = None) -> Script:
    """Answer token requests with one script and all others with another."""
    token = token or tokens(1800)
    return lambda asked: token(asked) if asked.path == "/oauth_token.do" else api(asked)


def nowhere(_: RetryLater) -> None:
    """Say of every lost request that it did not arrive."""


def client_of(url: str, waits: list[float] | None = None, **changes) -> ServiceNowClient:
    """Return a client that notes its waits instead of sleeping."""
    sleep = (waits if waits is not None else []).append
    return ServiceNowClient(settings(url, **changes), retry=RetryPolicy(sleep=sleep))


def source_of(url: str, now: list[float], **changes) -> TokenSource:
    """Return a token source with a clock of the test's own."""
    return TokenSource(settings(url, **changes), RequestCount(), now_s=lambda: now[0])


def test_the_password_grant_sends_what_the_documentation_lists():
    """All parameters are in the form body, none in the address."""
    with serving(routed(in_turn(OK))) as server:
        client_of(server.url, scope="useraccount").get("table/x")
        first = server.asked[0]
    assert (first.method, first.path, first.query) == ("POST", "/oauth_token.do", {})
    assert first.form == {
        "grant_type": "password",
        "client_id": "client-id-SECRET1",
        "client_secret": "client-secret-SECRET2",
        "username": "user-SECRET3",
        "password": "pass-SECRET4",
        "scope": "useraccount",
    }
    assert server.asked[1].token == "ACCESS5-1"


def test_client_credentials_send_no_user():
    """The client_credentials grant needs the client only."""
    with serving(routed(in_turn(OK), tokens(1800, refresh=False))) as server:
        client_of(server.url, grant_type="client_credentials", username="", password="").get("table/x")
        form = server.asked[0].form
    assert (form["grant_type"], form["client_secret"]) == ("client_credentials", "client-secret-SECRET2")
    assert not {"username", "password"} & set(form)


def test_a_refresh_token_from_the_connection_is_used():
    """The refresh_token grant needs no password."""
    with serving(routed(in_turn(OK))) as server:
        client_of(server.url, grant_type="refresh_token", refresh_token="r0", username="", password="").get("table/x")
        form = server.asked[0].form
    assert (form["grant_type"], form["refresh_token"], form["client_id"]) == (
        "refresh_token", "r0", "client-id-SECRET1",
    )  # fmt: skip


def test_one_token_serves_many_requests():
    """A token is fetched once and used as long as it lives, by all threads."""
    with serving(routed(in_turn(OK))) as server:
        client = client_of(server.url)
        threads = [threading.Thread(target=client.get, args=("table/x",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.paths().count("/oauth_token.do") == 1
        assert client.requests.total == 9


def test_each_thread_has_a_session_of_its_own():
    """ServiceNow serves one session serially and drops what overflows it, so no cookie is shared by threads."""

    def api(asked: Asked) -> Reply:
        return Reply({"result": []}, headers={"Set-Cookie": f"JSESSIONID={threading.get_ident()}-{len(server.asked)}"})

    with serving(routed(api)) as server:
        client = client_of(server.url)
        client.get("table/x")
        thread = threading.Thread(target=client.get, args=("table/y",))
        thread.start()
        thread.join()
        client.get("table/z")
        cookies = {one.path.rpartition("/")[2]: one.headers.get("cookie", "") for one in server.asked}
    assert "JSESSIONID" in cookies["z"]
    assert cookies["y"] == ""


@pytest.mark.parametrize(("life", "renewed_at"), [(1800, 1800), ("90", 90), (7, 7)])
def test_the_life_that_is_returned_is_believed(life, renewed_at):
    """A token is renewed when what ServiceNow said of its life is over, however short that is."""
    now = [1000.0]
    with serving(tokens(life)) as server:
        source = source_of(server.url, now)
        first = source.bearer()
        now[0] += renewed_at - 1
        assert source.bearer() == first
        now[0] += 1
        assert source.bearer() != first
        assert [one.form["grant_type"] for one in server.asked] == ["password", "refresh_token"]
        assert server.asked[1].form["refresh_token"] == "REFRESH6-1"


def test_a_shrinking_life_is_honoured():
    """Asked again, ServiceNow returns the same token with the rest of its life; that rest counts."""
    now = [0.0]
    same = [Reply({"access_token": "T", "token_type": "Bearer", "expires_in": life}) for life in (100, 40, 10, 1800)]
    with serving(in_turn(*same)) as server:
        source = source_of(server.url, now)
        for passed in (0, 100, 39, 1, 9, 1):
            now[0] += passed
            source.bearer()
    assert len(server.asked) == 4


@pytest.mark.parametrize("life", [None, 0, -5, "30"])
def test_a_strange_life_of_a_token_raises_nothing(life):
    """A missing or odd expires_in still gives a token that can be used."""
    now = [0.0]
    with serving(in_turn(Reply({"access_token": "T", "token_type": "Bearer", "expires_in": life}))) as server:
        assert source_of(server.url, now).bearer() == "T"


def test_an_expired_refresh_token_falls_back_to_the_password():
    """When the refresh token is refused, the first grant gives a new pair."""
    now = [0.0]

    def script(asked: Asked) -> Reply:
        if asked.form["grant_type"] == "refresh_token":
            return Reply({"error_description": "access_denied", "error": "server_error"}, 401)
        return tokens(60)(asked)

    with serving(script) as server:
        source = source_of(server.url, now)
        source.bearer()
        now[0] = 60
        source.bearer()
        assert [one.form["grant_type"] for one in server.asked] == ["password", "refresh_token", "password"]


def test_a_refused_token_is_renewed_exactly_once():
    """A 401 in mid-run fetches another token and repeats the request, also a write: it was not worked on."""
    answers = in_turn(Reply({"error": {}}, 401), Reply({"import_set_id": "s"}, 201))
    with serving(routed(answers)) as server:
        assert insert_multiple(client_of(server.url), "t", [{"a": "b"}], recall=nowhere).sys_id == "s"
        assert server.paths().count("/oauth_token.do") == 2
        assert [one.token for one in server.asked if "import" in one.path] == ["ACCESS5-1", "ACCESS5-2"]


def test_a_fresh_token_that_is_refused_too_is_a_set_up_mistake():
    """Two refusals in a row end the attempt: the message names the connection."""
    with serving(routed(in_turn(Reply({}, 401)))) as server:
        with pytest.raises(SetupWrong, match=r"fresh token was refused.*'servicenow_test'"):
            client_of(server.url).get("table/x")
        assert server.paths().count("/oauth_token.do") == 2
        assert server.paths().count("/api/now/table/x") == 2


def test_threads_that_lose_one_token_renew_it_once():
    """When several requests are refused with the same old token, one renewal serves them all."""

    def api(asked: Asked) -> Reply:
        return OK if asked.token != "ACCESS5-1" else Reply({}, 401)

    with serving(routed(api)) as server:
        client = client_of(server.url)
        client.check_sign_in()
        threads = [threading.Thread(target=client.get, args=("table/x",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.paths().count("/oauth_token.do") == 2


def test_a_refused_sign_in_lists_what_to_check():
    """ServiceNow gives one answer for every cause, so the message lists the causes and shows no secret."""
    refusal = Reply({"error_description": "access_denied", "error": "server_error"}, 401)
    with serving(in_turn(refusal)) as server:
        with pytest.raises(SetupWrong, match=r"'servicenow_test'.*'password'.*client_secret") as caught:
            client_of(server.url).check_sign_in()
        assert len(server.asked) == 1
    assert not any(secret in str(caught.value) for secret in SECRETS)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"token_type": "Bearer"}), SetupWrong),
        (Reply(["x"]), RetryLater),
        (Reply(b"<html>sign in</html>", headers={"Content-Type": "text/html"}), RetryLater),
        (Reply(status=302, headers={"Location": "/login.do"}), SetupWrong),
        (Reply(status=307, headers={"Location": "/oauth_token.do"}), SetupWrong),
        (Reply({"error": "invalid_grant"}, 400), SetupWrong),
        (Reply({"access_token": "T", "token_type": "Bearer", "expires_in": "soon"}), AnswerUnusable),
    ],
)
def test_a_token_endpoint_that_answers_nonsense_is_one_clear_error(reply, kind):
    """Whatever the token endpoint answers, one of our own errors is raised."""
    with serving(in_turn(reply)) as server, pytest.raises(kind):
        client_of(server.url).check_sign_in()


def test_tries_do_not_multiply_when_no_token_is_to_be_had():
    """While an instance is down, a request asks for a token as often as the policy allows tries, not their square."""
    with serving(in_turn(Reply(status=503))) as server:
        for request in (lambda client: client.get("table/x"), ServiceNowClient.check_sign_in):
            before = len(server.asked)
            with pytest.raises(RetryLater):
                request(client_of(server.url))
            assert len(server.asked) - before == RetryPolicy().attempts


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_are_not_carried_to_another_address(status):
    """A redirect of the token endpoint is not followed: 307 would hand the password to whoever it names."""
    with serving(tokens(1800)) as elsewhere:
        moved = Reply(status=status, headers={"Location": f"{elsewhere.url}/x"})
        with serving(in_turn(moved)) as server, pytest.raises(SetupWrong, match="answered a redirect"):
            client_of(server.url).check_sign_in()
        assert elsewhere.asked == []


@pytest.mark.parametrize("broken", [Reply(status=503), Reply(status=429), Reply(broken="dropped")], ids=str)
def test_a_passing_failure_of_the_token_endpoint_is_tried_again(broken):
    """Signing in survives a moment of unavailability."""
    replies = in_turn(broken, tokens(1800)(None))
    with serving(routed(in_turn(OK), replies)) as server:
        client_of(server.url).get("table/x")
        assert server.paths().count("/oauth_token.do") == 2


@pytest.mark.parametrize(
    "broken",
    [Reply(status=202), Reply(status=500), Reply(status=503), Reply(status=429), Reply(broken="dropped"), HIBERNATING,
     Reply({"result": [{"a": "b"}]}, broken="cut")],
    ids=["202", "500", "503", "429", "dropped", "page", "cut"],
)  # fmt: skip
def test_a_read_is_tried_again(broken):
    """Reading is harmless, so every passing failure of it is tried again."""
    with serving(routed(in_turn(broken, OK))) as server:
        assert client_of(server.url).get("table/x")[0] == {"result": []}
        assert server.paths("GET") == ["/api/now/table/x"] * 2


LOST = pytest.mark.parametrize(
    "broken",
    [Reply(broken="dropped"), Reply({"import_set_id": "s"}, broken="cut"), Reply({}, 500), Reply({}, 504), HIBERNATING,
     Reply(b'{"import_set', 201), Reply({"import_set_id": ""}, 201)],
    ids=["dropped", "cut", "500", "504", "page", "malformed", "no id"],
)  # fmt: skip


@LOST
def test_a_write_whose_answer_was_lost_is_looked_for_and_not_repeated(broken):
    """ServiceNow may have stored the rows: where they are found, the request is not sent a second time."""
    with serving(routed(in_turn(broken, Reply({"import_set_id": "second"}, 201)))) as server:
        found = insert_multiple(client_of(server.url), "t", [{"a": "b"}], recall=lambda lost: ImportSet("found"))
        assert found.sys_id == "found"
        assert len([path for path in server.paths() if "import" in path]) == 1


@LOST
def test_a_write_that_did_not_arrive_is_repeated(broken):
    """Where the rows of a lost request are proven not to be there, it is sent again."""
    with serving(routed(in_turn(broken, Reply({"import_set_id": "second"}, 201)))) as server:
        assert insert_multiple(client_of(server.url), "t", [{"a": "b"}], recall=nowhere).sys_id == "second"
        assert len([path for path in server.paths() if "import" in path]) == 2


@pytest.mark.parametrize("cause", [RetryLater("busy"), RetryLater("gone", maybe_done=True)], ids=str)
def test_a_write_of_which_nothing_can_be_told_is_left_alone(cause):
    """As long as nobody can tell whether a lost request arrived, it is not sent again."""

    def unsure(_):
        raise cause

    with serving(routed(in_turn(Reply({}, 500)))) as server:
        with pytest.raises(RetryLater, match="cannot be told") as caught:
            insert_multiple(client_of(server.url), "t", [{"a": "b"}], recall=unsure)
        assert caught.value.maybe_done
        assert len([path for path in server.paths() if "import" in path]) == 1


@pytest.mark.parametrize("dropped", [Reply(status=202), Reply({"status": "x"}, 202), Reply(status=429)], ids=str)
def test_a_write_that_was_not_done_is_repeated(dropped):
    """202 and 429 mean that nothing was stored: the request is sent again without a look."""
    with serving(routed(in_turn(dropped, dropped, Reply({"import_set_id": "s"}, 201)))) as server:
        assert insert_multiple(client_of(server.url), "t", [{"a": "b"}], recall=nowhere).sys_id == "s"
        assert len([path for path in server.paths() if "import" in path]) == 3


def test_202_is_never_taken_for_done():
    """A server that answers only 202 has dropped everything: the error says so."""
    dropped = Reply({"import_set_id": "s"}, 202)
    with serving(routed(in_turn(dropped))) as server, pytest.raises(RetryLater, match="dropped"):
        insert_multiple(client_of(server.url), "t", [{"a": "b"}], recall=nowhere)


def test_a_connection_that_was_never_made_is_tried_again_also_for_writes():
    """Where nobody answered the call at all, nothing can have been done."""
    waits: list[float] = []
    with serving(tokens(1800)) as server:
        client = client_of(server.url, waits)
        client.check_sign_in()
    with pytest.raises(RetryLater, match=r"connection refused by 127\.0\.0\.1:\d+; is it up"):
        client.post("import/t/insertMultiple", b"{}", read=lambda body: body, recall=nowhere)
    assert len(waits) == 5


def test_retry_after_is_honoured_and_bounded():
    """ServiceNow's own waiting time is kept; one that is longer than the budget goes to Airflow's retry."""
    waits: list[float] = []
    limit = {"X-RateLimit-Limit": "100", "Retry-After": "42"}
    hour = {"Retry-After": "3000"}
    with serving(routed(in_turn(error(429, "Rate limit exceeded", **limit), OK, error(429, "x", **hour)))) as server:
        client = client_of(server.url, waits)
        client.get("table/x")
        with pytest.raises(RetryLater) as caught:
            client.get("table/x")
    assert (waits, caught.value.after_s) == ([42.0], 3000.0)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (error(403, "User Not Authorized"), AccessDenied, "HTTP 403 .User Not Authorized.*import_transformer"),
        (error(400, "Invalid table t"), NoSuchTable, "HTTP 400 .Invalid table t.*Kandji app"),
        (error(400, "Exception while reading request"), Refused, "HTTP 400"),
        (error(404, "No Record found"), Refused, "HTTP 404"),
        (Reply(status=302, headers={"Location": "/login.do"}), SetupWrong, "redirect"),
    ],
)  # fmt: skip
def test_every_other_answer_says_what_to_do(reply, kind, words):
    """Statuses and bodies become one of our errors with the request, ServiceNow's words, and the next step."""
    with serving(routed(in_turn(reply))) as server:
        with pytest.raises(kind, match=f"GET /api/now/table/x.*{words}"):
            client_of(server.url).get("table/x")
        assert server.paths("GET") == ["/api/now/table/x"]


def test_a_hibernating_instance_is_named():
    """A hibernating developer instance answers a page with status 200; the message says to wake it."""
    with serving(routed(in_turn(HIBERNATING))) as server, pytest.raises(RetryLater, match="hibernating"):
        client_of(server.url).get("table/x")


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"", b"\xff\xfe"], ids=["cut", "nested", "empty", "no text"])
def test_a_body_that_is_no_json_is_tried_again_and_then_told(body):
    """A malformed answer to a read passes; one that stays is told with its size, not its content."""
    with serving(routed(in_turn(Reply(body)))) as server:
        with pytest.raises(RetryLater, match=f"GET /api/now/table/x answered HTTP 200 with {len(body)} bytes"):
            client_of(server.url).get("table/x")
        assert len(server.paths("GET")) == 6


@pytest.mark.parametrize("body", [{}, {"import_set_id": ""}, [], "s", {"import_set_id": None}, {"import_set_id": 5}])
def test_an_acknowledgement_without_an_id_is_none(body):
    """insertMultiple's answer counts only with the id of an import set."""
    with serving(routed(in_turn(Reply(body, 201)))) as server, pytest.raises(RetryLater, match="import_set_id"):
        insert_multiple(client_of(server.url), "t", [], recall=nowhere)


def test_a_single_record_gets_its_results():
    """A single POST answers one result per transform map, with ServiceNow's own words."""
    body = {
        "import_set": "ISET1",
        "staging_table": "t",
        "result": [{"status": "error", "error_message": "bad", "status_message": "worse", "transform_map": "m"}],
    }
    with serving(routed(in_turn(Reply(body, 201)))) as server:
        result = insert_one(client_of(server.url), "t", {"a": "b"}, recall=nowhere)[0]
    assert (result.status, result.message, result.import_set) == ("error", "bad; worse", "ISET1")


def _rows(client: ServiceNowClient) -> list[str]:
    return [row["n"] for row in iter_rows(client, "t", query="a=b", fields=("n",))]


def _listing(rows: list[str], *, total: bool, hidden: frozenset[str] = frozenset()) -> Script:
    """Answer a table of rows as ServiceNow does: hidden ones are taken out after the limit."""

    def script(asked: Asked) -> Reply:
        start, limit = int(asked.query["sysparm_offset"]), int(asked.query["sysparm_limit"])
        page = [{"n": name} for name in rows[start : start + limit] if name not in hidden]
        return Reply({"result": page}, headers={"X-Total-Count": str(len(rows))} if total else {})

    return script


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_all_rows_of_a_table_are_read_once(total, count):
    """With or without X-Total-Count, every row arrives, each once."""
    rows = [str(n) for n in range(count)]
    with serving(routed(_listing(rows, total=total))) as server:
        assert _rows(client_of(server.url)) == rows


def test_rows_that_access_rules_hide_do_not_end_a_table():
    """Access rules take rows out after the limit, so a page may be short or empty although more rows follow."""
    rows = [str(n) for n in range(2500)]
    hidden = frozenset(rows[:1500])
    with serving(routed(_listing(rows, total=True, hidden=hidden))) as server:
        assert _rows(client_of(server.url)) == rows[1500:]


def test_pages_of_a_table_are_asked_for_in_a_fixed_order():
    """Without an order, pages of a table that is being written could overlap or miss rows."""
    with serving(routed(_listing(["1"], total=True))) as server:
        _rows(client_of(server.url))
    assert server.asked[-1].query["sysparm_query"] == "a=b^ORDERBYsys_id"


def test_a_table_that_ignores_the_offset_is_not_read_forever():
    """A server that always answers the first page ends the walk."""
    with serving(routed(in_turn(Reply({"result": [{"n": "1"}]})))) as server:
        assert _rows(client_of(server.url)) == ["1"]


def test_references_and_nulls_become_text():
    """A reference may come as an object, a missing value as null; both are read as text."""
    row = {"n": {"value": "abc", "link": "https://x"}, "m": None, "o": 5}
    with serving(routed(in_turn(Reply({"result": [row]}, headers={"X-Total-Count": "1"})))) as server:
        assert list(iter_rows(client_of(server.url), "t", query="", fields=("n",))) == [{"n": "abc", "m": "", "o": "5"}]


@pytest.mark.parametrize("reply", [error(403, "no"), Reply({"result": []}), error(400, "Invalid table")], ids=str)
def test_an_unreadable_dictionary_means_cannot_tell(reply):
    """An account with only the documented roles may not read sys_dictionary: then nothing is known, and no error."""
    with serving(routed(in_turn(reply))) as server:
        known = read_staging_columns(client_of(server.url), "t")
    assert known is None
    require_columns("t", ["anything"], known)


def test_a_missing_staging_column_is_named():
    """ServiceNow drops values of columns that it does not have without a word, so the missing column is named."""
    rows = [{"name": "t", "element": "u_key", "column_label": "Key", "max_length": "1,000"}]
    rows += [{"name": "other", "element": "u_name", "column_label": "Name", "max_length": "40"}]
    with serving(routed(in_turn(Reply({"result": rows}, headers={"X-Total-Count": "2"})))) as server:
        known = read_staging_columns(client_of(server.url), "t")
    assert known is not None
    assert (known["u_key"].label, known["u_key"].max_length) == ("Key", 1000)
    with pytest.raises(SetupWrong, match="t has no column u_name"):
        require_columns("t", ["u_key", "u_name"], known)


def test_no_secret_is_ever_logged_or_shown(caplog):
    """With logging at its most verbose, no credential and no token is in a message, an error or a repr."""
    api = in_turn(Reply({}, 401), Reply({}, 500), OK, error(403, "no"))
    with serving(routed(api, tokens(0, 0, 0, 1800))) as server, caplog.at_level(logging.DEBUG):
        for name in ("requests_oauthlib", "requests_oauthlib.oauth2_session", "oauthlib", "urllib3"):
            logging.getLogger(name).debug("a line, so that the test sees what these libraries may write")
        client = client_of(server.url)
        client.get("table/x")
        with pytest.raises(AccessDenied) as caught:
            client.get("table/x")
    shown = caplog.text + str(caught.value) + repr(client.settings) + str(vars(client))
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_password_that_no_header_carries_still_works():
    """Credentials travel in the form body, so any character is fine in them."""
    with serving(routed(in_turn(OK))) as server:
        client_of(server.url, password="pä ss&=\n").get("table/x")
        assert server.asked[0].form["password"] == "pä ss&=\n"
