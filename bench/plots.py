"""Plots of what the parts measured, as SVG files beside this module."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_OWN = ("ours", "ours, 5 % faults")


@contextmanager
def _figure(file: Path, axes: int = 2, *, height: float = 3.2) -> Iterator[tuple[Any, ...]]:
    """Give the axes of a figure that is kept as ``file``; the same figures give the same bytes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": file.stem, "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    figure, found = plt.subplots(1, axes, figsize=(9, height), layout="constrained", squeeze=False)
    yield tuple(found[0])
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def plot_load(measured: Mapping[str, Any], file: Path = HERE / "load.svg") -> Path:
    """Draw part "load": the pipeline against the bound, and how many times faster than the others it is."""
    with _figure(file) as (bound, others):
        _draw_bound(bound, measured["profiles"])
        _draw_others(others, measured["profiles"])
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
    sizes = list(measured["sizes"].values())
    rows = [size["rows"] for size in sizes]
    with _figure(file) as (time, memory):
        time.loglog(rows, [size["nightly_wall_s"] for size in sizes], "o-", label="measured")
        linear = [sizes[0]["nightly_wall_s"] * count / rows[0] for count in rows]
        time.loglog(rows, linear, "--", color="grey", label="linear from the first")
        time.set(title="a night in which nothing changed", xlabel="app rows", ylabel="seconds")
        time.legend()
        memory.semilogx(rows, [size["peak_mb"] for size in sizes], "o-", label="first load")
        memory.semilogx(rows, [size["nightly_peak_mb"] for size in sizes], "s-", label="unchanged night")
        memory.set(title="peak of memory", xlabel="app rows", ylabel="MB", ylim=(0, None))
        memory.legend(loc="lower right")
    return file


def plot_extract(measured: Mapping[str, Any], file: Path = HERE / "extract.svg") -> Path:
    """Draw part "extract": requests and time of each way, and what the automatic choice takes of an hour."""
    ways, choice = measured["ways"], measured["choice"]
    with _figure(file, 3) as (asked, took, hour):
        _bars(asked, "requests", {way: one["requests"] for way, one in ways.items()}, "%d")
        _bars(took, "seconds", {way: one["seconds"] for way, one in ways.items()}, "%.1f")
        told = {f"{fleet}\n{one['method']}": 100 * one["share"] for fleet, one in choice.items()}
        _bars(hour, "% of an hour's requests, by devices", told, "%.2f")
    return file


def plot_leverage(measured: Mapping[str, Any], file: Path = HERE / "leverage.svg") -> Path:
    """Draw part "leverage": rows sent and time, by how much has changed."""
    steps = {name.replace(" changed", ""): step for name, step in measured["steps"].items()}
    with _figure(file) as (sent, took):
        _bars(sent, f"rows sent of {measured['rows']:,}", {name: step["sent"] for name, step in steps.items()}, "%d")
        _bars(took, "load, seconds", {name: step["load_s"] for name, step in steps.items()}, "%.1f")
    return file


def plot_orchestration(measured: Mapping[str, Any], file: Path = HERE / "orchestration.svg") -> Path:
    """Draw part "orchestration": each pair of runs."""
    with _figure(file, 1, height=2.4) as (axes,):
        for place, (name, runs) in enumerate({"Airflow": "airflow_s", "script": "script_s"}.items()):
            seconds = measured[runs]
            bars = axes.bar([n + place * 0.38 for n in range(len(seconds))], seconds, 0.36, label=name)
            axes.bar_label(bars, fmt="%.1f")
        axes.set(title=f"{measured['devices']:,} devices sent whole", ylabel="seconds", xlabel="pair of runs")
        axes.set_xticks([n + 0.19 for n in range(len(measured["airflow_s"]))], range(1, len(measured["airflow_s"]) + 1))
        axes.margins(y=0.12)
        axes.legend(loc="lower center")
    return file


def plot_freshness(measured: Mapping[str, Any], file: Path = HERE / "freshness.svg") -> Path:
    """Draw part "freshness": what share of the changes had arrived after how many seconds."""
    seconds = sorted(measured["all_seconds"])
    with _figure(file, 1, height=2.8) as (axes,):
        axes.step([0, *seconds], [100 * n / len(seconds) for n in range(len(seconds) + 1)], where="post")
        for name in ("p50", "p95"):
            axes.axvline(measured["seconds"][name], color="grey", linestyle="--", linewidth=1)
            axes.text(measured["seconds"][name], 3, f" {name} {measured['seconds'][name]:.0f} s")
        title = f"{measured['changes']} changes of {measured['devices']:,} devices"
        axes.set(
            title=title, xlabel="seconds from Iru to ServiceNow", ylabel="% arrived", xlim=(0, None), ylim=(0, 102)
        )
    return file


def plot_page(measured: Mapping[str, Any], file: Path = HERE / "page.svg") -> Path:
    """Draw part "page": each route's p50 and p95, and the most that is wanted."""
    routes = measured["routes"]
    names = sorted(routes, key=lambda name: routes[name]["p95_ms"])
    with _figure(file, 1, height=6.4) as (axes,):
        axes.barh(names, [routes[name]["p95_ms"] for name in names], 0.7, label="p95", color="tab:orange")
        axes.barh(names, [routes[name]["p50_ms"] for name in names], 0.7, label="p50", color="tab:blue")
        axes.axvline(measured["wanted_ms"], color="black", linewidth=1)
        axes.set(title=f"{measured['devices']:,} devices, {measured['app_rows']:,} app rows", xlabel="milliseconds")
        axes.legend(loc="lower right")
    return file


def _bars(axes: Any, title: str, heights: Mapping[str, float], spelled: str) -> None:
    bars = axes.bar(list(heights), list(heights.values()), 0.6)
    axes.bar_label(bars, fmt=spelled)
    axes.set(title=title)
    axes.margins(y=0.12)
