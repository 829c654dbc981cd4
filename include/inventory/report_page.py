"""``report.html``: the run's report as a page, with the same names and numbers as ``report.json``."""

from collections.abc import Iterator, Mapping
from typing import Any

from include.inventory.guards import told
from include.inventory.page import counted, heading, note, page, table
from include.inventory.report import Report
from include.inventory.settle import COUNTS


def report_page(report: Report) -> bytes:
    """Return the page of a report."""
    return page(f"{report.dag_id}: {report.mode}", _parts(report))


def _parts(report: Report) -> Iterator[str]:
    yield note(f"Run {report.run_id}.")
    if report.failed:
        yield note(f"Failed: {report.failed}", bad=True)
    for guard in report.guards:
        yield note(told(guard), bad=True)
    yield table(("feed", *COUNTS), [(name, *(feed.counts[n] for n in COUNTS)) for name, feed in report.feeds.items()])
    yield note("extracted is the sum of all others but removed: rows that were sent because Iru no longer lists them.")
    asked = {f"requests to {name}": n for name, n in report.requests.items()}
    tried = {f"tried again at {name}": n for name, n in report.retries.items()}
    yield counted(asked | tried, what="requests")
    if report.usage:
        yield table(("usage in ServiceNow", ""), [(w.replace("_", " "), n) for w, n in report.usage.items()])
    for name, feed in report.feeds.items():
        yield from _details(name, feed.details)


def _details(feed: str, details: Mapping[str, Any]) -> Iterator[str]:
    shown = {what.replace("_", " "): value for what, value in details.items() if value}
    if shown:
        yield heading(feed)
    for what, value in shown.items():
        yield counted(value, what=what) if isinstance(value, Mapping) else note(f"{what}: {value}")
