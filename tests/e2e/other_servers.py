"""An Iru tenant and a ServiceNow instance that share nothing with the sandbox: the bare documented API, and no more.

They prove that the pipeline depends on nothing that only the sandbox does: no count, no rate headers, no totals,
no dictionary, no labels but the default ones, run counters without the columns ``processed`` and ``skipped``.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN, CLIENT_ID, CLIENT_SECRET, USER, PASSWORD = "a-token", "an-id", "a-secret", "svc.iru", "a-password"
COMPUTER, MDM, APPS = (f"x_kandj_kandji_kandji_import_set_{name}" for name in ("computer", "mdm", "apps"))
KEYS = {COMPUTER: ("serial_number",), MDM: ("device_id", "blueprint_id"), APPS: ("instance_key",)}
PAGE_ROWS = 300


class Handler(BaseHTTPRequestHandler):
    """Answers JSON; each server's own handler routes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """Route a read."""
        self._respond("GET")

    def do_POST(self) -> None:
        """Route a write."""
        self._respond("POST")

    def _respond(self, method: str) -> None:
        parts = urlsplit(self.path)
        params = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        world: World = self.server.world  # type: ignore[attr-defined]  # ThreadingHTTPServer has no place for it
        with world.lock:
            world.seen.append(f"{method} {parts.path}")
            status, answer = world.answer(method, parts.path, params, body, dict(self.headers))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class World:
    """What a server knows and saw."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.seen: list[str] = []

    def answer(self, method: str, path: str, params: dict[str, str], body: bytes, headers: dict[str, str]) -> Any:
        """Return the status and the JSON for one request."""
        raise NotImplementedError

    def writes(self) -> list[str]:
        """Return the requests that wrote something (a token is no write)."""
        return [line for line in self.seen if line.startswith("POST") and "oauth" not in line]


class Iru(World):
    """A tenant with cursors only, short pages, and null totals."""

    def __init__(self, devices: list[dict[str, Any]], apps: list[dict[str, Any]]) -> None:
        super().__init__()
        self.devices, self.apps = devices, apps

    def answer(self, method: str, path: str, params: dict[str, str], body: bytes, headers: dict[str, str]) -> Any:
        """Serve /devices and two Prism categories."""
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, "no"
        if path == "/api/v1/devices":
            offset = int(params.get("offset", 0))
            return 200, [_device(device) for device in self.devices][offset : offset + int(params["limit"])]
        if path == "/api/v1/prism/device_information":
            return self._page([_device_information(device) for device in self.devices], params)
        if path == "/api/v1/prism/apps":
            return self._page(self.apps, params)
        return 404, {"message": "no Route matched with those values"}

    def _page(self, rows: list[dict[str, Any]], params: dict[str, str]) -> Any:
        if "offset" in params:
            return 400, {"detail": "offset is not supported"}
        start = int(params["cursor"] or 0)
        end = start + min(int(params["limit"]), 7 if start else PAGE_ROWS)  # a short page is not the end
        cursor = str(end) if end < len(rows) else None
        return 200, {"offset": None, "limit": PAGE_ROWS, "total": None, "data": rows[start:end], "cursor": cursor}


class ServiceNow(World):
    """An instance whose account may read import sets and computers, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, dict[tuple[str, ...], dict[str, str]]] = {table: {} for table in KEYS}
        self.import_sets: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, params: dict[str, str], body: bytes, headers: dict[str, str]) -> Any:
        """Serve a token, insertMultiple and the Table API."""
        if path == "/oauth_token.do":
            return self._token(parse_qs(body.decode()))
        if headers.get("Authorization") != "Bearer the-access-token":
            return 401, {"error": {"message": "User Not Authenticated", "detail": ""}, "status": "failure"}
        if path.endswith("/insertMultiple"):
            return self._insert(path.split("/")[4], json.loads(body)["records"])
        return self._table(path.split("/")[4:], params)

    def _token(self, form: dict[str, list[str]]) -> Any:
        wanted = {"grant_type": "password", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USER,
                  "password": PASSWORD}  # fmt: skip
        if any(form.get(name) != [value] for name, value in wanted.items()):
            return 401, {"error_description": "access_denied", "error": "server_error"}
        return 200, {"access_token": "the-access-token", "scope": "useraccount", "token_type": "Bearer",
                     "expires_in": 1799}  # fmt: skip

    def _insert(self, table: str, records: list[dict[str, str]]) -> Any:
        if any(not isinstance(value, str) for record in records for value in record.values()):
            return 400, {"error": {"message": "only strings", "detail": None}, "status": "failure"}
        sys_id = uuid.uuid4().hex
        named = [{label.lower().replace(" ", "_"): value for label, value in record.items()} for record in records]
        self.import_sets[sys_id] = {"table": table, "reads": 0, "rows": [self._transform(table, row) for row in named]}
        return 201, {"import_set_id": sys_id, "multi_import_set_id": uuid.uuid4().hex}

    def _transform(self, table: str, row: dict[str, str]) -> dict[str, str]:
        key = tuple(row.get(name, "").lower() for name in KEYS[table])
        if "refuse" in row.get("device_name", ""):
            return row | {"sys_import_state": "error", "sys_import_state_comment": "Refused by a business rule"}
        held = self.tables[table].setdefault(key, {})
        before = dict(held)
        held.update({name: "" if value == "NULL" else value for name, value in row.items()})
        state = "ignored" if held == before else "updated" if before else "inserted"
        comment = "No field values changed" if state == "ignored" else ""
        return row | {"sys_import_state": state, "sys_import_state_comment": comment}

    def _table(self, path: list[str], params: dict[str, str]) -> Any:
        if path[0] == "sys_import_set" and len(path) == 2:
            found = self.import_sets[path[1]]
            found["reads"] += 1
            return 200, {"result": {"sys_id": path[1], "state": "processed" if found["reads"] > 1 else "loaded"}}
        if path[0] == "sys_import_set_run":
            return self._list([self._run(sys_id) for sys_id in self.import_sets], params)
        if path[0] in KEYS:
            return self._list([row for sys_id in self.import_sets for row in self._rows(sys_id, path[0])], params)
        if path[0] == "cmdb_ci_computer":
            computers = self.tables[COMPUTER].values()
            return self._list([{"sys_id": row["serial_number"], **row} for row in computers], params)
        return 403, {"error": {"message": "Insufficient rights to query records", "detail": None}, "status": "failure"}

    def _run(self, sys_id: str) -> dict[str, str]:
        states = [row["sys_import_state"] for row in self.import_sets[sys_id]["rows"]]
        names = {"inserts": "inserted", "updates": "updated", "ignored": "ignored", "errors": "error"}
        counters = {name: str(states.count(state)) for name, state in names.items()}
        return {"sys_id": f"run-{sys_id}", "set": sys_id, "state": "complete", "total": str(len(states)), **counters}

    def _rows(self, sys_id: str, table: str) -> list[dict[str, Any]]:
        found = self.import_sets[sys_id]
        return [
            {**row, "sys_id": f"{sys_id}-{n}", "sys_import_row": str(n),
             "sys_import_set": {"link": f"https://elsewhere/{sys_id}", "value": sys_id}}
            for n, row in enumerate(found["rows"])
            if found["table"] == table
        ]  # fmt: skip

    def _list(self, rows: list[dict[str, Any]], params: dict[str, str]) -> Any:
        matching = [row for row in rows if _matches(row, params.get("sysparm_query", ""))]
        start = int(params.get("sysparm_offset", 0))
        return 200, {"result": matching[start : start + int(params.get("sysparm_limit", 10000))]}


def _matches(row: dict[str, Any], query: str) -> bool:
    return all(any(_holds(row, part) for part in group.split("^OR")) for group in _groups(query))


def _groups(query: str) -> list[str]:
    groups: list[str] = []
    for part in query.split("^"):
        if part.startswith("OR") and groups:
            groups[-1] += f"^{part}"
        elif part:
            groups.append(part)
    return groups


def _holds(row: dict[str, Any], condition: str) -> bool:
    name, operator, wanted = condition.partition("!=" if "!=" in condition else "=")
    value = row.get(name, "")
    value = value["value"] if isinstance(value, dict) else value
    return (value == wanted) == (operator == "=")


def _device(device: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in device.items() if name != "capacity"}


def _device_information(device: dict[str, Any]) -> dict[str, Any]:
    return {"device_id": device["device_id"], "device_capacity": device["capacity"], "model_name": device["model"],
            "device__family": device["platform"].replace("AppleTV", "tvOS")}  # fmt: skip


@contextmanager
def serve(world: World) -> Iterator[str]:
    """Serve a world on a free loopback port; yields its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.world = world  # type: ignore[attr-defined]  # ThreadingHTTPServer has no place for it
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
