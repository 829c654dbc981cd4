"""Turn a batch of a source into staging rows of one feed, and say of every other row why it is not among them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from include.inventory.cells import Unusable, boolean
from include.inventory.columns import Problem, cells_of, fill, keys
from include.inventory.mapping import Feed, FeedMapping
from include.inventory.params import DEVICE_FAMILIES, RunParams, family
from include.inventory.read_sources import TAGS
from include.inventory.schemas import failures, source_model, staging_model
from include.texts import each_distinct, is_text, text_series

_IDENTITY = ("device_id", "serial_number")
_AGES = ("last_enrollment", "updated_at")


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of the rows of one source frame.

    ``rows``: the staging columns, with ``_row`` (position in the source), ``_key``, ``_device`` (its id, case folded),
    ``_age`` (when Iru last changed the row, in its own spelling). ``rejects``: row, device_id, serial_number, column,
    reason; a row may have several. ``filtered``: row, reason. ``also_seen``: key and device of the rows that the source
    lists beside ``rows``. ``unkeyed`` counts rows of carried platforms whose key cannot be told.
    """

    extracted: int
    rows: pd.DataFrame
    rejects: pd.DataFrame
    filtered: pd.DataFrame
    also_seen: pd.DataFrame
    unkeyed: int


def shape_batch(
    source: pd.DataFrame, feed: Feed, mapping: FeedMapping, params: RunParams, *, outdated: Collection[int] = ()
) -> Batch:
    """Return the feed's valid rows and the verdicts of all others; of rows that share a key all are returned.

    ``source`` is a source frame indexed by position, ``outdated`` the positions of rows that a later page replaces.
    """
    frame, problems = fill(source, feed)
    frame = _mark_removed(frame, source, feed)
    kinds = _families(source)
    notes = {"_row": pd.Series(frame.index, index=frame.index, dtype="int64"), "_key": keys(frame, feed)}
    notes |= {"_device": each_distinct(_texts(source["device_id"]), str.casefold)[0], "_age": _ages(source)}
    out_of_scope = _out_of_scope(source, kinds, mapping, params, outdated)
    in_scope = frame.drop(index=list(out_of_scope)) if out_of_scope else frame
    rejects = _rejects(source, in_scope, feed, problems)
    valid = in_scope.drop(index=rejects["row"].unique().tolist())
    all_notes = pd.DataFrame(notes)
    seen = all_notes.loc[all_notes.index.difference(valid.index), ["_key", "_device"]]
    carried = ~kinds.isin(mapping.out_of_scope)
    return Batch(
        extracted=len(source),
        rows=pd.concat([all_notes.loc[valid.index], valid], axis=1).reset_index(drop=True),
        rejects=rejects,
        filtered=pd.DataFrame({"row": list(out_of_scope), "reason": text_series(list(out_of_scope.values()))}),
        also_seen=seen.dropna(subset="_key").drop_duplicates().reset_index(drop=True),
        unkeyed=int((all_notes["_key"].isna() & carried).sum()),
    )


def rejected(problems: Sequence[Problem], source: pd.DataFrame) -> pd.DataFrame:
    """Return problems as a frame of rejects; ``source`` has the identity of their rows, by position."""
    frame = pd.DataFrame(
        {
            "row": pd.Series([problem.row for problem in problems], dtype="int64"),
            "column": pd.Series([problem.column for problem in problems], dtype="str"),
            "reason": pd.Series([problem.reason for problem in problems], dtype="str"),
        }
    )
    return _with_identity(frame, source)


def _ages(source: pd.DataFrame) -> pd.Series:
    return _texts(source[next(name for name in _AGES if name in source)])


def _texts(column: pd.Series) -> pd.Series:
    """Return a source column's texts, null for anything else."""
    if is_text(column):
        return column
    return text_series([cell if isinstance(cell, str) else None for cell in column], column.index)


def _families(source: pd.DataFrame) -> pd.Series:
    return each_distinct(_texts(source["platform" if "platform" in source else "device__family"]), family)[0]


