"""No secret and no person's data is left where it does not belong, whatever goes wrong: every trace is searched."""

import base64
import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pandas as pd
import pyarrow as pa
import pytest
from other_servers import World, serve
from runs import ROOT, Access, access

from include.local.console import tells_secrets
from include.sandbox.credentials import Credentials
from include.sandbox.fleet import FleetSpec, generate_fleet
from include.sandbox.serve import Sandbox, SandboxSpec

KNOWN = Credentials(
    iru_token="iru-tok/9f3c+2b7d=5e81a0c4",
    client_id="client-0b6e4d1f97a2",
    client_secret='cl"sec\\ret/7d30+9b',
    username="svc.leaktest",
    password='pa"ss\\wörd %2F/+41c7',
)
GIVEN = {
    "wrong password": "wrong-pa$$/word+e77a",
    "wrong token": "wrong-token-51d0bb93",
    "password of a proxy": "proxy-pw-c0ffee77",
    "password in a host": "host-pw-d15ea5e0",
    "token of the echo": "echo-token-6b1f0a9c",
}
FLEET = FleetSpec(devices=30, apps_per_device=3, seed=23)


class Echo(World):
    """An instance that repeats in every error what it was sent, credentials and rows included."""

    def answer(self, method: str, path: str, params: dict[str, str], body: bytes, headers: dict[str, str]) -> Any:
        """Give a token, forbid every read, break on every write."""
        if path == "/oauth_token.do":
            return 200, {"access_token": GIVEN["token of the echo"], "expires_in": 1800, "token_type": "Bearer"}
        said = {"message": f"{headers.get('Authorization')} {params}", "detail": body.decode()}
        return (403 if method == "GET" else 400), {"error": said, "status": "failure"}


@dataclass(frozen=True)
class Traces:
    """Everything that the runs left: texts by where they were found."""

    secrets: dict[str, str]
    people: dict[str, str]
    states: list[str]
    airflow: dict[str, str]
    storage: dict[str, str]
    open_to_others: list[str]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Traces:
    """Run both DAGs at debug log level, first with every failure, then well, and collect what is left of it."""
    home = tmp_path_factory.mktemp("secrets")
    spec = SandboxSpec(
        fleet=FLEET,
        credentials=KNOWN,
        database_dir=home / "sandbox",
        switches={"servicenow.mdm_computer_missing": "reject", "servicenow.transform_pickup_delay_s": 0.0},
    )
    with Sandbox(spec) as sandbox, serve(Echo()) as echo_url:
        known = {name: getattr(KNOWN, name) for name in ("client_id", "client_secret", "username", "password")}
        good = access(sandbox.iru.url, KNOWN.iru_token, sandbox.servicenow.url, **known)
        output = _run_all(home, _runs(good, echo_url))
        secrets = _secrets(home / "sandbox")
    fleet = generate_fleet(FLEET)
    people = {user.name: user.name for user in fleet.users} | {user.email: user.email for user in fleet.users}
    people |= {device.serial_number: device.serial_number for device in fleet.devices if len(device.serial_number) > 6}
    return Traces(
        secrets=secrets,
        people=people,
        states=[line.rpartition(": ")[2] for line in output.splitlines() if line.startswith("bare run")],
        airflow={"the process's output": output} | _texts(home / "airflow"),
        storage=_texts(home / "storage"),
        open_to_others=[str(path) for path in (home / "storage").rglob("*") if path.stat().st_mode & 0o077],
    )


def _runs(good: Access, echo_url: str) -> list[dict[str, Any]]:
    iru, snow = good.iru, good.servicenow
    bad_proxy = {"http": f"http://px:{GIVEN['password of a proxy']}@127.0.0.1:9", "https": "http://127.0.0.1:9"}
    bad_host = snow["host"].replace("://", f"://leak:{GIVEN['password in a host']}@")
    return [
        _run("iru_devices", iru, snow | {"password": GIVEN["wrong password"]}),
        _run("iru_devices", iru | {"password": GIVEN["wrong token"]}, snow),
        _run("iru_devices", iru, snow | {"host": bad_host}),
        _run("iru_devices", iru | {"extra": {"proxies": bad_proxy}}, snow),
        _run("iru_devices", iru, snow | {"host": echo_url}),
        _run("iru_devices", iru, snow, feeds=["mdm"]),
        _run("iru_devices", iru, snow),
        _run("iru_apps", iru, snow),
    ]


EXPECTED = ["failed"] * 4 + ["success"] * 4


def _run(dag_id: str, iru: dict[str, Any], snow: dict[str, Any], **conf: Any) -> dict[str, Any]:
    environment = {"AIRFLOW_CONN_IRU_DEFAULT": json.dumps(iru), "AIRFLOW_CONN_SERVICENOW_DEFAULT": json.dumps(snow)}
    return {"dag_id": dag_id, "conf": conf, "environment": environment}


