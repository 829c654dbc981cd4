"""Page: how long each route of the sync page's API takes over a large ledger, from request to the last byte.

The ledger is a SQLite file with 100 apps a device; the API runs as its own process, over HTTP on 127.0.0.1. Who is
calling is a stub, everything else is real.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import requests

from bench.page_files import write_files
from bench.page_seed import FULL, Seeded
from include.local.airflow import free_port

REPEATS = 40
TARGET_MS = 300.0

_FULL_TIMES = 5  # "make bench" hands 10,000 devices to each part; the page answers for 50,000
_HEADERS = {"X-Requested-By": "iru-servicenow-page", "Content-Type": "application/json"}
_READY_S = 120

Question = tuple[str, str, dict[str, Any] | None]
"""Method, path below the pair, body."""


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Ask each route ``REPEATS`` times about a fleet of five times ``devices``, other rows each time."""
    sizes = replace(FULL, devices=devices * _FULL_TIMES)
    with tempfile.TemporaryDirectory(prefix="bench-page-") as folder:
        root = Path(folder)
        seeded = Seeded(sizes, folder=str(root / "runs"))
        began_s = time.perf_counter()
        seeded.write(f"sqlite:///{root}/ledger.sqlite")
        write_files(seeded, root / "runs")
        seeded_s = time.perf_counter() - began_s
        size = (root / "ledger.sqlite").stat().st_size
        with serving(root, seeded) as address:
            routes = {name: _ask(address, ask) for name, ask in questions(seeded).items()}
    slowest = max(one["p95_ms"] for one in routes.values())
    return {
        "devices": sizes.devices, "app_rows": sizes.devices * sizes.apps_per_device, "ledger_bytes": size,
        "seeded_s": round(seeded_s, 1), "repeats": REPEATS, "routes": routes, "slowest_p95_ms": slowest,
        "wanted_ms": TARGET_MS,
        "passed": slowest < TARGET_MS,
    }  # fmt: skip


def table(results: Mapping[str, Any]) -> Iterable[str]:
    """Yield what came out, a line for each route."""
    yield f"{results['devices']:,} devices, {results['app_rows']:,} app rows, {results['ledger_bytes'] / 1e9:.1f} GB"
    yield f"{'route':38}  {'p50 ms':>7}  {'p95 ms':>7}  {'most ms':>7}  {'kB':>6}"
    for name, one in results["routes"].items():
        times = f"{one['p50_ms']:7.1f}  {one['p95_ms']:7.1f}  {one['most_ms']:7.1f}"
        yield f"{name:38}  {times}  {one['bytes'] / 1000:6.1f}"
    yield f"slowest p95: {results['slowest_p95_ms']:.1f} ms (wanted: under {TARGET_MS:.0f})"


