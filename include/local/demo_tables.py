"""The demo's two tables: what each run sent, and what ServiceNow holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from include.local.check import ServiceNowTables

_COUNTS = ("inserted", "updated", "processed", "unchanged", "rejected", "removed")
_OTHERS = ("filtered", "ignored", "skipped", "error", "held")


def ledger_of_runs(reports: Sequence[Mapping[str, Any]]) -> Table:
    """Return one line per run and feed; ``other`` sums the verdicts that are rare."""
    table = Table(title="What each run sent", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("run", "feed"):
        table.add_column(name, no_wrap=True)
    for name in ("from Iru", *_COUNTS, "other", "requests"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        run = f"{report['dag_id']} {str(report['run_id']).removeprefix('demo-')}"
        requests = sum(report["requests"].values())
        for position, (feed, counts) in enumerate(report["feeds"].items()):
            table.add_row(
                "" if position else run,
                feed,
                _number(counts["extracted"]),
                *(_number(counts[name]) for name in _COUNTS),
                _number(sum(counts[name] for name in _OTHERS)),
                "" if position else _number(requests),
            )
    return table


def tables_of_servicenow(tables: ServiceNowTables) -> Table:
    """Return how many rows each target table holds."""
    active = sum(row["active"] == "true" for row in tables.installs)
    table = Table(title="What ServiceNow holds", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("table", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("")
    table.add_row("cmdb_ci_computer", _number(len(tables.computers)), "")
    table.add_row("x_kandj_kandji_mdm", _number(len(tables.mdm)), "")
    detail = f"{active:,} active, {len(tables.installs) - active:,} no longer"
    table.add_row("cmdb_sam_sw_install", _number(len(tables.installs)), detail)
    return table


def _number(value: int) -> str:
    return f"{value:,}" if value else "·"
