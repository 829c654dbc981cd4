"""Keep values within their staging columns: ServiceNow cuts longer ones without a word."""

from dataclasses import dataclass

import pandas as pd

from include.inventory.mapping import Feed
from include.servicenow.dictionary import StagingColumns
from include.texts import is_among, longest_bytes


@dataclass(frozen=True, slots=True)
class Fitted:
    """The rows that may be sent, and what was too long: row, key, column, length, limit, done (rejected or cut)."""

    to_send: pd.DataFrame
    too_long: pd.DataFrame

    @property
    def rejected_rows(self) -> int:
        """Rows of the source that were rejected for their length."""
        rejected = self.too_long[self.too_long["done"] == "rejected"]
        return int(rejected.loc[rejected["row"] >= 0, "key"].nunique())


def fit(feed: Feed, to_send: pd.DataFrame, columns: StagingColumns | None) -> Fitted:
    """Cut or reject every value that is longer than its staging column, as the mapping says.

    ``columns`` is None where the dictionary may not be read: then nothing is known and nothing is done.
    """
    found = [
        _too_long(to_send, column.name, limit, "cut" if column.too_long == "cut" else "rejected")
        for column in feed.columns
        if columns and column.name in columns and (limit := columns[column.name].max_length)
        if longest_bytes(to_send[column.name]) > limit  # a character has a byte at least
    ]
    too_long = pd.concat([_nothing(), *found], ignore_index=True)
    rejected = set(too_long.loc[too_long["done"] == "rejected", "key"])
    kept = to_send[~is_among(to_send["_key"], rejected)].reset_index(drop=True)
    for name, limit in too_long.loc[too_long["done"] == "cut", ["column", "limit"]].drop_duplicates().values.tolist():
        kept[name] = kept[name].str.slice(0, limit)
    return Fitted(kept, too_long)


def _too_long(to_send: pd.DataFrame, column: str, limit: int, done: str) -> pd.DataFrame:
    lengths = to_send[column].str.len()
    rows = to_send[lengths > limit]
    return pd.DataFrame(
        {
            "row": rows["_row"],
            "key": rows["_key"],
            "column": column,
            "length": lengths[rows.index].astype("int64"),
            "limit": limit,
            "done": done,
        }
    ).astype({"column": "str", "done": "str"})


def _nothing() -> pd.DataFrame:
    kinds = {"row": "int64", "key": "str", "column": "str", "length": "int64", "limit": "int64", "done": "str"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
