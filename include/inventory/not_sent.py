"""The rows of a run that were not sent: kept beside its files, and shown by the sync page until a run sends them.

A whole run replaces what waits of a feed; a run of some devices replaces what waits of these.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.inventory.bulk_write import batched, write_rows
from include.inventory.database import storage_failures
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.plan import with_payloads
from include.inventory.problems import Found
from include.inventory.run import Run
from include.inventory.sync_tables import WAITING
from include.storage import read_frame
from include.texts import values_of

MOST_ROWS = 100_000
"""Of each feed; what is beyond is counted."""

_NOTE = "not_sent"
_COLUMNS = ("row", "key", "device", "verdict", "serial_number", "columns", "message")
_ASKED = 1000
_LONGEST_ID = 500  # PostgreSQL takes 2.7 kB in an index

Since = Mapping[tuple[str, ...], str]


class NotSent:
    """Takes the rejected and the held rows of a run, parked ones aside, while its problems are written."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows: dict[str, list[tuple[object, ...]]] = {feed.name: [] for feed in run.feeds}
        self._left_out = Counter[str]()

    def take(self, found: Found) -> None:
        """Take one row, if it is one of these and there is room for it."""
        problem = found.problem
        if problem.verdict not in ("rejected", "held") or found.parked:
            return
        rows = self._rows[problem.feed]
        if len(rows) >= MOST_ROWS:
            self._left_out[problem.feed] += 1
            return
        about = (found.device, problem.verdict, problem.serial_number, problem.column, problem.message)
        rows.append(
            (found.row, found.key, *(text.replace("\x00", "\ufffd") for text in about))
        )  # PostgreSQL takes none

    def write(self) -> None:
        """Keep what was taken in the run's folder."""
        for feed, rows in self._rows.items():
            kinds = {"row": "int64"} | dict.fromkeys(_COLUMNS[1:], "str")
            frame = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(kinds)
            self._run.folder.not_sent(feed).write(0, frame)
        self._run.folder.note(_NOTE, {"left_out": dict(self._left_out)})


def left_out(run: Run, feed: str) -> int:
    """Return how many rows of a feed were not sent beyond those that are kept."""
    return int(run.folder.told_by(_NOTE).get("left_out", {}).get(feed, 0))


def note_waiting(ledger: Ledger, run: Run, feed: Feed, *, run_id: str, at: str) -> None:
    """Let the page show what a run has not sent of a feed; nothing where the run did not come to plan it.

    A row that says the same as before keeps the time since when it does.
    """
    if not run.folder.told_by(f"plan-{feed.name}") or not run.folder.not_sent(feed.name).paths():
        return
    found = run.folder.not_sent(feed.name).read()
    payloads = _payloads(run, feed, found)
    own = {"source": ledger.pair.source, "target": ledger.pair.target, "feed": feed.name}
    of_feed = [WAITING.c[name] == value for name, value in own.items()]
    devices = None if run.is_whole else _devices(run, feed, found)
    names = [column.name for column in WAITING.columns]
    with storage_failures(), ledger.engine.begin() as connection:
        since = _take_out(connection, of_feed, devices)
        rows = {
            row_id: (*own.values(), row_id, row["verdict"], row["device"] or None, row["serial_number"], row["columns"],
                     row["message"], payloads.get(row["row"]), since.get(_identity(row_id, row), at), run_id)
            for row in found.to_dict("records")
            for row_id in [_row_id(row, is_whole=devices is None)]
        }  # fmt: skip
        write_rows(connection, WAITING, names, rows.values())


def _take_out(
    connection: sa.Connection, of_feed: Sequence[sa.ColumnElement[bool]], devices: Sequence[str] | None
) -> Since:
    """Take out what is replaced, and return since when it said what it said; None: all devices."""
    portions = [of_feed] if devices is None else [
        [*of_feed, WAITING.c.device.in_(some)] for some in batched(devices, _ASKED)
    ]  # fmt: skip
    since: dict[tuple[str, ...], str] = {}
    for of in portions:
        for row in connection.execute(sa.select(WAITING).where(*of)).mappings():
            since[_identity(row["row_id"], row)] = row["since"]
        connection.execute(sa.delete(WAITING).where(*of))
    return since


def _identity(row_id: str, row: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return by what a row is known again; one without a key by its device, as its position changes."""
    is_keyed = not row_id.startswith("row:")
    known = (row_id,) if is_keyed else (row["device"] or "", row["serial_number"])
    return (*known, row["verdict"], row["message"])


def _row_id(row: Mapping[Any, Any], *, is_whole: bool) -> str:
    keyless = f"row:{row['row']}" if is_whole else f"row:{row['device']}:{row['row']}"
    return str(row["key"] or keyless)[:_LONGEST_ID]


def _devices(run: Run, feed: Feed, found: pd.DataFrame) -> list[str]:
    """Return the devices that a run of a part of the fleet is about; those that it filtered are out of its scope."""
    frames = run.folder.rows(feed.name).frames(["_device"])
    listed = {device for frame in frames for device in values_of(frame["_device"])}
    changed = {device.casefold() for device in run.changed or ()}
    return sorted((listed | changed | set(values_of(found["device"]))) - {None, ""})


def _payloads(run: Run, feed: Feed, found: pd.DataFrame) -> dict[int, str]:
    """Return the rows as they were shaped, as JSON, by position; those that have no shape are not among them."""
    shaped = set(found.loc[found["key"] != "", "row"].tolist())
    payloads: dict[int, str] = {}
    for path in run.folder.rows(feed.name).paths() if shaped else ():
        if read_frame(path, ["_row"])["_row"].isin(shaped).any():
            rows = read_frame(path)
            wanted = rows[rows["_row"].isin(shaped)]
            told = with_payloads(feed, wanted.reset_index(drop=True))
            payloads |= dict(zip(told["_row"].tolist(), values_of(told["_payload"]), strict=True))
    return payloads
