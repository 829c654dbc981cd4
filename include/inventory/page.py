"""A page of its own for people: one file, no script, nothing from elsewhere, every text escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c2430 }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.15rem; margin-top: 2rem }}
table {{ border-collapse: collapse; margin: .5rem 0 1rem }}
td, th {{ border-bottom: 1px solid #d8dee6; padding: .3rem .7rem; text-align: left; vertical-align: top }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
.note {{ color: #5b6675 }} .bad {{ color: #b42318; font-weight: 600 }}
del {{ color: #b42318 }} ins {{ color: #1a7f37; text-decoration: none }}
</style></head><body>
{body}
</body></html>
"""


def page(title: str, parts: Iterable[str]) -> bytes:
    """Return a whole page; ``parts`` are what the functions below return."""
    heading = f"<h1>{escape(title)}</h1>"
    return _FRAME.format(title=escape(title), body="\n".join([heading, *parts])).encode("utf-8", "replace")


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def note(text: str, *, bad: bool = False) -> str:
    """Return one line of text."""
    return f'<p class="{"bad" if bad else "note"}">{escape(text)}</p>'


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers stand to the right, None is an empty cell."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}\n</table>"


def counted(counts: Mapping[str, Any], *, what: str) -> str:
    """Return a table of numbers by name, those that are not zero; "" where all are."""
    shown = [(name, n) for name, n in counts.items() if n]
    return table((what, "rows"), shown) if shown else ""


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return f"<td>{'' if value is None else escape(str(value))}</td>"
    if isinstance(value, int | float):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"
