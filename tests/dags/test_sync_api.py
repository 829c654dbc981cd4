"""The sync page's API in Airflow's real API server: who may ask what, and what comes back."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sync_client import OURS, PREFIX, api_server, signed_in

from bench.page_seed import HOSTILE, Seeded

SERVICES = {
    "AIRFLOW_CONN_IRU_DEFAULT": {"conn_type": "iru", "host": "https://tenant.api.example", "password": "t0ken"},
    "AIRFLOW_CONN_SERVICENOW_DEFAULT": {
        "conn_type": "servicenow", "host": "https://instance.service-now.example", "login": "a", "password": "p4ss",
        "extra": {"client_id": "c", "client_secret": "s"},
    },
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "/stuck": {"kind": "refused"},
    "/stuck/row": {"feed": "computer", "key": "c020000006"},
    "/orders": {"feed": "computer", "keys": ["c020000007"], "action": "resend", "reason": "a test"},
    "/download": {"table": "runs", "format": "csv"},
}
"""What a person may well ask each route that takes a body; the others take an empty one."""

WRITING = {("POST", "/{pair}/orders")}


@pytest.fixture(scope="module")
def seeded() -> Seeded:
    """Return what the ledger holds."""
    return Seeded()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, seeded: Seeded) -> Iterator[SimpleNamespace]:
    """Run an installation with a seeded ledger in Airflow's API server."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("storage")
        patch.setenv("IRU_SERVICENOW_STORAGE", str(root))
        for name, connection in SERVICES.items():
            patch.setenv(name, json.dumps(connection))
        seeded.write(f"sqlite:///{root}/ledger.sqlite")
        with api_server(patch) as app:
            people = {who: signed_in(app, who) for who in ("", "nobody", "viewer", "user")}
            yield SimpleNamespace(app=app, root=root, **{who or "stranger": client for who, client in people.items()})


def routes() -> list[tuple[str, str]]:
    """Return every method and path of the API, as the app itself lists them."""
    from iru_servicenow.sync_api.app import make_api

    found = [route for route in make_api().routes if isinstance(route, APIRoute)]
    return sorted((method, route.path) for route in found for method in route.methods)


def call(client: TestClient, method: str, path: str, seeded: Seeded, **options: Any) -> Any:
    """Ask a route what a person may well ask it."""
    address = path.replace("{pair}", "-").replace("{device_id}", seeded.device_id(20))
    headers = OURS | options.pop("headers", {}) if method == "POST" else {}
    body = json.dumps(BODIES.get(path.removeprefix("/{pair}"), {})) if method == "POST" else None
    return client.request(method, PREFIX + address, headers=headers, content=options.pop("content", body), **options)


def post(client: TestClient, path: str, body: dict[str, Any], pair: str = "-") -> Any:
    """Ask a question with a body."""
    return client.post(f"{PREFIX}/{pair}/{path}", headers=OURS, content=json.dumps(body))


# --- who -------------------------------------------------------------------------------------------------------------


def test_the_routes_are_those_of_the_contract():
    """A route that is added is named here, and thereby goes through the checks below."""
    assert [f"{method} {path.removeprefix('/{pair}')}" for method, path in routes()] == [
        "GET /pairs", "GET /days", "GET /devices/{device_id}", "GET /devices/{device_id}/apps",
        "GET /devices/{device_id}/history", "GET /fleet", "GET /latency", "GET /orders", "GET /overview", "GET /runs",
        "GET /setup", "GET /stuck/summary", "POST /devices", "POST /devices/{device_id}/ask", "POST /download",
        "POST /orders", "POST /stuck", "POST /stuck/row", "POST /titles",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "index.html", "LICENSES.txt", "icon.svg", "nothing.js"])
