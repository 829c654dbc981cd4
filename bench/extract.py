"""Extract: requests and time against the least that the same rows can take, for each way of reading Prism's apps.

The least in time is a bare loop over the same pages in one session that looks at nothing but the cursor.
"""

import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from bench.busy import busy_sandbox
from include.inventory.extract import extract
from include.inventory.mapping import load_mapping
from include.inventory.read_sources import source_fields
from include.inventory.run_folder import RunFolder
from include.iru.client import IruClient, IruSettings
from include.iru.quota import PAGE_ROWS, choose_method
from include.local.sandbox import Sandbox, running_sandbox

APPS_PER_DEVICE, REPEATS = 60, 3
REQUESTS_RATIO, QUOTA_SHARE = 1.02, 0.25
_EXPORT_MINIMUM = 4  # count before, ask for it, one poll, count after; the file itself is no request to Iru


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Read a tenth of ``devices`` with 60 apps each by every way, and say what the automatic choice is for fleets."""
    fleet = max(10, devices // 10)
    with tempfile.TemporaryDirectory(prefix="bench-extract-") as root:
        options = ("--devices", str(fleet), "--apps-per-device", str(APPS_PER_DEVICE), "--seed", "7")
        with running_sandbox(options, log_path=Path(root) / "sandbox.log", ready_within_s=600) as box:
            ways: dict[str, Callable[[int], dict[str, Any]]] = {
                "bare loop": lambda _: _bare(box),
                "pages": lambda turn: _ours(box, Path(root) / f"pages{turn}", "pages"),
                "export": lambda turn: _ours(box, Path(root) / f"export{turn}", "export"),
            }
            with busy_sandbox() as busy:
                turns = [_turn(ways, turn) for turn in range(min(REPEATS, seeds))]
            client = IruClient(IruSettings(box.iru_url, box.iru_token))
            rows, _ = client.count_prism("apps")
    median = {way: _median([turn[way] for turn in turns]) for way in ways}
    return _results(fleet, rows, median) | {"sandbox_busy": busy.share}


def table(results: Mapping[str, Any]) -> Iterable[str]:
    """Yield what came out, a line for each way."""
    yield f"{results['rows']:,} app rows of {results['devices']:,} devices (page round trips on loopback)"
    yield "way          requests   least   ratio   seconds"
    for way, one in results["ways"].items():
        yield f"{way:11}  {one['requests']:8}  {one['least']:6}  {one['ratio']:6.2f}  {one['seconds']:8.2f}"
    yield f"pages take {results['wall_ratio']:.2f} times the bare loop's time"
    yield f"the sandbox was busy for {results['sandbox_busy']:.0%} of all that"
    yield f"asking for each device's apps would take {results['requests_one_a_device']:,} requests"
    for fleet, told in results["choice"].items():
        yield f"{fleet:>12}: {told['method']}, {told['requests']} requests, {told['share']:.1%} of an hour's quota"


def _turn(ways: Mapping[str, Callable[[int], dict[str, Any]]], turn: int) -> dict[str, dict[str, Any]]:
    names = list(ways)
    rotated = names[turn % len(names) :] + names[: turn % len(names)]
    return {name: ways[name](turn) for name in rotated}


def _bare(box: Sandbox) -> dict[str, Any]:
    """Fetch all pages as fast as one session can."""
    begun_s, count, cursor = time.perf_counter(), 0, ""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {box.iru_token}"
        while True:
            params: dict[str, str | int] = {"limit": PAGE_ROWS, "cursor": cursor}
            answer = session.get(f"{box.iru_url}/api/v1/prism/apps", params=params, timeout=60)
            if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:  # 50 a second: a fast machine has to wait
                time.sleep(float(answer.headers["Retry-After"]))
                continue
            page = answer.json()
            count += 1
            cursor = page["cursor"] or ""
            if not cursor:
                return {"requests": count, "seconds": time.perf_counter() - begun_s}


def _ours(box: Sandbox, folder: Path, method: Any) -> dict[str, Any]:
    mapping, client = load_mapping(), IruClient(IruSettings(box.iru_url, box.iru_token))
    begun_s = time.perf_counter()
    fields = source_fields(mapping, "apps")
    found = extract(client, "apps", RunFolder(folder), fields=fields, method=method)
    seconds = time.perf_counter() - begun_s
    if not found.collections["apps"].complete:
        raise ValueError(f"The extract by {method} is not whole: {json.dumps(found.predicted)}")
    return {"requests": client.requests.total, "seconds": seconds}


def _median(turns: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = statistics.median(turn["seconds"] for turn in turns)
    return {"requests": max(turn["requests"] for turn in turns), "seconds": round(seconds, 3)}


def _results(fleet: int, rows: int, median: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    pages = math.ceil(rows / PAGE_ROWS)
    least = {"bare loop": pages, "pages": pages + 2, "export": _EXPORT_MINIMUM}
    ways = {way: one | {"least": least[way], "ratio": one["requests"] / least[way]} for way, one in median.items()}
    choice = {}
    for devices in (1_000, 10_000, 50_000):
        counted = {"apps": devices * APPS_PER_DEVICE}
        method = choose_method(counted, None)
        requests_ = math.ceil(counted["apps"] / PAGE_ROWS) + 3 if method == "pages" else median["export"]["requests"]
        choice[f"{devices:,}"] = {"method": method, "requests": requests_, "share": requests_ / 10_000}
    passed = ways["pages"]["ratio"] <= REQUESTS_RATIO and choice["10,000"]["share"] <= QUOTA_SHARE
    wall_ratio = median["pages"]["seconds"] / median["bare loop"]["seconds"]
    told = {"devices": fleet, "rows": rows, "requests_one_a_device": fleet, "ways": ways, "choice": choice}
    return told | {"wall_ratio": round(wall_ratio, 3), "passed": passed}
