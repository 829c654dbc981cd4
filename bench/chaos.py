"""Part "chaos": a fleet through mixed faults and kills at random moments; is every row right, and at what price?"""

import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from bench.chaos_child import RETRY, SPEC
from bench.chaos_judge import judge
from bench.chaos_run import Course, run_to_end
from include.sandbox.faults.mixes import mixed_faults
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

FAULT_SHARE = 0.10
KILLS = 3
MOST_REQUESTS = 1.25
"""The requests that chaos may cost, as a multiple of the clean run's."""

SWITCHES = {"servicenow.transform_pickup_delay_s": 0.0, "servicenow.transform_row_time_s": 0.0}
SERVICES = ("iru", "servicenow")
FAILURES = ("wrong", "missing", "duplicates", "differences")

_SYS_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one seed plays."""

    devices: int
    seed: int
    kills: int = KILLS


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Play every seed and return what came out of each, saying so as it goes."""
    print(f"chaos: {devices:,} devices, {FAULT_SHARE:.0%} faults, {KILLS} kills, {seeds} seeds", flush=True)
    played = []
    for seed in range(1, seeds + 1):
        played.append(play(Plan(devices, seed)))
        print(_line(played[-1]), flush=True)
    return {
        "devices": devices, "fault_share": FAULT_SHARE, "sandbox_switches": SWITCHES, "load": SPEC, "retry": RETRY,
        "most_requests": MOST_REQUESTS, "seeds": played, "passed": all(seed["passed"] for seed in played),
    }  # fmt: skip


def play(plan: Plan) -> dict[str, Any]:
    """Play one seed, first clean, then with faults and kills; the files of a seed that did not pass are kept."""
    since_s = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-"))
    with _sandbox(plan) as sandbox:
        clean = run_to_end(sandbox, root / "clean")
        clean_requests = {service: _requests(sandbox, service) for service in SERVICES}
    with _sandbox(plan) as sandbox:
        _ask_for_faults(sandbox, plan.seed)
        course = run_to_end(sandbox, root / "chaos", _kill_moments(plan, clean.at_work_s))
        faults = len(sandbox.iru_faults.snapshot()["strikes"]) + len(sandbox.servicenow_faults.snapshot()["strikes"])
        requests_made = {service: _requests(sandbox, service) for service in SERVICES}
        sandbox.iru_faults.clear()
        sandbox.servicenow_faults.clear()
        judgement = asdict(judge(sandbox, root / "chaos"))
    result = {"seed": plan.seed, **_told(clean, course), "faults": faults, **judgement}
    result |= {"requests": _compared(clean_requests, requests_made)}
    result["passed"] = _passes(result, plan)
    if result["passed"]:
        shutil.rmtree(root)
    else:
        result["files"] = str(root)
    return result | {"took_s": round(time.monotonic() - since_s, 1)}


def table(measured: Mapping[str, Any]) -> Iterator[str]:
    """Yield the results as a table for people."""
    seeds: Sequence[Mapping[str, Any]] = measured["seeds"]
    yield f"chaos: {measured['devices']:,} devices as {2 * measured['devices']:,} rows from Iru to ServiceNow, while"
    yield f"{measured['fault_share']:.0%} of all requests fail in 13 ways and the process is killed at random moments"
    yield ""
    yield "seed  kills  faults  runs   wrong  missing  duplicates  sent twice   requests: clean  chaos  ratio"
    yield from (_line(seed) for seed in seeds)
    totals = {name: sum(seed[name] for seed in seeds) for name in FAILURES}
    clean, chaos = (sum(seed["requests"]["together"][side] for seed in seeds) for side in ("clean", "chaos"))
    yield ""
    yield f"rows: {', '.join(f'{n} {name}' for name, n in totals.items())} (wanted: 0 of each)"
    yield f"requests: {chaos / clean:.2f} times the clean runs' (wanted: at most {measured['most_requests']})"
    yield (
        "PASSED" if measured["passed"] else "NOT PASSED; the files of the seeds that failed are kept, see results.json"
    )


def _sandbox(plan: Plan) -> Sandbox:
    fleet = FleetSpec(devices=plan.devices, apps_per_device=0, seed=plan.seed)
    return Sandbox(SandboxSpec(fleet=fleet, switches=SWITCHES))


def _ask_for_faults(sandbox: Sandbox, seed: int) -> None:
    sandbox.iru_faults.add_all(mixed_faults("iru", FAULT_SHARE, seed))
    sandbox.servicenow_faults.add_all(mixed_faults("servicenow", FAULT_SHARE, seed))


def _kill_moments(plan: Plan, clean_s: float) -> list[float]:
    """Draw the kills over what the clean run took; its last tenth is left out, so that each of them strikes."""
    chance = random.Random(plan.seed)  # noqa: S311 - reproducible, not cryptography
    return sorted(chance.uniform(0.02, 0.9) * clean_s for _ in range(plan.kills))


def _requests(sandbox: Sandbox, service: str) -> Counter[str]:
    """Count a service's requests by method and path, whatever record they asked for."""
    url = sandbox.iru.url if service == "iru" else sandbox.servicenow.url
    counters = requests.get(f"{url}/_sandbox/counters", timeout=30).json()
    counts = Counter[str]()
    for what, n in counters["by_method_and_path"].items():
        counts[_SYS_ID.sub("{sys_id}", what)] += n
    return counts


def _told(clean: Course, course: Course) -> dict[str, Any]:
    told = asdict(course) | {"kill_moments_s": course.kills, "kills": len(course.kills)}
    return told | {"clean_s": round(clean.at_work_s, 1), "at_work_s": round(course.at_work_s, 1)}


def _compared(clean: Mapping[str, Counter[str]], chaos: Mapping[str, Counter[str]]) -> dict[str, Any]:
    compared = {service: _ratio(clean[service].total(), chaos[service].total()) for service in SERVICES}
    together = [sum(side[service].total() for service in SERVICES) for side in (clean, chaos)]
    paths = sorted({path for side in (clean, chaos) for counts in side.values() for path in counts})
    by_path = {path: [sum(side[s][path] for s in SERVICES) for side in (clean, chaos)] for path in paths}
    return compared | {"together": _ratio(*together), "by_path": by_path}


def _ratio(clean: int, chaos: int) -> dict[str, Any]:
    return {"clean": clean, "chaos": chaos, "ratio": round(chaos / clean, 3)}


def _passes(result: Mapping[str, Any], plan: Plan) -> bool:
    right = result["ended"] and not any(result[name] for name in FAILURES)
    return bool(right and result["kills"] >= plan.kills and result["requests"]["together"]["ratio"] <= MOST_REQUESTS)


def _line(seed: Mapping[str, Any]) -> str:
    asked = seed["requests"]["together"]
    return (
        f"{seed['seed']:>4}  {seed['kills']:>5}  {seed['faults']:>6}  {seed['runs']:>4}   {seed['wrong']:>5}"
        f"  {seed['missing']:>7}  {seed['duplicates']:>10}  {seed['twice']:>10}   {asked['clean']:>15}"
        f"  {asked['chaos']:>5}  {asked['ratio']:>5.2f}"
    )