def _out_of_scope(
    source: pd.DataFrame, kinds: pd.Series, mapping: FeedMapping, params: RunParams, outdated: Collection[int]
) -> dict[int, str]:
    """Return the rows that this run leaves out on purpose, with the reason; of several reasons the first."""
    out: dict[int, str] = {}

    def leave_out(rows: pd.Series, reason: str) -> None:
        for row in rows.index[rows].tolist():
            out.setdefault(row, reason)

    for kind in mapping.out_of_scope:
        leave_out(kinds == kind, f"platform {kind} is out of scope")
    if set(params.device_families) != set(DEVICE_FAMILIES):
        for kind in DEVICE_FAMILIES:
            if kind not in params.device_families:
                leave_out(kinds == kind, f"device family {kind} is not among those of this run")
        unknown = ~kinds.isin(DEVICE_FAMILIES)  # a reason holds no cell's content
        leave_out(unknown, "device family (unknown) is not among those of this run")
    if params.blueprints:
        wanted = list(params.blueprints)
        named = source["blueprint_id"].isin(wanted) | source["blueprint_name"].isin(wanted)
        leave_out(~named, "blueprint is not among those of this run")
    if params.tags:
        leave_out(~_tagged(source, set(params.tags)), "tags are not among those of this run")
    if params.serials:
        leave_out(~_named(source, params.serials), "serial number is not among those of this run")
    again = pd.Series(source.index.isin(list(outdated)), index=source.index)
    leave_out(again, "a later page lists the same device again")
    return out


def _tagged(source: pd.DataFrame, wanted: set[str]) -> pd.Series:
    cells = cells_of(source[TAGS]) if TAGS in source else [None] * len(source)
    return pd.Series([bool(wanted & set(str(cell or "").splitlines())) for cell in cells], source.index, dtype=bool)


def _named(source: pd.DataFrame, serials: Sequence[str]) -> pd.Series:
    wanted = {serial.casefold() for serial in serials}
    cells = cells_of(source["serial_number"])
    return pd.Series([str(cell or "").casefold() in wanted for cell in cells], source.index, dtype=bool)


def _rejects(source: pd.DataFrame, in_scope: pd.DataFrame, feed: Feed, problems: Sequence[Problem]) -> pd.DataFrame:
    fields = list(dict.fromkeys(name for column in feed.columns for name in column.sources if name in source))
    mixed = [name for name in fields if not is_text(source[name])]
    from_source = failures(source_model(source[mixed]), source.loc[in_scope.index, mixed])
    kept = set(in_scope.index) if problems else set()
    converted = rejected([problem for problem in problems if problem.row in kept], source)
    from_staging = failures(staging_model(feed), in_scope)
    found = pd.concat([from_source, converted[from_source.columns], from_staging], ignore_index=True)
    # A cell that could not be converted is empty afterwards; the first reason is the true one.
    found = found.drop_duplicates(["row", "column"]).sort_values(["row", "column"], ignore_index=True)
    return _with_identity(found, source)


def _mark_removed(frame: pd.DataFrame, source: pd.DataFrame, feed: Feed) -> pd.DataFrame:
    """Give rows that the tenant itself flags as removed the values of a removal."""
    if not feed.removed_flag or feed.removed_flag not in source:
        return frame
    flags = source[feed.removed_flag]
    if is_text(flags):
        removed = each_distinct(flags, lambda cell: "true" if _is_true(cell) else None)[0].notna()
    else:
        removed = pd.Series([_is_true(cell) for cell in flags], frame.index, dtype=bool)
    for name, value in feed.removed_values.items() if removed.any() else ():
        frame.loc[removed, name] = value
    return frame


def _with_identity(found: pd.DataFrame, source: pd.DataFrame) -> pd.DataFrame:
    """Put the device's id and serial number beside each failure, so that a person can find it in Iru."""
    rows = source.loc[found["row"], list(_IDENTITY)]
    shown = {name: _texts(rows[name]).reset_index(drop=True) for name in _IDENTITY}
    return pd.DataFrame({"row": found["row"], **shown, "column": found["column"], "reason": found["reason"]})


def _is_true(cell: Any) -> bool:
    try:
        return not isinstance(cell, Unusable) and boolean(cell) == "true"
    except ValueError:
        return False
