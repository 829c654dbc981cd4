"""Real servers of the ServiceNow instance, and a client that knows nothing but the documented API."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests

from include.sandbox.server import Server
from include.sandbox.servicenow import SeedUser, ServiceNowSettings, create_app

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
MDM = "x_kandj_kandji_kandji_import_set_mdm"
APPS = "x_kandj_kandji_kandji_import_set_apps"
SETTINGS = ServiceNowSettings(
    users=(SeedUser("Ann Bo", "ann@example.com"), SeedUser("Cem Di", "cem@example.com")),
    client_id="client-1",
    client_secret="client-secret-1",
    username="svc",
    password="word",
    transform_pickup_delay_s=0.02,
)
ENDED = ("processed", "error")


@dataclass
class Snow:
    """One instance as a client sees it."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    instance: Any = None
    """The instance itself, for tests that ask it for faults."""

    def fault(self, kind: str, **wanted: Any) -> None:
        """Ask the instance for a fault."""
        self.instance.faults.add({"kind": kind, **wanted})

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request as the service account."""
        where = path if path.startswith(("/_sandbox", "/oauth", "/api")) else f"/api/now/{path}"
        auth = None if path.startswith(("/_sandbox", "/oauth")) else (SETTINGS.username, SETTINGS.password)
        return self.session.request(method, self.url + where, timeout=30, **{"auth": auth, **options})

    def get(self, path: str, **params: Any) -> requests.Response:
        """Read ``path`` with parameters, ``sysparm_`` left out."""
        return self.call("GET", path, params={f"sysparm_{name}": value for name, value in params.items()})

    def rows(self, table: str, query: str = "", **params: Any) -> list[dict[str, Any]]:
        """Return the records of a table, references as plain values."""
        answer = self.get(f"table/{table}", **{"query": query, "exclude_reference_link": "true"} | params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def post(self, table: str, record: Any) -> dict[str, Any]:
        """Import one record and return the one result."""
        answer = self.call("POST", f"import/{table}", json=record)
        assert answer.status_code == 201, answer.text
        (result,) = answer.json()["result"]
        return result

    def create(self, table: str, **values: str) -> str:
        """Insert a record through the Table API and return its sys_id."""
        answer = self.call("POST", f"table/{table}", json=values)
        assert answer.status_code == 201, answer.text
        return answer.json()["result"]["sys_id"]

    def patch(self, table: str, query: str, **values: str) -> None:
        """Change the one record that matches."""
        (row,) = self.rows(table, query)
        answer = self.call("PATCH", f"table/{table}/{row['sys_id']}", json=values)
        assert answer.status_code == 200, answer.text

    def send(self, table: str, records: Sequence[Mapping[str, Any]], **params: str) -> str:
        """Import many records and return the import set's sys_id."""
        answer = self.call("POST", f"import/{table}/insertMultiple", json={"records": list(records)}, params=params)
        assert answer.status_code == 201, answer.text
        return answer.json()["import_set_id"]

    def state(self, import_set: str) -> str:
        """Return an import set's state."""
        return self.call("GET", f"table/sys_import_set/{import_set}").json()["result"]["state"]

    def wait(self, import_set: str) -> dict[str, str]:
        """Wait until a set is processed and return its one run."""
        while self.state(import_set) not in ENDED:
            time.sleep(0.02)
        (run,) = self.rows("sys_import_set_run", f"set={import_set}")
        return run

    def load(self, table: str, records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Import many records keyed by column name, wait, and return the run."""
        labelled = [{name.replace("_", " "): value for name, value in record.items()} for record in records]
        return self.wait(self.send(table, labelled))

    def bring(self, mode: str, table: str, records: Sequence[Mapping[str, str]]) -> None:
        """Import records by column name with single POSTs, or as many in ``sync`` or ``async`` mode; wait for the end.

        What the answers say is not looked at.
        """
        if mode == "single":
            for record in records:
                self.call("POST", f"import/{table}", json=record)
            return
        self.switch(insert_multiple_synchronous=mode == "sync")
        labelled = [{name.replace("_", " "): value for name, value in record.items()} for record in records]
        answer = self.call("POST", f"import/{table}/insertMultiple", json={"records": labelled})
        if mode == "async":
            self.wait_for(lambda: self.state(answer.json()["import_set_id"]) in ENDED)

    def wait_for(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def counters(self) -> dict[str, Any]:
        """Return the instance's counters."""
        return self.call("GET", "/_sandbox/counters").json()

    def switch(self, **switches: Any) -> None:
        """Change switches."""
        answer = self.call("PATCH", "/_sandbox/switches", json=switches)
        assert answer.status_code == 200, answer.text

    def travel(self, seconds: float) -> None:
        """Move the instance's clock."""
        assert self.call("POST", "/_sandbox/clock", json={"advance_s": seconds}).status_code == 200

    def token(self, **form: str) -> requests.Response:
        """Ask for a token with the client in the form."""
        client = {"client_id": SETTINGS.client_id, "client_secret": SETTINGS.client_secret}
        return requests.post(f"{self.url}/oauth_token.do", data={**client, **form}, timeout=30)

    def password_token(self, **changes: str) -> requests.Response:
        """Ask for a token with the password grant."""
        user = {"grant_type": "password", "username": SETTINGS.username, "password": SETTINGS.password}
        return self.token(**{**user, **changes})


@pytest.fixture(scope="session")
def stopping() -> Iterator[list[threading.Thread]]:
    """Servers on their way down; tests don't wait for them, the session does."""
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@contextmanager
def _served(stopping: list[threading.Thread], changes: dict[str, Any]) -> Iterator[Snow]:
    app = create_app(replace(SETTINGS, **changes))
    server = Server(app).start()
    try:
        with requests.Session() as session:
            yield Snow(server.url, session, app.state.instance)
    finally:
        thread = threading.Thread(target=server.stop)
        thread.start()
        stopping.append(thread)


@pytest.fixture
def serve(stopping: list[threading.Thread]) -> Iterator[Callable[..., Snow]]:
    """Start instances with some settings changed; they stop at the test's end."""
    with ExitStack() as running:
        yield lambda **changes: running.enter_context(_served(stopping, changes))


@pytest.fixture
def snow(serve: Callable[..., Snow]) -> Snow:
    """An instance as it comes."""
    return serve()


@pytest.fixture(scope="module")
def shared(stopping: list[threading.Thread]) -> Iterator[Snow]:
    """One instance for all tests of a module, which only read what it holds."""
    with _served(stopping, {}) as snow:
        yield snow