def _run_all(home: Path, runs: list[dict[str, Any]]) -> str:
    plan = home / "runs.json"
    plan.write_text(json.dumps(runs))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "IRU_"))}
    environment |= {
        "AIRFLOW_HOME": str(home / "airflow"),
        "IRU_SERVICENOW_STORAGE": str(home / "storage"),
        "IRU_SERVICENOW_APPS_EXTRACT": "export",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, str(Path(__file__).with_name("bare_runs.py")), str(plan)]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280, check=False
    )
    lines = ended.stdout.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not tells_secrets(line))  # `make dag` drops these of Airflow's own, too


def _secrets(databases: Path) -> dict[str, str]:
    """Return every secret by name, with the tokens that the sandbox handed out, and what no signed address lacks."""
    found = {name: getattr(KNOWN, name) for name in ("iru_token", "client_id", "client_secret", "password")} | GIVEN
    with sqlite3.connect(databases / "servicenow.sqlite") as database:
        tokens = database.execute("SELECT kind, token FROM sandbox_tokens").fetchall()
    found |= {f"{kind} token {number}": token for number, (kind, token) in enumerate(tokens)}
    assert {kind for kind, _ in tokens} == {"access", "refresh"}
    with sqlite3.connect(databases / "iru.sqlite") as database:
        assert database.execute("SELECT count(*) FROM exports").fetchone()[0] > 0
    found["signature of an export's address"] = "X-Amz-Signature"
    return found


def _texts(folder: Path) -> dict[str, str]:
    """Return what every file below a folder says, decompressed, and each table of a database besides."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        elif path.suffix == ".zst":
            raw = pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read()
        elif path.suffix == ".parquet":
            raw = pd.read_parquet(path).to_csv().encode(errors="replace")
        found[str(path.relative_to(folder))] = raw.decode(errors="replace")
        if raw.startswith(b"SQLite format 3"):
            found |= {f"{path.name}: {table}": text for table, text in _tables(path)}
    return found


def _tables(path: Path) -> Iterator[tuple[str, str]]:
    with sqlite3.connect(path) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - a name from the schema
            yield name, "\n".join(map(_spelled, rows))


def _spelled(row: Iterable[Any]) -> str:
    return " ".join(cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in row)


def forms(secret: str) -> set[str]:
    """Return the spellings in which a text may hide: plain, in addresses, in JSON, in base64 at any alignment."""
    raw = secret.encode()
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], *escaped}
    found |= {json.dumps(text)[1:-1] for text in escaped}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        middle = coded[(0, 2, 3)[shift] : len(coded) - 4]
        found |= {middle, middle.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) > 5}


def hits(wanted: dict[str, str], texts: dict[str, str]) -> list[str]:
    """Return which of the wanted texts stand where, with what stands before them."""
    found = []
    for name, value in wanted.items():
        for form in forms(value):
            for place, text in texts.items():
                position = text.find(form)
                if position >= 0:
                    found.append(f"{name} in {place}: …{text[max(0, position - 150) : position]}<here>")
    return found


def test_the_runs_ended_as_they_should(traces):
    """The traces are those of four failed runs, one whose rows are refused, and three good ones, at debug level."""
    assert traces.states == EXPECTED
    assert any("debug" in text for text in traces.airflow.values())
    assert {"airflow.db: xcom", "airflow.db: rendered_task_instance_fields"} <= set(traces.airflow)
    assert any(name.endswith(".parquet") for name in traces.storage)
    assert any(name.endswith(".json.zst") for name in traces.storage)
    assert any("ledger" in name for name in traces.storage)


def test_the_search_finds_what_is_there(traces):
    """A search that finds nothing anywhere would prove nothing: people are found where they belong, in the storage."""
    assert hits(traces.people, traces.storage)
    secret = GIVEN["wrong password"]
    for hidden in (secret, quote(secret, safe=""), base64.b64encode(f"user:{secret}".encode()).decode()):
        assert hits({"x": secret}, {"log": f"before {hidden} after"})


def test_no_secret_is_anywhere(traces):
    """Tokens, passwords, client secrets and those in addresses are in no log, table, XCom, report or ledger."""
    assert hits(traces.secrets, traces.airflow | traces.storage) == []


def test_no_persons_data_is_outside_the_storage_root(traces):
    """Names, e-mail addresses and serial numbers are in no log, no XCom, no rendered field and no table of Airflow."""
    assert hits(traces.people, traces.airflow) == []


def test_nobody_but_the_owner_may_read_what_a_run_leaves(traces):
    """Every folder and file under the storage root, the ledger included, is closed to group and others."""
    assert traces.open_to_others == []
