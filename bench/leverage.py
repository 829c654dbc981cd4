"""Leverage: what a run costs ServiceNow when nothing, a fiftieth or everything has changed.

App rows that are planned against the ledger and loaded into a sandbox with modelled server time, as the load is.
"""

import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.busy import busy_sandbox
from bench.load_contenders import CHUNK_ROWS
from bench.load_rows import APPS_PER_DEVICE, KEY, STAGING, Row, app_rows, computer_rows, differences, frame_of
from bench.load_stage import SLOTS, Access, Profile, stage
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import load_mapping
from include.inventory.plan import make_plan, with_payloads
from include.inventory.settle import settle_feed
from include.loading.load import load_frame
from include.loading.receipts import Receipts
from include.loading.spec import LoadSpec
from include.servicenow.client import ServiceNowClient
from include.storage import write_frame
from include.texts import constant_series, text_series

ROWS, SHARE = 100_000, 0.02
TIME_SHARE = 0.03
PROFILE = Profile("r = 2 ms", 0.002, repeats=1)
PAIR = Pair("https://tenant.example", "https://instance.example")


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Load everything, then nothing, then a fiftieth, then all of it changed, into one instance."""
    rows = app_rows(min(ROWS, devices * APPS_PER_DEVICE))
    with tempfile.TemporaryDirectory(prefix="bench-leverage-") as root, stage() as opened:
        access = opened.fresh(PROFILE, computer_rows(rows))
        ledger = Ledger(f"sqlite:///{root}/ledger.sqlite", PAIR)
        few = [_changed(row) if number < SHARE * len(rows) else row for number, row in enumerate(rows)]
        every = [_changed(row, "2") for row in few]
        steps = {"first load": rows, "no change": rows, "2 % changed": few, "all changed": every}
        found = {name: _run(Path(root) / str(n), access, ledger, want) for n, (name, want) in enumerate(steps.items())}
        wrong = differences(every, access.installs(), access.computers())
    share = found["2 % changed"]["load_s"] / found["all changed"]["load_s"]
    kept = [
        found["no change"]["requests"] == found["no change"]["sent"] == 0,
        found["2 % changed"]["sent"] == round(SHARE * len(rows)),
        found["all changed"]["sent"] == len(rows),
        share <= TIME_SHARE,
        not wrong,
    ]
    return {"rows": len(rows), "steps": found, "differences": wrong, "time_share": round(share, 4), "passed": all(kept)}


def table(results: Mapping[str, Any]) -> Iterable[str]:
    """Yield what came out, a line for each step."""
    yield f"{results['rows']:,} app rows, {PROFILE.name}; differences at the end: {results['differences']}"
    yield "step          rows sent  requests  load seconds  sandbox busy"
    for name, step in results["steps"].items():
        yield f"{name:12}  {step['sent']:9}  {step['requests']:8}  {step['load_s']:12.2f}  {step['sandbox_busy']:12.0%}"
    yield f"2 % changed take {results['time_share']:.2%} of the time that all take"


def _changed(row: Row, mark: str = "1") -> Row:
    return row | {"version": f"{row['version']} {mark}"}


def _run(folder: Path, access: Access, ledger: Ledger, rows: list[Row]) -> dict[str, Any]:
    feed = load_mapping().feeds["apps"]
    frame = _shaped(rows)
    known = ledger.read_keys("apps", frame["_key"].tolist())
    to_send = make_plan(feed, with_payloads(feed, frame), known).to_send
    path, client = folder / "to_send.parquet", ServiceNowClient(access.settings)
    write_frame(path, to_send)
    begun_s = time.perf_counter()
    with busy_sandbox() as busy:
        if len(to_send):
            load_frame(client, LoadSpec(STAGING, (KEY,), chunk_rows=CHUNK_ROWS, concurrency=SLOTS), path)
    load_s = time.perf_counter() - begun_s if len(to_send) else 0.0
    settle_feed(ledger, feed, to_send, Receipts(path).read_verdicts(), run_id=folder.name)
    return {
        "sent": len(to_send),
        "requests": client.requests.total,
        "load_s": round(load_s, 3),
        "sandbox_busy": busy.share,
    }


def _shaped(rows: list[Row]) -> pd.DataFrame:
    frame = frame_of(rows)
    device = text_series([row["serial_number"].lower() for row in rows])
    return frame.assign(_key=frame[KEY], _device=device, _age=constant_series("", frame.index))
