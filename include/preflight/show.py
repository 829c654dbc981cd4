"""The check's result for people: a table of text, a page, and JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from include.preflight.finding import MARKS, Finding, failing

_WIDTH = 150

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Set-up check</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2430 }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #d8dee6; padding: .4rem .6rem; text-align: left; vertical-align: top }}
.ok {{ color: #1a7f37 }} .wrong {{ color: #b42318; font-weight: 700 }} .cannot_tell {{ color: #8a6100 }}
</style></head><body>
<h1>Set-up check</h1>
<p>{summary}</p>
<table><tr><th></th><th>Part</th><th>Question</th><th>Seen</th><th>What to do</th></tr>
{rows}
</table></body></html>
"""


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
    table = Table(show_lines=False, pad_edge=False)
    for title in ("", "part", "question", "seen", "what to do"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        mark = MARKS[finding.state] + ("!" if finding.fails else "")
        table.add_row(mark, *_cells(finding))
    console = Console(file=StringIO(), width=_WIDTH, color_system=None, markup=False, highlight=False)
    console.print(table, markup=False)
    assert isinstance(console.file, StringIO)
    return f"{console.file.getvalue()}\n{summary(findings)}"


def to_html(findings: Sequence[Finding]) -> str:
    """Return the findings as a page of its own; every text is escaped."""
    rows = "\n".join(
        f'<tr><td class="{finding.state}">{MARKS[finding.state]}</td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(finding))
        + "</tr>"
        for finding in findings
    )
    return _PAGE.format(summary=escape(summary(findings)), rows=rows)


def to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the findings as JSON values."""
    return [asdict(finding) | {"fails": finding.fails} for finding in findings]


def _cells(finding: Finding) -> tuple[str, ...]:
    return finding.part, finding.question, finding.seen, finding.to_do