def test_the_page_itself_is_for_readers(page: SimpleNamespace, name: str) -> None:
    """A stranger loads nothing, somebody without a right the menu's icon alone, a reader what is there."""
    address = f"/iru-servicenow/page/{name}"
    is_there, is_icon = name != "nothing.js", name == "icon.svg"
    assert page.stranger.get(address).status_code == 401
    assert page.nobody.get(address).status_code == (200 if is_icon else 403)
    answer = page.viewer.get(address)
    assert answer.status_code == (200 if is_there else 404)
    if is_there:
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["../sync_files.py", "..%2fsync_files.py", "assets/../../package.json", "/etc/passwd"])
def test_nothing_but_the_bundle_is_served(page: SimpleNamespace, path: str) -> None:
    """No spelling of a path leads out of the bundle."""
    assert page.viewer.get(f"/iru-servicenow/page/{path}").status_code in (403, 404)


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_refuses_a_stranger(page, seeded, method, path):
    """Without a login nobody learns anything, not even whether a question makes sense."""
    for content in (None, "no json"):
        answer = call(
            page.stranger, method, path, seeded, **({"content": content} if content and method == "POST" else {})
        )
        assert answer.status_code == 401, answer.text
        assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_refuses_a_forged_login(page, seeded, method, path):
    """A token that Airflow did not sign is no login."""
    forged = signed_in(page.app, "user")
    forged.headers["Authorization"] = forged.headers["Authorization"][:-6] + "AAAAAA"
    assert call(forged, method, path, seeded).status_code in (401, 403)


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_refuses_who_may_not_read_the_dags(page, seeded, method, path):
    """A login alone is not enough."""
    answer = call(page.nobody, method, path, seeded)
    assert answer.status_code == 403, answer.text
    assert "right" in answer.json()["detail"] or "may read no DAG" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [route for route in routes() if not route[1].endswith("/ask")])
def test_who_may_only_read_can_read_and_not_order(page, seeded, method, path):
    """Reads and writes are rights apart; the route that asks both services has a test with services (test_sync_ask)."""
    answer = call(page.viewer, method, path, seeded)
    assert answer.status_code == (403 if (method, path) in WRITING else 200), answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_refused_order_changes_nothing(page, seeded):
    """Neither another's nor a foreign site's order gets into the ledger or the audit log."""
    before = page.viewer.get(f"{PREFIX}/-/orders").json()["total"]["n"]
    for client in (page.stranger, page.nobody, page.viewer):
        assert call(client, "POST", "/{pair}/orders", seeded).status_code in (401, 403)
    headers = {"Origin": "https://elsewhere.example"}
    assert call(page.user, "POST", "/{pair}/orders", seeded, headers=headers).status_code == 403
    assert page.viewer.get(f"{PREFIX}/-/orders").json()["total"]["n"] == before
    assert audit_log() == []


def rights(app: Any, monkeypatch: pytest.MonkeyPatch, *dags: str) -> TestClient:
    """Return a client of somebody who may read and trigger some DAGs only."""
    from airflow.api_fastapi.app import get_auth_manager

    def is_authorized_dag(*, details: Any = None, **_: Any) -> bool:
        return details is not None and details.id in dags

    client = signed_in(app, "user")
    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", is_authorized_dag)
    return client


def test_each_flow_is_a_right_of_its_own(page, seeded, monkeypatch):
    """Who may see the apps alone sees no device, and the other way round."""
    client = rights(page.app, monkeypatch, "iru_apps")
    assert {feed["feed"] for feed in client.get(f"{PREFIX}/-/overview").json()["feeds"]} == {"apps"}
    assert {run["flow"] for run in client.get(f"{PREFIX}/-/runs").json()["rows"]} == {"apps"}
    assert {row["feed"] for row in post(client, "stuck", {"kind": "refused"}).json()["rows"]} == {"apps"}
    assert client.get(f"{PREFIX}/-/orders").json()["rows"] == []
    assert client.get(f"{PREFIX}/-/latency").json() == {"days": []}
    assert client.get(f"{PREFIX}/-/fleet").json()["devices"] == 0
    device = seeded.device_id(20)
    refused = (
        post(client, "devices", {}), client.get(f"{PREFIX}/-/devices/{device}"), client.get(f"{PREFIX}/-/setup"),
        client.get(f"{PREFIX}/-/devices/{device}/history"), post(client, "stuck", {"kind": "held", "feed": "mdm"}),
        post(client, "stuck/row", {"feed": "computer", "key": "c020000006"}),
        post(client, "orders", BODIES["/orders"]), post(client, "download", {"table": "devices", "format": "csv"}),
        post(client, "download", {"table": "stuck", "format": "csv", "filters": {"feed": "computer"}}),
    )  # fmt: skip
    assert [answer.status_code for answer in refused] == [403] * len(refused)


def test_who_may_see_devices_alone_sees_no_app(page, seeded, monkeypatch):
    """Apps tell what somebody uses, so they have a right of their own."""
    client = rights(page.app, monkeypatch, "iru_devices")
    device = seeded.device_id(20)
    assert {row["apps"] for row in post(client, "devices", {}).json()["rows"]} == {0}
    history = client.get(f"{PREFIX}/-/devices/{device}/history").json()["rows"]
    assert {row["feed"] for row in history} == {"computer", "mdm"}
    assert client.get(f"{PREFIX}/-/fleet").json()["apps"]["titles"] == 0
    refused = (post(client, "titles", {}), client.get(f"{PREFIX}/-/devices/{device}/apps"))
    assert [answer.status_code for answer in refused] == [403, 403]


