"""The comparison finds every kind of difference, between two small servers that answer like Iru and ServiceNow."""

import copy
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from include.local.check import Findings, RemovedApp, SignIn, compare, read_fleet, read_tables
from include.local.check.__main__ import main
from include.local.check.http import CheckFailedError

Json = Any
Answer = tuple[int, Json, dict[str, str]]
COMPUTER, MDM, INSTALL = "cmdb_ci_computer", "x_kandj_kandji_mdm", "cmdb_sam_sw_install"
SIGN_IN = SignIn(username="svc", password="pw", client_id="id", client_secret="secret")


@dataclass
class World:
    """What both servers hold; a test changes it and looks again."""

    devices: list[dict[str, Json]]
    facts: list[dict[str, Json]]
    apps: list[dict[str, Json]]
    tables: dict[str, list[dict[str, str]]]
    offset_only: bool = False
    miscount: int = 0
    urls: tuple[str, str] = ("", "")
    removed: list[RemovedApp] = field(default_factory=list)

    def findings(self) -> Findings:
        """Compare both servers as they are now."""
        return compare(read_fleet(self.urls[0], "t"), read_tables(self.urls[1], SIGN_IN), self.removed)

    def differences(self) -> list[tuple[str, str]]:
        """Return the table and column of each difference."""
        return [(difference.table, difference.column) for difference in self.findings().differences]

    def iru(self, path: str, query: dict[str, str]) -> Answer:
        """Answer as a tenant: a bare array of devices, and Prism's envelope with a cursor."""
        limit = min(int(query.get("limit", 300)), 2)
        if path == "/api/v1/devices":
            start = int(query.get("offset", 0))
            return 200, self.devices[start : start + limit], {}
        rows = self.apps if "apps" in (path + query.get("category", "")) else self.facts
        if path == "/api/v1/prism/count":
            return 200, {"count": len(rows) + self.miscount, "approximate": False}, {}
        if not self.offset_only and "offset" in query:
            return 400, {"detail": "offset is not supported"}, {}
        start = int(query.get("offset" if self.offset_only else "cursor") or 0)
        end = start + limit
        cursor = None if self.offset_only or end >= len(rows) else str(end)
        return 200, {"data": rows[start:end], "cursor": cursor}, {}

    def servicenow(self, path: str, query: dict[str, str]) -> Answer:
        """Answer as an instance: every value a string, references shown where display values are asked for."""
        rows = self.tables[path.rpartition("/")[2]]
        start = int(query["sysparm_offset"])
        names = query["sysparm_fields"].split(",")
        shown = query["sysparm_display_value"] == "true"
        page = [
            {name: row.get(f"shown_{name}", row[name]) if shown else row[name] for name in names if name in row}
            for row in rows
        ]
        return 200, {"result": page[start : start + 2]}, {"X-Total-Count": str(len(rows))}


def device(number: int, *, platform: str = "Mac", user: Json = "") -> dict[str, Json]:
    """Return a device as ``GET /devices`` shows it."""
    return {
        "device_id": f"d{number}", "device_name": f"name {number}", "model": "model", "serial_number": f"SER{number}",
        "platform": platform, "os_version": "14.4", "user": user, "blueprint_id": "b1",
    }  # fmt: skip


def app(number: int, device_id: str = "d1", **other: Json) -> dict[str, Json]:
    """Return an application as Prism shows it."""
    return {
        "device_id": device_id, "bundle_id": f"com.example.{number}", "name": f"app {number}", "version": "1.0",
        "developer_name": "Maker", "path": f"/Applications/app {number}.app",
    } | other  # fmt: skip


def computer(number: int, os: str = "macOS", user: str = "") -> dict[str, str]:
    """Return a row of cmdb_ci_computer."""
    return {
        "sys_id": f"c{number}", "serial_number": f"ser{number}", "name": f"name {number}", "os": os,
        "os_version": "14.4", "disk_space": "245", "assigned_to": user, "discovery_source": "Kandji",
        "model": "m", "shown_model": "model", "manufacturer": "x", "shown_manufacturer": "Apple",
    }  # fmt: skip


def install(number: int, computer_id: str = "c1", **other: str) -> dict[str, str]:
    """Return a row of cmdb_sam_sw_install."""
    return {
        "sys_id": f"i{number}{computer_id}", "instance_key": f"key{number}{computer_id}", "name": f"app {number}",
        "version": "1.0", "publisher": "Maker", "install_location": f"/Applications/app {number}.app",
        "installed_on": computer_id, "last_used": "", "active": "true", "discovery_source": "Kandji",
    } | other  # fmt: skip


