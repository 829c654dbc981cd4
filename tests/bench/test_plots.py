"""Each part of the benchmarks is drawn from what it measured, and says how busy the sandbox was."""

from pathlib import Path

import requests

from bench import plots
from bench.busy import busy_sandbox
from include.local.sandbox import running_sandbox


def test_the_sandbox_tells_how_busy_it_was(tmp_path: Path) -> None:
    """What a sandbox works while it is asked is seen, and without a sandbox there is nothing to see."""
    with busy_sandbox() as without:
        pass
    with running_sandbox(("--devices", "20"), log_path=tmp_path / "log") as box, busy_sandbox() as asked:
        for _ in range(100):
            requests.get(f"{box.iru_url}/_sandbox/counters", timeout=10).raise_for_status()
    assert without.share == 0 < asked.share


def test_every_part_of_the_set_has_a_plot_with_its_figures(tmp_path: Path) -> None:
    """What a plot says are the numbers that were measured."""
    way = {"requests": 202, "seconds": 5.04}
    choice = {"1,000": {"method": "export", "share": 0.0008}}
    step = {"sent": 2000, "load_s": 1.5}
    seconds = {"p50": 13.0, "p95": 20.0}
    drawn = {
        plots.plot_extract({"ways": {"pages": way}, "choice": choice}, tmp_path / "extract.svg"): "202",
        plots.plot_leverage({"rows": 100_000, "steps": {"2 % changed": step}}, tmp_path / "leverage.svg"): "2000",
        plots.plot_orchestration(
            {"devices": 500, "airflow_s": [12.6], "script_s": [4.4]}, tmp_path / "orchestration.svg"
        ): "12.6",
        plots.plot_freshness(
            {"changes": 2, "devices": 1000, "all_seconds": [13.0, 20.0], "seconds": seconds}, tmp_path / "freshness.svg"
        ): "p95 20 s",
        plots.plot_page(
            {
                "devices": 50_000, "app_rows": 5_000_000, "wanted_ms": 300.0,
                "routes": {"overview": {"p50_ms": 100.0, "p95_ms": 200.0}},
            },
            tmp_path / "page.svg",
        ): "5,000,000 app rows",
    }  # fmt: skip
    for file, said in drawn.items():
        assert said in file.read_text(encoding="utf-8")