def test_the_pairs_are_those_of_which_somebody_may_read_something(page):
    """The page shows from the start what a person may do."""
    told = page.viewer.get(f"{PREFIX}/pairs").json()
    assert told["user"] == "viewer"
    assert [(pair["name"], pair["iru"], pair["servicenow"]) for pair in told["pairs"]] == [
        ("-", "https://tenant.api.example", "https://instance.service-now.example")
    ]
    may = told["pairs"][0]["may"]
    assert {right for right, has in may.items() if has} == {"read_devices", "read_apps", "read_setup"}
    assert page.user.get(f"{PREFIX}/pairs").json()["pairs"][0]["may"]["write_apps"]
    assert page.viewer.get(f"{PREFIX}/nowhere/overview").status_code == 404


# --- from where ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Requested-By": ""},
        {"X-Requested-By": "XMLHttpRequest"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.elsewhere.example"},
    ],
)
@pytest.mark.parametrize("path", [path for method, path in routes() if method == "POST"])
def test_what_another_site_has_a_browser_send_is_refused(page, seeded, path, headers):
    """A page elsewhere can neither order nor read anything with a visitor's login."""
    answer = call(page.user, "POST", path, seeded, headers=headers)
    assert answer.status_code == 403, answer.text
    assert "only the page itself" in answer.json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin"}])
def test_what_the_page_itself_sends_is_taken(page, seeded, headers):
    """The page's own questions pass, in browsers with and without fetch metadata."""
    assert call(page.viewer, "POST", "/{pair}/stuck", seeded, headers=headers).status_code == 200


def test_reading_takes_no_side_effect_by_get(page, seeded):
    """An address that somebody is made to open orders nothing."""
    for path in ("orders?action=release&feed=computer&keys=c020000000", "orders"):
        assert page.user.get(f"{PREFIX}/-/{path}").json()["rows"][0]["action"] == "release"
    assert audit_log() == []
    assert page.user.put(f"{PREFIX}/-/orders", content="{}").status_code == 405


def test_addresses_carry_no_free_text_and_no_serial_number(page, seeded):
    """What stands in an address ends up in logs and histories of browsers."""
    free = {"search", "q", "serial", "serial_number", "key", "message", "reason"}
    from iru_servicenow.sync_api.app import make_api

    named = {
        parameter.name
        for route in make_api().routes if isinstance(route, APIRoute)
        for parameter in (*route.dependant.query_params, *route.dependant.path_params)
    }  # fmt: skip
    assert named & free == set()
    assert named == {"flow", "cursor", "limit", "days_", "device_id", "active", "sort"}
    device = seeded.device_id(3)
    for path in ("runs", "orders", f"devices/{device}/apps", f"devices/{device}/history"):
        cursor = page.viewer.get(f"{PREFIX}/-/{path}?limit=1").json()["next"]
        decoded = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().casefold()
        assert "c02" not in decoded
        assert device not in decoded


# --- what ------------------------------------------------------------------------------------------------------------


def test_hostile_names_come_through_as_text(page, seeded):
    """Whatever a device or an app is called, it is JSON text, whole and unchanged."""
    found = post(page.viewer, "devices", {"limit": 200}).json()["rows"]
    names = {row["name"] for row in found}
    assert names >= {HOSTILE[3]}
    answer = page.viewer.get(f"{PREFIX}/-/devices/{seeded.device_id(20)}/apps?limit=200")
    assert answer.headers["Content-Type"] == "application/json"
    assert all(ord(character) < 128 for character in answer.text)
    everything = post(page.viewer, "titles", {"limit": 200}).json()["rows"]
    assert {row["name"] for row in everything} >= {HOSTILE[0], HOSTILE[1]}


def test_a_lone_surrogate_in_a_payload_is_spelled_as_json(page, seeded):
    """A cell that is no Unicode text takes no page away."""
    key = seeded.serial(30).casefold()
    with sa.create_engine(f"sqlite:///{page.root}/ledger.sqlite").begin() as ledger:
        payload = '{"serial_number": "S1", "device_name": "a\\ud800b\\u0000"}'
        ledger.execute(sa.text("UPDATE ledger_rows SET payload = :p WHERE key = :k"), {"p": payload, "k": key})
    answer = page.viewer.get(f"{PREFIX}/-/devices/{seeded.device_id(30)}")
    assert answer.status_code == 200
    assert "\\ud800b\\u0000" in answer.text
    for kind in ("csv", "parquet"):
        assert post(page.viewer, "download", {"table": "devices", "format": kind}).status_code == 200