def agreeing_world() -> World:
    """Return two sides that agree, with the rows that are legitimately different on each."""
    mdm = [
        {"sys_id": f"m{n}", "kandji_device_id": f"d{n}", "kandji_blueprint_id": "b1", "computer": f"c{n}",
         "discovery_source": "Kandji"} for n in (1, 2, 3)
    ]  # fmt: skip
    return World(
        devices=[
            device(1, user={"email": "Known@example.com"}),
            device(2, platform="AppleTV", user={"email": "stranger@example.com"}),
            device(3, platform="iPad"),
            device(4) | {"serial_number": ""},
            device(5, platform="Windows"),
        ],
        facts=[{"device_id": f"d{n}", "device_capacity": 245.0, "model_name": "model"} for n in range(1, 6)],
        apps=[app(1), app(2), app(2), app(3, "d2", bundle_id=None, path=None), app(4, "d4")],
        tables={
            COMPUTER: [computer(1, user="u1"), computer(2, os="tvOS"), computer(3, os="iPadOS")],
            MDM: [*mdm, mdm[0] | {"sys_id": "m9", "kandji_blueprint_id": "b0"}],
            INSTALL: [
                install(1), install(2), install(3, "c2", install_location=""), install(9, active="false"),
            ],
            "sys_user": [{"sys_id": "u1", "email": "known@example.com"}, {"sys_id": "u2", "email": "o@example.com"}],
        },
        removed=[RemovedApp(device_id="d1", name="app 9", path="/Applications/app 9.app")],
    )  # fmt: skip


