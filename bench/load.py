"""Part "load": the pipeline's load against the bound that the server sets, and against what one would use instead."""

import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load_contenders import BATCH_ROWS, CHUNK_ROWS, ours, pysnc_batch, pysnow_row_by_row, row_by_row
from bench.load_rows import APPS_PER_DEVICE, Row, app_rows, computer_rows, differences
from bench.load_stage import FIXED_S, PART_S, ROUND_TRIP_S, SLOTS, Access, Profile, Stage, stage, told
from bench.priority import go_first

PROFILES = (
    Profile("r = 2 ms", 0.002, repeats=3),
    Profile("r = 10.8 ms", 0.0108, repeats=1),
    Profile("r = 0", 0.0, repeats=1),
)
ROWS, ROWS_IN_BATCHES, ROWS_ONE_BY_ONE = 20_000, 300, 80
FAULT_SHARE = 0.05

RATIO_CLEAN, RATIO_FAULTS = 1.05, 1.20
TARGETS = {
    "r = 2 ms": {"row by row": 100.0, "PySNC batch": 12.0},
    "r = 10.8 ms": {"row by row": 24.0},
    "r = 0": {},
}
"""How many times faster than these the load has to be; and in all profiles but r = 0 the bound counts."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to load: how many rows it is given, and what runs it; ``faults`` are asked of its instance."""

    name: str
    rows: int
    run: Callable[[Access, Sequence[Row], Profile], tuple[float, int | None]]
    tls: bool = False
    faults: bool = False


@dataclass(slots=True)
class Runs:
    """What one contender's runs came to, in one profile."""

    seconds: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    differences: list[int] = field(default_factory=list)
    work: list[Mapping[str, Any]] = field(default_factory=list)
    faults_met: list[int] = field(default_factory=list)


def measure(devices: int, seeds: int) -> dict[str, Any]:
    """Run every contender in every profile, with 60 rows for each of ``devices``, 20,000 at most.

    ``seeds`` bounds the repeats.
    """
    rows = app_rows(min(ROWS, devices * APPS_PER_DEVICE))
    priority = go_first()
    with stage() as opened:
        profiles = [_measure(opened, profile, rows, min(profile.repeats, seeds)) for profile in PROFILES]
    return {
        "rows": len(rows), "chunk_rows": CHUNK_ROWS, "batch_rows": BATCH_ROWS, "connections": SLOTS,
        "fault_share": FAULT_SHARE, "priority": priority, "load_average": os.getloadavg(),
        "server": {"round_trip_s": ROUND_TRIP_S, "fixed_s": FIXED_S, "part_of_a_batch_s": PART_S, "slots": SLOTS},
        "profiles": profiles, "passed": all(profile["passed"] for profile in profiles),
    }  # fmt: skip


def table(measured: Mapping[str, Any]) -> Iterator[str]:
    """Say in lines what came out."""
    server = measured["server"]
    yield (
        f"load: {measured['rows']:,} rows, {measured['chunk_rows']} a chunk, {measured['connections']} connections, "
        f"round trip {server['round_trip_s'] * 1000:.0f} ms, fixed {server['fixed_s'] * 1000:.0f} ms, "
        f"{server['slots']} slots"
    )
    for profile in measured["profiles"]:
        yield ""
        yield f"{profile['name']} a row: bound {profile['bound_s']:.2f} s"
        yield "  contender        rows    seconds   ms/row  x bound  ours is x faster  sandbox busy  overrun"
        for name, result in profile["contenders"].items():
            yield _line(name, result)
        yield "  " + "; ".join(f"{what}: {said}" for what, said in profile["wanted"].items())
    yield ""
    yield "PASSED" if measured["passed"] else "NOT PASSED"


def bound_s(rows: int, row_s: float) -> float:
    """Return what no load can beat: the waves of chunks over the connections, or the server's work over its slots."""
    requests = math.ceil(rows / CHUNK_ROWS)
    waves_s = math.ceil(requests / SLOTS) * (ROUND_TRIP_S + FIXED_S + min(CHUNK_ROWS, rows) * row_s)
    return max(waves_s, (requests * FIXED_S + rows * row_s) / SLOTS)


def contenders(rows: int) -> list[Contender]:
    """Return everyone who takes part."""
    return [
        Contender("ours", rows, _ours),
        Contender("ours, 5 % faults", rows, _ours_with_faults, faults=True),
        Contender("row by row", min(ROWS_ONE_BY_ONE, rows), lambda a, r, _: (row_by_row(a, r), None)),
        Contender("pysnow", min(ROWS_ONE_BY_ONE, rows), lambda a, r, _: (pysnow_row_by_row(a, r), None)),
        Contender("PySNC batch", min(ROWS_IN_BATCHES, rows), lambda a, r, _: (pysnc_batch(a, r), None), tls=True),
    ]


def quota_s(profile: Profile) -> float:
    """Return the instance's time-out, two chunks' time: a time-out of 60 s would measure nothing but itself."""
    return round(2 * (ROUND_TRIP_S + FIXED_S + CHUNK_ROWS * profile.row_s), 2)


