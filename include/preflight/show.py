"""The check's result for people: a table of text, a page, and JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from include.inventory.page import note, page, table
from include.inventory.report import rendered
from include.preflight.finding import MARKS, Finding, failing

_COLUMNS = ("", "part", "question", "seen", "what to do")


def summary(findings: Sequence[Finding]) -> str:
    """Return the result in one sentence."""
    lost = failing(findings)
    counts = {state: sum(finding.state == state for finding in findings) for state in MARKS}
    told = f"{counts['ok']} ✔, {counts['wrong']} ✘, {counts['cannot_tell']} cannot be told"
    if lost:
        return f"{told}. {len(lost)} would lose data: {', '.join(finding.check for finding in lost)}."
    return f"{told}. Nothing that was seen would lose data."


def to_text(findings: Sequence[Finding]) -> str:
    """Return the findings as a table for a log or a terminal."""
    shown = Table(*_COLUMNS, pad_edge=False)
    for finding in findings:
        shown.add_row(*map(Text, _cells(finding)))  # what a server said is no markup
    return f"{rendered(shown)}\n{summary(findings)}"


def to_page(findings: Sequence[Finding]) -> bytes:
    """Return the findings as a page of its own."""
    return page("Set-up check", [note(summary(findings)), table(_COLUMNS, map(_cells, findings))])


def to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the findings as JSON values."""
    return [asdict(finding) | {"fails": finding.fails} for finding in findings]


def _cells(finding: Finding) -> tuple[str, ...]:
    mark = MARKS[finding.state] + ("!" if finding.fails else "")
    return mark, finding.part, finding.question, finding.seen, finding.to_do
