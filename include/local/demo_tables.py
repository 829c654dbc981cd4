"""The demo's two tables: what each run sent, and what ServiceNow holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from include.local.check import ServiceNowTables

_NAMES = {"iru": "Iru", "servicenow": "ServiceNow"}
_VERDICTS = (
    "filtered", "rejected", "unchanged", "inserted", "updated", "processed", "ignored", "skipped", "error", "held",
)  # fmt: skip


def ledger_of_runs(reports: Sequence[Mapping[str, Any]]) -> Table:
    """Return one column per run and feed: what came from Iru, each verdict that occurs, removals, requests.

    Narrow enough for 80 columns.
    """
    table = Table(
        title="What each run did with the rows of Iru", box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 0, 0, 1)
    )
    columns = [(report, feed) for report in reports for feed in report["feeds"]]
    table.add_column("", no_wrap=True)
    for report, feed in columns:
        table.add_column(f"{feed}\n{str(report['run_id']).replace('demo-', 'run ')}", justify="right", no_wrap=True)
    counts = [report["feeds"][feed] for report, feed in columns]
    table.add_row("from Iru", *(_number(count["extracted"]) for count in counts), end_section=True)
    for verdict in _VERDICTS:
        if any(count[verdict] for count in counts):
            table.add_row(verdict, *(_number(count[verdict]) for count in counts))
    table.add_section()
    table.add_row("gone from Iru", *(_number(count["removed"]) for count in counts), end_section=True)
    for service in ("iru", "servicenow"):
        table.add_row(f"requests, {_NAMES[service]}", *(_requests(*column, service) for column in columns))
    return table


def _requests(report: Mapping[str, Any], feed: str, service: str) -> str:
    """Return a run's requests in the column of its first feed; they are counted for the run as a whole."""
    return _number(report["requests"][service]) if feed == next(iter(report["feeds"])) else ""


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