def test_csv_files_are_safe_in_a_spreadsheet(page):
    """No cell is taken for a formula, and a reader gets as many cells a row as there are columns."""
    answer = post(page.viewer, "download", {"table": "titles", "format": "csv"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="iru-servicenow-titles.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {len(row) for row in rows} == {12}
    assert len(rows) == 81
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+\-@]", cell)]
    assert "'" + HOSTILE[1] in cells


@pytest.mark.parametrize("table", ["stuck", "runs", "days", "orders", "devices", "titles", "facts", "setup"])
def test_every_table_is_there_as_csv_and_as_parquet(page, table):
    """Both files have the same rows and columns."""
    body = {"table": table, "filters": {"kind": "refused"} if table == "stuck" else {}}
    text = post(page.viewer, "download", body | {"format": "csv"}).content.decode("utf-8-sig")
    packed = post(page.viewer, "download", body | {"format": "parquet"})
    head, *rows = list(csv.reader(io.StringIO(text)))
    frame = pq.read_table(io.BytesIO(packed.content))
    assert frame.column_names == head
    assert frame.num_rows == len(rows)
    assert "X-Rows-Left-Out" not in packed.headers


@pytest.mark.parametrize("table", ["device_apps", "history"])
def test_a_devices_tables_are_files_too(page, seeded, table):
    """One device's apps and verdicts can be taken along."""
    body = {"table": table, "format": "parquet", "device_id": seeded.device_id(3).upper()}
    assert pq.read_table(io.BytesIO(post(page.viewer, "download", body).content)).num_rows >= 12


def test_a_file_that_has_not_all_rows_says_so(page, monkeypatch):
    """Nobody takes the first rows for all of them."""
    monkeypatch.setattr("include.insight.download.MOST_ROWS", 10)
    monkeypatch.setattr("include.insight.download.ROWS_A_PAGE", 4)
    answer = post(page.viewer, "download", {"table": "devices", "format": "csv"})
    assert answer.headers["X-Rows-Left-Out"] == "50"
    assert len(answer.content.decode("utf-8-sig").splitlines()) == 11


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("stuck", {"kind": "lost"}, "kind"),
        ("stuck", {"kind": "refused", "limit": 201}, "limit"),
        ("stuck", {"kind": "refused", "search": "x" * 4001}, "search"),
        ("stuck", {"kind": "refused", "cursor": "nonsense"}, "cursor"),
        ("stuck", {"kind": "refused", "feed": "nothing"}, "no such feed"),
        ("stuck", {"kind": "refused", "more": 1}, "more"),
        ("orders", {"feed": "computer", "keys": [], "action": "park", "reason": "x"}, "keys"),
        ("orders", {"feed": "computer", "keys": ["c020000001"], "action": "delete", "reason": "x"}, "action"),
        ("orders", {"feed": "computer", "keys": ["c020000001"], "action": "park", "reason": "  "}, "reason"),
        (
            "orders",
            {"feed": "computer", "keys": ["unknown-s3cret"], "action": "park", "reason": "x"},
            "not in the ledger",
        ),
        ("orders", {"feed": "computer", "keys": ["k"] * 501, "action": "park", "reason": "x"}, "keys"),
        ("titles", {"sort": "newest"}, "sort"),
        ("stuck/row", {"feed": "computer", "key": "a\x00xxx"}, "key"),
        ("stuck/row", {"feed": "computer", "key": "a\ud800xxx"}, "body"),
        ("download", {"table": "passwords", "format": "csv"}, "table"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_in_one_sentence(page, path, body, said):
    """The answer names what is wrong, and repeats nothing of what was sent."""
    answer = post(page.user, path, body)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert "s3cret" not in answer.text
    assert "xxx" not in answer.text


def test_a_device_id_that_no_database_takes_is_refused(page):
    """A NUL in an address is told as what it is."""
    assert page.viewer.get(f"{PREFIX}/-/devices/a%00b").status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "flow=cars"])
def test_an_address_that_makes_no_sense_is_told_too(page, query):
    """Bounds hold for what stands in an address as well."""
    answer = page.viewer.get(f"{PREFIX}/-/runs?{query}")
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


def test_a_body_that_is_too_large_is_not_read(page):
    """Memory is bounded, whoever asks."""
    answer = page.user.post(f"{PREFIX}/-/orders", headers=OURS, content=b"[" + b"1," * 600_000)
    assert answer.status_code == 413


