"""Part "load" judges by the bound and by what the tables hold: nobody wins with wrong records."""

import json
from typing import Any

import pytest

from bench.load import PROFILES, TARGETS, Contender, Runs, _results, bound_s, mixed_faults, table
from bench.load_contenders import ours, row_by_row
from bench.load_rows import app_rows, computer_rows, differences, target_record
from bench.load_stage import Profile, stage
from bench.plots import plot_load

COMPUTERS = {row["serial number"]: f"id-{n}" for n, row in enumerate(computer_rows(app_rows(200)))}
BUSY = {"busy": 0.2, "overrun_s": 0.0}


def test_the_bound_is_what_the_model_says():
    """The figures of the cost model: 20,000 rows at 2 and 10.8 ms over 4 slots, and a load smaller than a chunk."""
    assert bound_s(20_000, 0.002) == pytest.approx(10.6)
    assert bound_s(20_000, 0.0108) == pytest.approx(54.6)
    assert bound_s(100, 0.002) == pytest.approx(0.04 + 0.02 + 0.2)


def test_a_record_that_is_wrong_missing_or_doubled_is_counted():
    """Each kind of difference shows, so that a contender that loses rows is void."""
    rows = app_rows(10)
    right = [target_record(row, COMPUTERS) for row in rows]
    assert differences(rows, right, COMPUTERS) == 0
    assert differences(rows, right[1:], COMPUTERS) == 1
    assert differences(rows, [*right, right[0]], COMPUTERS) == 1
    assert differences(rows, [right[0] | {"version": "0"}, *right[1:]], COMPUTERS) == 2


def test_rows_are_of_realistic_size_and_have_keys_of_their_own():
    """Rows about as long as the cost model's 439 bytes of JSON; equal ones would coalesce into one record."""
    rows = app_rows(500)
    assert len({row["instance_key"] for row in rows}) == 500
    assert 300 < len(json.dumps(rows)) / 500 < 500


def _played(ours_s: float, others_s: float, wrong: int = 0) -> dict[str, Any]:
    profile = PROFILES[0]
    names = ["ours", "ours, 5 % faults", *TARGETS[profile.name]]
    entrants = [Contender(name, 20_000 if name.startswith("ours") else 100, lambda *_: (0.0, None)) for name in names]
    runs = {name: Runs([ours_s if name.startswith("ours") else others_s], [1], [wrong], [BUSY], [0]) for name in names}
    return _results(profile, entrants, runs)


@pytest.mark.parametrize(
    ("ours_s", "others_s", "wrong", "passed"),
    [(10.9, 6.5, 0, True), (11.5, 6.5, 0, False), (10.9, 3.0, 0, False), (10.9, 6.5, 1, False)],
    ids=["kept", "slower than the bound allows", "others too fast", "wrong tables"],
)
def test_a_profile_passes_only_if_all_is_kept(ours_s, others_s, wrong, passed):
    """Time, ratios and tables each decide alone."""
    assert _played(ours_s, others_s, wrong)["passed"] is passed


def test_the_table_and_the_plot_show_a_void_run_and_every_ratio(tmp_path):
    """What was measured is told to people whole, also what went wrong."""
    played = _played(10.9, 6.5, wrong=3)
    server = {"round_trip_s": 0.04, "fixed_s": 0.02, "slots": 4}
    measured = {"rows": 20_000, "chunk_rows": 500, "connections": 4, "server": server, "profiles": [played]}
    lines = "\n".join(table(measured | {"passed": False}))
    assert "VOID: 3 differences" in lines
    assert "NOT PASSED" in lines
    drawn = plot_load(measured, tmp_path / "load.svg").read_text()
    assert "<svg" in drawn
    assert "ours, 5 % faults" in drawn


def test_faults_strike_a_twentieth_of_the_requests():
    """The shares of all kinds add up to what the results say."""
    assert sum(fault["share"] for fault in mixed_faults(PROFILES[0], 1)) == pytest.approx(0.05)


def test_contenders_fill_the_same_tables():
    """Against a fresh instance each, the pipeline and the plain script leave exactly the oracle's records."""
    profile, rows = Profile("quick", 0.0001, repeats=1), app_rows(70)
    with stage() as opened:
        for run in (lambda a: ours(a, rows, retry={}, quota_s=1.0), lambda a: row_by_row(a, rows)):
            access = opened.fresh(profile, computer_rows(rows))
            run(access)
            assert differences(rows, access.installs(), access.computers()) == 0
            assert access.admin("GET", "counters")["work"]["timed_requests"] > 0
