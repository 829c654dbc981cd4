"""Client: what the pipeline itself costs, from a received page to an encoded chunk, and how much memory it takes.

Fleets of 60,000, 600,000 and 5 million app rows go through extract, shape, plan and encoding; what was planned is
confirmed into the ledger, and the same fleet is planned again: the nightly run in which nothing changed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.app_pages import fetch_templates
from include.iru.client import IruClient, IruSettings
from include.local.sandbox import running_sandbox

SIZES = {"60k": (1_000, 60), "600k": (10_000, 60), "2M": (20_000, 100), "5M": (50_000, 100)}
"""Devices and apps of each, by the number of rows."""

CPU_US_A_ROW, MEMORY_RATIO, MEMORY_MB, NIGHTLY_S = 12.0, 1.3, 600.0, 300.0

_STEPS = ("extract", "shape", "plan", "encode")


def measure(devices: int, seeds: int) -> Mapping[str, Any]:
    """Measure every size whose fleet has at most so many devices."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-client-") as root:
        options = ["--devices", "40", "--apps-per-device", "150", "--seed", "7"]
        with running_sandbox(options, log_path=Path(root) / "sandbox.log") as box:
            templates = fetch_templates(IruClient(IruSettings(box.iru_url, box.iru_token)), 100)
            login = {"host": box.servicenow_url, "login": box.username, "password": box.password}
            extra = {"client_id": box.client_id, "client_secret": box.client_secret}
            for name, (fleet, apps) in SIZES.items():
                if fleet <= devices:
                    folder = Path(root) / name
                    folder.mkdir()
                    (folder / "templates.json").write_text(json.dumps(templates[:apps]))
                    asked = {**login, "port": None, "scheme": None, "extra": extra}
                    (folder / "servicenow.json").write_text(json.dumps(asked))
                    found[name] = _size(folder, fleet)
                    print(json.dumps({name: found[name]}), flush=True)
                    shutil.rmtree(folder)
    return {"sizes": found, **_judged(found)}


def table(results: Mapping[str, Any]) -> Iterable[str]:
    """Yield what came out, a line for each size."""
    yield "rows        CPU µs/row  peak MB  nightly s  nightly peak MB"
    for name, size in results["sizes"].items():
        nightly = f"{size['nightly_wall_s']:9.1f}  {size['nightly_peak_mb']:15.0f}"
        yield f"{name:10}  {size['cpu_us_a_row']:10.1f}  {size['peak_mb']:7.0f}  {nightly}"
    yield f"memory 600k / 60k: {results['memory_ratio']}; passed: {results['passed']}"


def _size(folder: Path, devices: int) -> dict[str, Any]:
    _phase(folder, "computers", devices)
    first = _phase(folder, "plan", devices)
    settled = _phase(folder, "settle", devices)
    shutil.rmtree(folder / "first")
    night = _phase(folder, "plan", devices, "--run", "night")
    shutil.rmtree(folder / "night")
    if first["sent"] != first["rows"] or night["sent"]:
        raise ValueError(f"{first['sent']} of {first['rows']} rows were sent first, {night['sent']} without a change")
    cpu_s = {step: first["steps"][step]["cpu_s"] for step in _STEPS}
    return {
        "rows": first["rows"],
        "cpu_us_a_row": _us(sum(cpu_s.values()), first["rows"]),
        "cpu_us_a_row_by_step": {step: _us(seconds, first["rows"]) for step, seconds in cpu_s.items()},
        "peak_mb": first["peak_mb"],
        "settle_us_a_row": _us(settled["steps"]["settle"]["cpu_s"], first["rows"]),
        "settle_peak_mb": settled["peak_mb"],
        "ledger_mb": settled["ledger_mb"],
        "nightly_wall_s": round(sum(night["steps"][step]["wall_s"] for step in _STEPS), 2),
        "nightly_by_step": {step: round(night["steps"][step]["wall_s"], 2) for step in _STEPS},
        "nightly_peak_mb": night["peak_mb"],
    }


def _us(seconds: float, rows: int) -> float:
    return round(seconds / rows * 1e6, 2)


def _phase(folder: Path, phase: str, devices: int, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.client_child", phase, "--folder", str(folder), "--devices", str(devices)]
    done = subprocess.run([*command, *more], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _judged(found: Mapping[str, Any]) -> dict[str, Any]:
    ratio = round(found["600k"]["peak_mb"] / found["60k"]["peak_mb"], 2) if "600k" in found else None
    largest = max(found.values(), key=lambda size: size["rows"])
    kept = [
        min(size["cpu_us_a_row"] for size in found.values() if size["rows"] >= 600_000 or len(found) == 1)
        <= CPU_US_A_ROW,
        ratio is None or ratio <= MEMORY_RATIO,
        max(size["peak_mb"] for size in found.values()) <= MEMORY_MB,
        largest["nightly_wall_s"] <= NIGHTLY_S,
    ]
    return {"memory_ratio": ratio, "passed": all(kept)}
