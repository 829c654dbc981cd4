"""Plots of what the parts measured, as SVG files beside this module."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_OWN = ("ours", "ours, 5 % faults")


def plot_load(measured: Mapping[str, Any], file: Path = HERE / "load.svg") -> Path:
    """Draw part "load": the pipeline against the bound, and how many times faster than the others it is."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "load", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    figure, (bound, others) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    _draw_bound(bound, measured["profiles"])
    _draw_others(others, measured["profiles"])
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    return file


def _draw_bound(axes: Any, profiles: list[Mapping[str, Any]]) -> None:
    """Draw the profiles in which the server takes its time; without that the bound says nothing of a load."""
    shown = [profile for profile in profiles if profile["row_s"]]
    for place, name in enumerate(_OWN):
        ratios = [profile["contenders"][name]["times_bound"] for profile in shown]
        bars = axes.bar([n + place * 0.38 for n in range(len(shown))], ratios, 0.36, label=name)
        axes.bar_label(bars, fmt="%.2f")
    axes.axhline(1.0, color="black", linewidth=1)
    axes.set(title="time / the server's bound", ylim=(0, 1.4))
    axes.set_xticks([n + 0.19 for n in range(len(shown))], [profile["name"] for profile in shown])
    axes.legend(loc="lower right")


def _draw_others(axes: Any, profiles: list[Mapping[str, Any]]) -> None:
    names = [name for name in profiles[0]["contenders"] if name not in _OWN]
    for place, name in enumerate(names):
        ratios = [profile["contenders"][name]["ours_is_times_faster"] for profile in profiles]
        bars = axes.bar([n + place * 0.28 for n in range(len(profiles))], ratios, 0.26, label=name)
        axes.bar_label(bars, fmt="%.0f")
    axes.set(title="how many times faster than others, a row", yscale="log", ylim=(1, 2000))
    axes.set_xticks([n + 0.28 for n in range(len(profiles))], [profile["name"] for profile in profiles])
    axes.legend(loc="upper left", ncols=len(names))


def plot_client(measured: Mapping[str, Any], file: Path = HERE / "client.svg") -> Path:
    """Draw part "client": how the night's time and the peak of memory grow with the number of rows."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "client", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    sizes = list(measured["sizes"].values())
    rows = [size["rows"] for size in sizes]
    figure, (time, memory) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    time.loglog(rows, [size["nightly_wall_s"] for size in sizes], "o-", label="measured")
    linear = [sizes[0]["nightly_wall_s"] * count / rows[0] for count in rows]
    time.loglog(rows, linear, "--", color="grey", label="linear from the first")
    time.set(title="a night in which nothing changed", xlabel="app rows", ylabel="seconds")
    time.legend()
    memory.semilogx(rows, [size["peak_mb"] for size in sizes], "o-", label="first load")
    memory.semilogx(rows, [size["nightly_peak_mb"] for size in sizes], "s-", label="unchanged night")
    memory.set(title="peak of memory", xlabel="app rows", ylabel="MB", ylim=(0, None))
    memory.legend(loc="lower right")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    return file