def test_a_slow_question_ends_soon_and_says_what_to_do(page, monkeypatch):
    """A page that is too much for the database answers 503 and lets it go."""
    monkeypatch.setattr("iru_servicenow.sync_api.access.BUDGET_S", 0.0)
    answer = post(page.viewer, "stuck", {"kind": "refused"})
    assert answer.status_code == 503
    assert "Narrow the filter" in answer.json()["detail"]


def test_a_defect_is_told_without_a_word_of_what_was_at_hand(page, monkeypatch, caplog):
    """An exception's text may hold a serial number; neither the caller nor the log gets it."""

    def broken(*_: Any) -> None:
        raise RuntimeError("C02SECRET of Ada")

    monkeypatch.setattr("iru_servicenow.sync_api.view_routes.overview", broken)
    answer = page.viewer.get(f"{PREFIX}/-/overview")
    assert answer.status_code == 500
    assert "report this defect" in answer.json()["detail"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "C02SECRET" not in answer.text + caplog.text
    assert "RuntimeError in broken" in caplog.text


# --- orders ----------------------------------------------------------------------------------------------------------


def audit_log() -> list[Any]:
    """Return what Airflow's audit log says of orders."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.scalars(sa.select(Log).where(Log.event == "iru_servicenow_order").order_by(Log.id))
        return [(row.dag_id, row.owner, json.loads(row.extra)) for row in found]


def test_an_order_is_placed_and_noted(page, seeded):
    """The next run finds it, the row shows it, and Airflow's audit log knows who it was, without serial numbers."""
    keys = [seeded.serial(number).casefold() for number in (7, 8)]
    body = {"feed": "computer", "keys": keys, "action": "park", "reason": "being repaired <b>"}
    answer = post(page.user, "orders", body)
    assert answer.json() == {"placed": 2, "starts_with": "iru_devices"}
    newest = page.viewer.get(f"{PREFIX}/-/orders?limit=2").json()["rows"]
    assert {(row["key"], row["ordered_by"], row["reason"], row["state"]) for row in newest} == {
        (key, "user", "being repaired <b>", "open") for key in keys
    }
    row = post(page.user, "stuck/row", {"feed": "computer", "key": keys[0]}).json()
    assert (row["kind"], row["open_order"]["action"], row["may_order"]) == ("parked", "park", ["release"])
    assert audit_log()[-1] == ("iru_devices", "user", {"pair": "", "feed": "computer", "action": "park", "rows": 2})
    noted = len(audit_log())
    assert post(page.user, "orders", body | {"keys": ["nobody-knows"]}).status_code == 422
    assert len(audit_log()) == noted, "what is not ordered is not noted"


# --- a fresh installation --------------------------------------------------------------------------------------------


def test_a_fresh_installation_says_what_to_do(page, monkeypatch, tmp_path, seeded):
    """Without a ledger the overview is grey and says why, and tables are empty; nothing is an error page."""
    monkeypatch.setenv("IRU_SERVICENOW_STORAGE", str(tmp_path))
    told = page.viewer.get(f"{PREFIX}/-/overview").json()
    assert {(feed["light"], feed["in_ledger"]["rows"]) for feed in told["feeds"]} == {("grey", 0)}
    assert "Trigger the DAG iru_devices" in told["feeds"][0]["why"][0]
    empty = (
        page.viewer.get(f"{PREFIX}/-/runs"), page.viewer.get(f"{PREFIX}/-/orders"), post(page.viewer, "devices", {}),
        post(page.viewer, "stuck", {"kind": "held"}), post(page.viewer, "titles", {}),
    )  # fmt: skip
    assert [answer.json()["rows"] for answer in empty] == [[]] * len(empty)
    assert page.viewer.get(f"{PREFIX}/-/setup").json()["findings"] == []
    refused = post(page.user, "orders", BODIES["/orders"])
    assert refused.status_code == 503
    assert list(tmp_path.iterdir()) == [], "reading makes no ledger, and neither does an order"


def test_a_missing_connection_is_said_where_people_look(page, monkeypatch):
    """Before anybody has defined connections the overview names the one that is missing."""
    monkeypatch.delenv("AIRFLOW_CONN_SERVICENOW_DEFAULT")
    told = page.viewer.get(f"{PREFIX}/-/overview").json()
    assert "servicenow_default" in told["feeds"][0]["why"][0]
    assert page.viewer.get(f"{PREFIX}/pairs").json()["pairs"][0]["servicenow"] == ""
