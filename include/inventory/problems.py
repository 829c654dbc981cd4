"""The rows of a run that did not arrive, as a table for people: ``problems.csv``, one line per row.

It holds serial numbers and ServiceNow's own words, so it is as private as the run's other files. A spreadsheet takes no
cell of it for a formula. Source: OWASP, "CSV Injection".
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from io import StringIO
from itertools import islice
from typing import Any, Protocol

import pandas as pd

from include.inventory.mapping import Feed
from include.inventory.run_folder import RunFolder
from include.inventory.settle import is_confirmed
from include.inventory.stages import Run
from include.loading.receipts import Receipts
from include.storage import read_frame, write_pieces

MAX_LINES = 100_000
"""What a spreadsheet opens without pain; the counts and the Parquet files are complete."""

_BOM = "\ufeff"  # or Excel takes UTF-8 for the code page of its country
_LONGEST_CELL = 1000
_LINES_A_PIECE = 500
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"  # full-width forms too: some locales compute these
_STARTS_FORMULA = re.compile(rf"[\s\"'\ufeff\u200b]*[{_FORMULA}]|[\t\r]")
_INNER_FORMULA = re.compile(rf";(?=[\s\"'\ufeff\u200b]*[{_FORMULA}])")  # some locales separate cells by semicolons
_BREAK = re.compile(r"[\t\r\n]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


class _Row(Protocol):
    """A row of a frame, as a Series or as a dict."""

    def get(self, name: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One line: the row's verdict, what identifies it, the columns concerned, and the reason."""

    feed: str
    verdict: str
    serial_number: str
    device_id: str
    key: str
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Found:
    """A line, and what it is about: the row's position in the source, its key in the ledger, its device.

    ``key`` and ``device`` are empty where the row has none; ``parked`` says that the row waits for a person.
    """

    problem: ProblemRow
    row: int
    key: str
    device: str
    parked: bool = False


def write_problems(run: Run, *, sends: bool = True, also: Callable[[Found], None] | None = None) -> int:
    """Write ``problems.csv`` into the run's folder and return the number of rows that it is about.

    It lists every row of the run's feeds that was rejected, held for a reason of its own, refused by ServiceNow, or
    planned but not sent; what a stage that did not end left undone is not in it. ``sends`` is False where the run as
    a whole sends nothing (a plan, a guard): then rows are not listed for that. Rows beyond ``MAX_LINES`` are left out,
    and the last line says so. ``also`` is shown every row. Raises StorageFailed.
    """
    found = _Counted((row for feed in run.feeds for row in _of_feed(run, feed, sends=sends)), also)
    write_pieces(run.folder.problems, _pieces(found))
    return found.count


def safe_cell(value: str) -> str:
    """Return text that no spreadsheet takes for a formula and every one can show."""
    shown = _CONTROL.sub("\ufffd", value)
    shown = shown if len(shown) <= _LONGEST_CELL else f"{shown[:_LONGEST_CELL]}…"
    shown = _INNER_FORMULA.sub(";'", _BREAK.sub(" ", shown))
    return f"'{shown}" if _STARTS_FORMULA.match(value) else shown


class _Counted:
    """Counts rows while they pass, and shows them to somebody else."""

    def __init__(self, rows: Iterator[Found], also: Callable[[Found], None] | None) -> None:
        self._rows, self._also = rows, also
        self.count = 0

    def __iter__(self) -> Iterator[ProblemRow]:
        for row in self._rows:
            self.count += 1
            if self._also:
                self._also(row)
            yield row.problem


def _pieces(found: _Counted) -> Iterator[bytes]:
    names = [field.name for field in fields(ProblemRow)]
    yield (_BOM + _line(names)).encode()
    rows = iter(found)
    listed = islice(rows, MAX_LINES)
    while batch := [_line([safe_cell(cell) for cell in astuple(row)]) for row in islice(listed, _LINES_A_PIECE)]:
        yield "".join(batch).encode()
    more = sum(1 for _ in rows)
    if more:
        yield _line([f"… and {more} more rows; see the Parquet files of the run"]).encode()


def _line(cells: list[str]) -> str:
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(cells)
    return text.getvalue()


