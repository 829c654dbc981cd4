"""Turn a source frame into the staging frame of one feed, and say of every other row why it is not in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from include.inventory.cells import Unusable, boolean, timestamp
from include.inventory.columns import Problem, fill, keys
from include.inventory.mapping import Feed, FeedMapping
from include.inventory.params import DEVICE_FAMILIES, RunParams, family
from include.inventory.read_sources import TAGS
from include.inventory.schemas import failures, source_model, staging_model

_IDENTITY = ("device_id", "serial_number")


@dataclass(frozen=True, slots=True)
class Shaped:
    """A feed's rows after shaping.

    ``rows``: the staging columns, with ``_row`` (position in the source) and ``_key``. ``rejects``: row, device_id,
    serial_number, column, reason; a row may have several. ``filtered``: row, reason. ``seen``: the key of every row
    that the source listed. ``unkeyed`` counts rows of carried platforms whose key cannot be told.
    """

    extracted: int
    rows: pd.DataFrame
    rejects: pd.DataFrame
    filtered: pd.DataFrame
    seen: pd.DataFrame
    unkeyed: int

    @property
    def rejected(self) -> int:
        """The number of rejected rows."""
        return int(self.rejects["row"].nunique())


def shape(source: pd.DataFrame, feed: Feed, mapping: FeedMapping, params: RunParams) -> Shaped:
    """Return the feed's valid rows and the verdicts of all others.

    ``source`` is a source frame indexed from 0. Exact repetitions of a row are filtered; of rows that share a key but
    differ, the newest goes on and the others are rejected.
    """
    frame, problems = fill(source, feed)
    frame = _mark_removed(frame, source, feed)
    frame.insert(0, "_key", keys(frame, feed))
    out_of_scope = _out_of_scope(source, mapping, params)
    in_scope = frame.drop(index=list(out_of_scope))
    rejects = _rejects(source, in_scope, feed, problems)
    valid = in_scope.drop(index=rejects["row"].unique().tolist())
    repeated, older = _duplicates(valid, source, feed)
    rejects = pd.concat([rejects, _with_identity(_to_frame(older), source)], ignore_index=True)
    filtered = out_of_scope | dict.fromkeys(repeated, "an exact repetition of another row")
    rows = valid.drop(index=[*repeated, *(problem.row for problem in older)])
    rows.insert(0, "_row", rows.index)
    return Shaped(
        extracted=len(source),
        rows=rows.reset_index(drop=True),
        rejects=rejects,
        filtered=pd.DataFrame({"row": list(filtered), "reason": pd.Series(list(filtered.values()), dtype="str")}),
        seen=frame[["_key"]].dropna().drop_duplicates().reset_index(drop=True),
        unkeyed=_count_unkeyed(frame, source, mapping),
    )


def _count_unkeyed(frame: pd.DataFrame, source: pd.DataFrame, mapping: FeedMapping) -> int:
    """Count rows that may be any row which ServiceNow holds, those that only this run leaves out included."""
    carried = pd.Series([kind not in mapping.out_of_scope for kind in _families(source)], frame.index, dtype=bool)
    return int((frame["_key"].isna() & carried).sum())


def _families(source: pd.DataFrame) -> list[str | None]:
    platforms = source["platform" if "platform" in source else "device__family"].tolist()
    return [family(platform) if isinstance(platform, str) else None for platform in platforms]


def _out_of_scope(source: pd.DataFrame, mapping: FeedMapping, params: RunParams) -> dict[int, str]:
    """Return the rows that this run leaves out on purpose, with the reason."""
    every_family = set(params.device_families) == set(DEVICE_FAMILIES)
    blueprints = zip(source["blueprint_id"].tolist(), source["blueprint_name"].tolist(), strict=True)
    later, serials = _listed_again(source), {serial.casefold() for serial in params.serials}
    out: dict[int, str] = {}
    for row, (kind, own) in enumerate(zip(_families(source), blueprints, strict=True)):
        if kind in mapping.out_of_scope:
            out[row] = f"platform {kind} is out of scope"
        elif not every_family and kind not in params.device_families:
            name = kind if kind in DEVICE_FAMILIES else "(unknown)"  # a reason holds no cell's content
            out[row] = f"device family {name} is not among those of this run"
        elif params.blueprints and not set(params.blueprints) & {part for part in own if isinstance(part, str)}:
            out[row] = "blueprint is not among those of this run"
        elif params.tags and not set(params.tags) & _tags(source, row):
            out[row] = "tags are not among those of this run"
        elif serials and str(source["serial_number"][row] or "").casefold() not in serials:
            out[row] = "serial number is not among those of this run"
        elif row in later:
            out[row] = "a later page lists the same device again"
    return out


def _tags(source: pd.DataFrame, row: int) -> set[str]:
    cell = source[TAGS][row] if TAGS in source else None
    return set(cell.splitlines()) if isinstance(cell, str) else set()


def _listed_again(source: pd.DataFrame) -> set[int]:
    """Return the rows of devices that moved to a later page while the pages were read; the later row is newer."""
    if "platform" not in source:
        return set()  # a device has many apps
    ids = pd.Series([cell if isinstance(cell, str) else None for cell in source["device_id"]], dtype="str")
    return set(ids.index[ids.notna() & ids.duplicated(keep="last")].tolist())


def _rejects(source: pd.DataFrame, in_scope: pd.DataFrame, feed: Feed, problems: Sequence[Problem]) -> pd.DataFrame:
    fields = list(dict.fromkeys(name for column in feed.columns for name in column.sources if name in source))
    from_source = failures(source_model(fields), source.loc[in_scope.index])
    converted = _to_frame([problem for problem in problems if problem.row in in_scope.index])
    from_staging = failures(staging_model(feed), in_scope.drop(columns="_key"))
    found = pd.concat([from_source, converted, from_staging], ignore_index=True)
    # A cell that could not be converted is empty afterwards; the first reason is the true one.
    found = found.drop_duplicates(["row", "column"]).sort_values(["row", "column"], ignore_index=True)
    return _with_identity(found, source)


def _mark_removed(frame: pd.DataFrame, source: pd.DataFrame, feed: Feed) -> pd.DataFrame:
    """Give rows that the tenant itself flags as removed the values of a removal."""
    if not feed.removed_flag or feed.removed_flag not in source:
        return frame
    removed = [_is_true(cell) for cell in source[feed.removed_flag]]
    for name, value in feed.removed_values.items():
        frame.loc[removed, name] = value
    return frame


def _duplicates(valid: pd.DataFrame, source: pd.DataFrame, feed: Feed) -> tuple[list[int], list[Problem]]:
    """Return the rows that repeat another one exactly, and those that share a key with a newer, different row."""
    shared = valid[valid.duplicated("_key", keep=False)]
    if shared.empty:
        return [], []
    repeated = shared.index[shared.duplicated(keep="first")].tolist()
    ages = source["last_enrollment" if "last_enrollment" in source else "updated_at"]
    older: list[Problem] = []
    for _, group in shared.drop(index=repeated).groupby("_key"):
        if len(group) > 1:
            newest = max(group.index, key=lambda row: (_moment(ages[row]), row))
            reason = f"row {newest} has the same key and is newer"
            older += [Problem(int(row), ", ".join(feed.key), reason) for row in group.index if row != newest]
    return repeated, older


def _to_frame(problems: Sequence[Problem]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": pd.Series([problem.row for problem in problems], dtype="int64"),
            "column": pd.Series([problem.column for problem in problems], dtype="str"),
            "reason": pd.Series([problem.reason for problem in problems], dtype="str"),
        }
    )


def _with_identity(found: pd.DataFrame, source: pd.DataFrame) -> pd.DataFrame:
    """Put the device's id and serial number beside each failure, so that a person can find it in Iru."""
    rows = source.loc[found["row"], list(_IDENTITY)]
    shown = {
        name: pd.Series([cell if isinstance(cell, str) else None for cell in rows[name]], dtype="str")
        for name in _IDENTITY
    }
    return pd.DataFrame({"row": found["row"], **shown, "column": found["column"], "reason": found["reason"]})


def _is_true(cell: object) -> bool:
    try:
        return not isinstance(cell, Unusable) and boolean(cell) == "true"
    except ValueError:
        return False


def _moment(cell: object) -> str:
    """Return a time in a form that sorts; what is no time is oldest."""
    try:
        return timestamp(cell) or "" if not isinstance(cell, Unusable) else ""
    except ValueError:
        return ""