def mixed_faults(profile: Profile, seed: int) -> list[dict[str, Any]]:
    """Return faults that strike 5 % of the requests: 429, 503 and time-outs, these before and after the work."""
    kinds: list[dict[str, Any]] = [
        {"kind": "rate_limited_bare"},
        {"kind": "error_503"}, {"kind": "error_503", "after": True},
        {"kind": "timeout", "hang_s": quota_s(profile)}, {"kind": "timeout", "hang_s": quota_s(profile), "after": True},
    ]  # fmt: skip
    share = FAULT_SHARE / len(kinds)
    return [kind | {"share": share, "seed": seed * 100 + number} for number, kind in enumerate(kinds)]


def _measure(opened: Stage, profile: Profile, rows: Sequence[Row], repeats: int) -> dict[str, Any]:
    entrants = contenders(len(rows))
    runs = {each.name: Runs() for each in entrants}
    for repeat in range(repeats):
        turn = repeat % len(entrants)
        for each in entrants[turn:] + entrants[:turn]:
            _play(opened, profile, each, rows[: each.rows], repeat + 1, runs[each.name])
            print(f"{profile.name}, {each.name}: {runs[each.name].seconds[-1]:.2f} s", flush=True)
    return _results(profile, entrants, runs)


def _play(opened: Stage, profile: Profile, each: Contender, rows: Sequence[Row], seed: int, runs: Runs) -> None:
    faults = mixed_faults(profile, seed) if each.faults else []
    access = opened.fresh(profile, computer_rows(rows), tls=each.tls, faults=faults)
    took_s, requests = each.run(access, rows, profile)
    runs.work.append(access.admin("GET", "counters")["work"])
    runs.faults_met.append(len(access.admin("GET", "faults")["strikes"]))
    runs.seconds.append(round(took_s, 3))
    runs.requests += [] if requests is None else [requests]
    runs.differences.append(differences(rows, access.installs(), access.computers()))


def _ours(access: Access, rows: Sequence[Row], profile: Profile) -> tuple[float, int | None]:
    return ours(access, rows, retry={}, quota_s=quota_s(profile))


def _ours_with_faults(access: Access, rows: Sequence[Row], profile: Profile) -> tuple[float, int | None]:
    return ours(access, rows, retry={}, quota_s=quota_s(profile))


def _results(profile: Profile, entrants: Sequence[Contender], runs: Mapping[str, Runs]) -> dict[str, Any]:
    told_of = {each.name: _result(profile, each, runs[each.name]) for each in entrants}
    own = told_of["ours"]["ms_per_row"]
    for result in told_of.values():
        result["ours_is_times_faster"] = round(result["ms_per_row"] / own, 2)
    wanted = _judge(profile, told_of)
    right = not any(result["void"] for result in told_of.values())
    return told(profile) | {
        "bound_s": round(bound_s(entrants[0].rows, profile.row_s), 3), "quota_s": quota_s(profile),
        "contenders": told_of, "wanted": wanted, "passed": right and all(said["kept"] for said in wanted.values()),
    }  # fmt: skip


def _result(profile: Profile, each: Contender, runs: Runs) -> dict[str, Any]:
    middle_s = statistics.median(runs.seconds)
    result: dict[str, Any] = {
        "rows": each.rows, "seconds": round(middle_s, 3), "all_seconds": runs.seconds,
        "ms_per_row": round(middle_s * 1000 / each.rows, 4), "void": any(runs.differences),
        "differences": runs.differences, "requests": runs.requests, "faults_met": runs.faults_met,
        "sandbox": runs.work,
    }  # fmt: skip
    if each.name.startswith("ours"):
        result["times_bound"] = round(middle_s / bound_s(each.rows, profile.row_s), 4)
    return result


def _judge(profile: Profile, results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Hold the ratios against what is wanted."""
    wanted: dict[str, dict[str, Any]] = {}
    if profile.row_s:
        for name, most in (("ours", RATIO_CLEAN), ("ours, 5 % faults", RATIO_FAULTS)):
            ratio = results[name]["times_bound"]
            wanted[f"{name} / bound"] = {"is": ratio, "at_most": most, "kept": ratio <= most}
    for name, least in TARGETS[profile.name].items():
        ratio = results[name]["ours_is_times_faster"]
        wanted[f"{name} / ours"] = {"is": ratio, "at_least": least, "kept": ratio >= least}
    return wanted


def _line(name: str, result: Mapping[str, Any]) -> str:
    busy = max(work["busy"] for work in result["sandbox"])
    overrun_s = max(work["overrun_s"] for work in result["sandbox"])
    bound = f"{result['times_bound']:.3f}" if "times_bound" in result else "-"
    void = f"  VOID: {max(result['differences'])} differences" if result["void"] else ""
    return (
        f"  {name:<16}{result['rows']:>6,}  {result['seconds']:>8.2f}  {result['ms_per_row']:>7.3f}  {bound:>7}"
        f"  {result['ours_is_times_faster']:>16.1f}  {busy:>12.0%}  {overrun_s:>5.2f} s{void}"
    )