def _of_feed(run: Run, feed: Feed, *, sends: bool) -> Iterator[Found]:
    folder = run.folder
    if not folder.told_by(f"shape-{feed.name}"):
        return
    for rejects in folder.rejects(feed.name).frames():
        for row, group in rejects.groupby("row", sort=True):
            reasons = zip(group["column"], group["reason"], strict=True)
            yield _found(_problem(feed, "rejected", group.iloc[0], reasons), int(str(row)), group.iloc[0])
    if not folder.told_by(f"plan-{feed.name}"):
        return
    for too_long in folder.too_long(feed.name).frames():
        yield from _too_long(folder, feed, too_long)
    yield from _held(folder, feed)
    if sends:
        yield from _refused(folder, feed)


def _too_long(folder: RunFolder, feed: Feed, found: pd.DataFrame) -> Iterator[Found]:
    rows = _rows(folder, feed, found["row"])
    for key, group in found[found["done"] == "rejected"].groupby("key", sort=False):
        lengths = zip(group["column"], group["length"], group["limit"], strict=True)
        reasons = [(name, f"is {n} characters long, its staging column holds {limit}") for name, n, limit in lengths]
        row = int(group["row"].iloc[0])
        identity = _identity(rows, row) | {"_key": key}
        yield _found(_problem(feed, "rejected", identity, reasons), row, identity)


def _held(folder: RunFolder, feed: Feed) -> Iterator[Found]:
    """Yield the rows that wait; a parked one with ServiceNow's last words."""
    parked = folder.parked(feed.name).read()
    said = dict(zip(parked["key"], parked["message"], strict=True))
    for held in folder.held(feed.name).frames():
        rows = _rows(folder, feed, held["row"])
        for row, reason in held[["row", "reason"]].itertuples(index=False):
            identity = _identity(rows, row)
            key = _text(identity.get("_key"))
            words = said.get(key)
            problem = _problem(feed, "held", identity, [("", f"{reason}: {words}" if words else reason)])
            yield _found(problem, row, identity, parked=key in said)


def _rows(folder: RunFolder, feed: Feed, positions: pd.Series) -> pd.DataFrame:
    """Return some shaped rows by their positions."""
    names = [name for name in ("serial_number", "device_id") if name in feed.column_names]
    columns = ["_row", "_key", "_device", *names]
    found = [rows[rows["_row"].isin(positions)] for rows in folder.rows(feed.name).frames(columns)]
    return pd.concat(found).set_index("_row") if len(positions) else found[0].iloc[:0].set_index("_row")


def _refused(folder: RunFolder, feed: Feed) -> Iterator[Found]:
    """Yield what was sent and is not confirmed, and what was to be sent and has no verdict."""
    for path in folder.to_send(feed.name).paths():
        to_send = read_frame(path)
        if len(to_send):
            yield from _refused_of(feed, to_send, Receipts(path).read_verdicts())


def _refused_of(feed: Feed, to_send: pd.DataFrame, verdicts: pd.DataFrame) -> Iterator[Found]:
    sent = to_send.reset_index(drop=True).join(verdicts.set_index("row"), how="left")
    answered = sent[sent["outcome"].notna()]
    for row in answered[~is_confirmed(answered)].to_dict("records"):
        yield _found(_problem(feed, str(row["outcome"]), row, [("", row["message"])]), int(row["_row"]), row)
    for row in sent[sent["outcome"].isna()].to_dict("records"):
        problem = _problem(feed, "not sent", row, [("", "was not sent; see the load task")])
        yield _found(problem, int(row["_row"]), row)


def _identity(rows: pd.DataFrame, row: int) -> dict[str, object]:
    return {str(name): cell for name, cell in rows.loc[row].items()} if row in rows.index else {}


def _found(problem: ProblemRow, number: int, row: _Row, *, parked: bool = False) -> Found:
    device = _text(row.get("_device")) or _text(row.get("device_id")).casefold()
    return Found(problem, number, _text(row.get("_key")), device, parked)


def _problem(feed: Feed, verdict: str, row: _Row, reasons: Iterable[tuple[str, str]]) -> ProblemRow:
    found = list(reasons)
    return ProblemRow(
        feed=feed.name,
        verdict=verdict,
        serial_number=_text(row.get("serial_number")),
        device_id=_text(row.get("device_id")),
        key=_text(row.get("_key")).replace("\x1f", " / "),
        column=", ".join(column for column, _ in found if column),
        message="; ".join(f"{column} {reason}".strip() for column, reason in found),
    )


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else ""
