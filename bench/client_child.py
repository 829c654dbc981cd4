"""One phase of the benchmark ``client`` in a process of its own, so that its peak of memory is its own."""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from bench.app_pages import AppPages
from include.inventory.ledger import Entry, Ledger, Pair
from include.inventory.mapping import load_mapping
from include.inventory.page_files import store_walk
from include.inventory.params import RunParams
from include.inventory.run import Run, Services
from include.inventory.run_folder import RunFolder
from include.inventory.schemas import failures, staging_model
from include.inventory.settle import settle_feed
from include.inventory.stages import run_plan, run_shape
from include.iru.raw_rows import parse_envelope
from include.loading.chunks import iter_chunks, staging_columns
from include.loading.records import records_of
from include.servicenow.client import ServiceNowClient
from include.servicenow.settings import read_settings
from include.storage import read_frame

PAIR = Pair("https://tenant.example", "https://instance.example")
_CHUNK_ROWS = 500


class Clock:
    """CPU and wall seconds by step, generated input left out."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self.apart_cpu_s = self.apart_wall_s = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure one step."""
        cpu_s, wall_s, apart = time.process_time(), time.perf_counter(), (self.apart_cpu_s, self.apart_wall_s)
        yield
        self.steps[name] = {
            "cpu_s": time.process_time() - cpu_s - (self.apart_cpu_s - apart[0]),
            "wall_s": time.perf_counter() - wall_s - (self.apart_wall_s - apart[1]),
        }

    def apart(self, values: Iterator[bytes]) -> Iterator[bytes]:
        """Pass values on, and take the time out that making them costs."""
        while True:
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            value = next(values, None)
            self.apart_cpu_s += time.process_time() - cpu_s
            self.apart_wall_s += time.perf_counter() - wall_s
            if value is None:
                return
            yield value


def main() -> int:
    """Run one phase and print what it took as JSON."""
    asked = _read_options()
    templates = json.loads((asked.folder / "templates.json").read_text())
    pages = AppPages(templates, asked.devices, changed_share=asked.changed)
    _warm_up()
    clock = Clock()
    told = _PHASES[asked.phase](asked, pages, clock)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": pages.rows, "peak_mb": round(peak_mb, 1), "steps": clock.steps, **told}))
    return 0


def _warm_up() -> None:
    """Let pandera import what it imports at its first use: that costs a second, once, whatever the number of rows."""
    feed = load_mapping().feeds["mdm"]
    failures(staging_model(feed), pd.DataFrame({name: ["x"] for name in feed.column_names}, dtype="str"))


def _run(asked: argparse.Namespace) -> Run:
    folder = RunFolder(asked.folder / asked.run)
    params = RunParams.parse({"mode": "load", "lift_guards": ["many_changes"]}, feeds=["apps"])
    return Run("apps", params, load_mapping(), folder)


def _extract_and_plan(asked: argparse.Namespace, pages: AppPages, clock: Clock) -> dict[str, Any]:
    """From received pages to encoded chunks: keep, shape, compare, encode."""
    run = _run(asked)
    with clock.step("extract"):
        walk = (parse_envelope(body)["data"] for body in clock.apart(pages.bodies()))
        stored = store_walk(run.folder.pages("apps"), lambda _: walk, names_devices=False)
    run.folder.note(
        "extract", {"collections": {"apps": {"rows": stored.rows, "pages": stored.pages, "expected": None}}}
    )
    with clock.step("shape"):
        run_shape(run)
    with clock.step("plan"):
        run_plan(run, _services(asked))
    with clock.step("encode"):
        rows = sum(_encode(frame) for frame in run.folder.to_send("apps").frames())
    return {"sent": rows, "planned": run.folder.told_by("plan-apps")}


def _encode(frame: pd.DataFrame) -> int:
    labels = {name: name.replace("_", " ") for name in staging_columns(frame)}
    records = records_of(frame, list(labels))
    chunks = iter_chunks(records, range(len(records)), chunk_rows=_CHUNK_ROWS)
    return sum(chunk.body(labels).count(b'{"') - 1 for chunk in chunks)


def _settle(asked: argparse.Namespace, _: AppPages, clock: Clock) -> dict[str, Any]:
    """Confirm everything that was planned, as if ServiceNow had taken it."""
    run, ledger = _run(asked), _ledger(asked)
    feed = run.mapping.feeds["apps"]
    with clock.step("settle"):
        for path in run.folder.to_send("apps").paths():
            to_send = read_frame(path)
            n = len(to_send)
            told = {"row": range(n), "outcome": ["processed"] * n, "message": [""] * n, "import_set": ["s" * 32] * n}
            settle_feed(ledger, feed, to_send, pd.DataFrame(told), run_id=asked.run)
    return {"ledger_mb": round((asked.folder / "ledger.sqlite").stat().st_size / 2**20)}


def _computers(asked: argparse.Namespace, _: AppPages, clock: Clock) -> dict[str, Any]:
    """Let the ledger know the computers, without which apps would wait."""
    at = "2026-01-01 00:00:00"
    serials = (f"c02{device:07d}" for device in range(asked.devices))
    with clock.step("computers"):
        _ledger(asked).write(
            "computer",
            (Entry(s, "0" * 32, "{}", True, "inserted", "", 0, "s", "r0", at, at, "0" * 32) for s in serials),
        )
    return {}


def _ledger(asked: argparse.Namespace) -> Ledger:
    return Ledger(f"sqlite:///{asked.folder}/ledger.sqlite", PAIR)


def _services(asked: argparse.Namespace) -> Services:
    def servicenow() -> ServiceNowClient:
        return ServiceNowClient(read_settings("bench", **json.loads((asked.folder / "servicenow.json").read_text())))

    def iru() -> Any:
        raise ValueError("nothing of this benchmark asks Iru")

    return Services(_ledger(asked), iru=iru, servicenow=servicenow)


_PHASES: dict[str, Callable[[argparse.Namespace, AppPages, Clock], dict[str, Any]]] = {
    "computers": _computers,
    "plan": _extract_and_plan,
    "settle": _settle,
}


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.client_child")
    parser.add_argument("phase", choices=list(_PHASES))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--run", default="first")
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--changed", type=float, default=0.0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