@contextmanager
def serving(root: Path, seeded: Seeded) -> Iterator[str]:
    """Run the API over a storage root in a process of its own, and return the address of its pair."""
    port = free_port()
    iru = {"conn_type": "iru", "host": seeded.pair.source, "password": "made-up"}
    extra = {"client_id": "c", "client_secret": "made-up"}
    instance = {
        "conn_type": "servicenow",
        "host": seeded.pair.target,
        "login": "u",
        "password": "made-up",
        "extra": extra,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "IRU_"))} | {
        "AIRFLOW_HOME": str(root / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_IRU_DEFAULT": json.dumps(iru), "AIRFLOW_CONN_SERVICENOW_DEFAULT": json.dumps(instance),
        "IRU_SERVICENOW_STORAGE": str(root),
        "PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[1] / part) for part in ("", "plugins")),
    }  # fmt: skip
    with (root / "server.log").open("w") as log:
        command = [sys.executable, "-m", "bench.page_server", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own command
        try:
            _wait_for(f"http://127.0.0.1:{port}/pairs", server, root / "server.log")
            yield f"http://127.0.0.1:{port}/-"
        finally:
            server.terminate()
            server.wait(30)


def questions(seeded: Seeded) -> dict[str, Callable[[int], Question]]:
    """Return by name what is asked in each turn."""
    devices = seeded.sizes.devices

    def of(turn: int, path: str = "") -> str:
        return f"/devices/{seeded.device_id(turn * 977 % devices)}{path}"

    stuck = {
        f"stuck {kind}{' searched' if search else ''}": (kind, search)
        for kind in ("refused", "parked", "held", "rejected") for search in (False, True)
    }  # fmt: skip
    found: dict[str, Callable[[int], Question]] = {
        "overview": lambda _: ("GET", "/overview", None),
        "runs": lambda turn: ("GET", f"/runs?limit={50 + turn}", None),
        "days": lambda turn: ("GET", f"/days?days={30 + turn}", None),
        "latency": lambda turn: ("GET", f"/latency?days={30 + turn}", None),
    }
    for name, (kind, search) in stuck.items():
        found[name] = lambda turn, kind=kind, search=search: (  # type: ignore[misc]  # mypy cannot tell defaults
            "POST", "/stuck", {"kind": kind, "limit": 100} | ({"search": seeded.serial(turn)} if search else {}),
        )  # fmt: skip
    return found | {
        "stuck summary": lambda _: ("GET", "/stuck/summary", None),
        "stuck row": lambda turn: ("POST", "/stuck/row", {"feed": "computer", "key": seeded.serial(turn).casefold()}),
        "orders": lambda turn: ("GET", f"/orders?limit={50 + turn}", None),
        "order placed": lambda turn: ("POST", "/orders", _order(seeded, turn)),
        "devices": lambda turn: ("POST", "/devices", {"limit": 50 + turn}),
        "devices by serial": lambda turn: ("POST", "/devices", {"search": seeded.serial(turn * 977 % devices)}),
        "devices by name": lambda turn: ("POST", "/devices", {"search": ("ada love", "ZOË", "hopper")[turn % 3]}),
        "devices by a word of columns": lambda _: ("POST", "/devices", {"search": "serial"}),
        "devices that are none": lambda turn: ("POST", "/devices", {"search": f"nobody has this {turn}"}),
        "device": lambda turn: ("GET", of(turn), None),
        "device apps": lambda turn: ("GET", of(turn, "/apps?limit=200&sort=last_opened"), None),
        "device history": lambda turn: ("GET", of(turn, "/history"), None),
        "fleet": lambda _: ("GET", "/fleet", None),
        "titles": lambda turn: ("POST", "/titles", {"sort": ("installs", "unused", "name")[turn % 3], "limit": 100}),
        "titles searched": lambda turn: ("POST", "/titles", {"search": f"app {turn}"}),
        "setup": lambda _: ("GET", "/setup", None),
    }


def _order(seeded: Seeded, turn: int) -> dict[str, Any]:
    key = seeded.serial((100 + turn) % seeded.sizes.devices).casefold()
    return {"feed": "computer", "keys": [key], "action": "resend", "reason": "the bench"}


def _ask(address: str, ask: Callable[[int], Question]) -> dict[str, Any]:
    """Ask one route again and again; the first answer, which opens what is not open yet, counts too."""
    times_ms, size = [], 0
    with requests.Session() as session:
        session.headers.update(_HEADERS)
        for turn in range(REPEATS):
            method, path, body = ask(turn)
            content = None if body is None else json.dumps(body)
            began_s = time.perf_counter()
            answer = session.request(method, f"{address}{path}", data=content, timeout=60)
            times_ms.append(1000 * (time.perf_counter() - began_s))
            if answer.status_code != 200:
                raise RuntimeError(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
            size = max(size, len(answer.content))
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    return {
        "p50_ms": round(statistics.median(times_ms), 1), "p95_ms": round(p95, 1), "most_ms": round(max(times_ms), 1),
        "bytes": size,
    }  # fmt: skip


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until_s = time.monotonic() + _READY_S
    for _ in count():
        try:
            requests.get(address, timeout=10)
            return
        except requests.ConnectionError:
            if server.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"The API did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.2)