def _handler(answer: Callable[[str, dict[str, str]], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            self._send(*answer(parts.path, query))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(200, {"access_token": "t"}, {})

        def _send(self, status: int, body: Json, headers: dict[str, str]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep quiet."""

    return Handler


@pytest.fixture
def world() -> Iterator[World]:
    """Serve two sides that agree."""
    world = agreeing_world()
    handlers = [_handler(lambda *request: world.iru(*request)), _handler(lambda *request: world.servicenow(*request))]
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in handlers]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    world.urls = tuple(f"http://127.0.0.1:{server.server_port}" for server in servers)  # type: ignore[assignment]
    yield world
    for server in servers:
        server.shutdown()
        server.server_close()


def test_two_sides_that_agree_have_no_difference(world: World) -> None:
    """Empty serials, other platforms, duplicates, old blueprints and inactive installs are no differences."""
    findings = world.findings()
    assert findings.differences == []
    assert (findings.computers, findings.without_serial, findings.left_mdm) == (3, 1, 1)
    assert (findings.installs, findings.inactive_installs) == (3, 1)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "another"), ("os", "iOS"), ("os_version", "14.5"), ("disk_space", "128"), ("assigned_to", "u2"),
        ("assigned_to", ""), ("shown_model", "other"), ("shown_manufacturer", ""), ("discovery_source", "SG-Jamf"),
    ],
)  # fmt: skip
def test_each_field_of_a_computer_is_compared(world: World, column: str, value: str) -> None:
    """A single wrong cell is found, and named by its column."""
    world.tables[COMPUTER][0][column] = value
    assert world.differences() == [(COMPUTER, column.removeprefix("shown_"))]


def test_a_user_unknown_to_servicenow_must_stay_empty(world: World) -> None:
    """A computer whose user does not exist in ServiceNow must not show somebody else."""
    world.tables[COMPUTER][1]["assigned_to"] = "u2"
    assert world.differences() == [(COMPUTER, "assigned_to")]


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", "another"), ("version", "2.0"), ("publisher", "Other"), ("install_location", "/elsewhere")],
)
def test_each_field_of_an_install_is_compared(world: World, column: str, value: str) -> None:
    """A single wrong cell of an install is found as that cell, not as one row missing and one too many."""
    world.tables[INSTALL][0][column] = value
    assert world.differences() == [(INSTALL, column)]


@pytest.mark.parametrize(
    ("last_opened", "last_used", "agrees"),
    [
        ("2026-10-15T08:30:00.123456+00:00", "2026-10-15 08:30:00", True),
        ("2026-10-15T10:30:00+02:00", "2026-10-15 08:30:00", True),
        ("2026-10-15T08:30:00Z", "2026-10-15", True),
        ("2026-10-15T08:30:00Z", "2026-10-15 08:31:00", False),
        ("2026-10-15T08:30:00Z", "", False),
    ],
)
def test_last_use_is_compared_as_a_moment(world: World, last_opened: str, last_used: str, agrees: bool) -> None:
    """Where a tenant tells when an app was last opened, ServiceNow must hold that time, in UTC."""
    world.apps[0]["last_opened"] = last_opened
    world.tables[INSTALL][0]["last_used"] = last_used
    assert world.differences() == ([] if agrees else [(INSTALL, "last_used")])


@pytest.mark.parametrize("table", [COMPUTER, MDM, INSTALL])
def test_a_missing_row_is_found(world: World, table: str) -> None:
    """What Iru holds and ServiceNow lacks is a difference in each table."""
    del world.tables[table][0]
    assert (table, "rows") in world.differences()


@pytest.mark.parametrize("table", [COMPUTER, MDM, INSTALL])
def test_a_doubled_row_is_found(world: World, table: str) -> None:
    """Two rows where Iru has one are a difference in each table."""
    twin = copy.deepcopy(world.tables[table][0]) | {"sys_id": "twin", "instance_key": "twin"}
    world.tables[table].append(twin)
    assert (table, "rows") in world.differences()


def test_an_install_that_iru_does_not_hold_is_found(world: World) -> None:
    """An app that left the device must not stay active."""
    world.tables[INSTALL].append(install(7))
    assert world.differences() == [(INSTALL, "rows")]


def test_an_install_on_the_wrong_computer_is_found(world: World) -> None:
    """The reference to the computer is compared, not only the app's own cells."""
    world.tables[INSTALL][0]["installed_on"] = "c3"
    assert world.differences() == [(INSTALL, "rows"), (INSTALL, "rows")]


def test_an_mdm_record_of_the_wrong_computer_is_found(world: World) -> None:
    """The MDM record must point at the computer with the device's serial number."""
    world.tables[MDM][0]["computer"] = "c2"
    assert world.differences() == [(MDM, "computer")]


def test_keys_that_differ_in_case_only_are_found(world: World) -> None:
    """ServiceNow matches keys without case, so such keys would overwrite each other."""
    world.tables[INSTALL][0]["instance_key"] = "KEY2c1"
    assert world.differences() == [(INSTALL, "rows")]


def test_a_removed_app_must_be_there_as_inactive(world: World) -> None:
    """The install of a removed app is kept for history; a deleted one is a difference."""
    del world.tables[INSTALL][3]
    assert world.differences() == [(INSTALL, "active")]


def test_a_removed_app_that_stays_active_is_found(world: World) -> None:
    """Removal must reach ServiceNow."""
    world.tables[INSTALL][3]["active"] = "true"
    assert world.differences() == [(INSTALL, "rows"), (INSTALL, "active")]


def test_an_app_that_iru_marks_as_removed_must_not_be_active(world: World) -> None:
    """Tenants that keep removed apps in the list mean the same as tenants that drop them."""
    world.apps[0]["is_removed"] = True
    assert world.differences() == [(INSTALL, "rows")]


def test_a_tenant_with_offsets_is_read_to_the_end(world: World) -> None:
    """Both ways of paging give every row."""
    world.offset_only = True
    assert world.differences() == []


def test_an_incomplete_extract_is_no_result(world: World) -> None:
    """A comparison over fewer rows than Iru counts is refused, not passed."""
    world.miscount = 1
    with pytest.raises(CheckFailedError, match="Prism device_information counts 6 rows and returned 5"):
        world.findings()


def test_the_command_says_it_by_exit_status_and_without_personal_data(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone in a shell the comparison exits 0, 1 or 2, and prints neither an e-mail address nor a secret."""
    arguments = [
        "--iru-url", world.urls[0], "--iru-token", "t0ken", "--servicenow-url", world.urls[1],
        "--username", "svc", "--password", "pa55", "--client-id", "id", "--client-secret", "s3cret",
    ]  # fmt: skip
    assert main(arguments) == 0
    world.tables[COMPUTER][0] |= {"assigned_to": "u2", "name": "laptop of known@example.com"}
    assert main(arguments) == 1
    world.miscount = 1
    assert main(arguments) == 2
    printed = "".join(capsys.readouterr())
    assert "differences: 2" in printed
    assert not [word for word in ("@example", "t0ken", "pa55", "s3cret") if word in printed]
