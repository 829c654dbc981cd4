"""The pandera models of source frames and staging frames, validated lazily: one run reports every bad row."""

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from include.inventory.cells import CLEARS, Unusable
from include.inventory.mapping import Column, Feed
from include.texts import is_text

_NOT_SCALAR = "is more than a cell can hold"
_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"


def source_model(frame: pd.DataFrame) -> pa.DataFrameSchema:
    """Return the model of a source frame: every field is null, a boolean, a finite number, or text for one cell.

    A column of the type text holds nothing else, as whoever read it has made sure.
    """
    scalar = pa.Check(lambda value: not isinstance(value, Unusable), element_wise=True, error=_NOT_SCALAR)
    kinds = {str(name): is_text(frame[name]) for name in frame}
    return pa.DataFrameSchema(
        {
            name: pa.Column("str", nullable=True) if text else pa.Column(object, scalar, nullable=True)
            for name, text in kinds.items()
        }
    )


def staging_model(feed: Feed) -> pa.DataFrameSchema:
    """Return the model of a staging frame: text only, what is required is there, nothing reads as an order to clear."""
    return pa.DataFrameSchema({column.name: _staging_column(column, feed) for column in feed.columns})


def failures(model: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what is wrong with a frame, as row (its index label), column and reason; empty when all is well."""
    try:
        model.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        reasons = [_reason(check, case) for check, case in zip(cases["check"], cases["failure_case"], strict=True)]
        return pd.DataFrame(
            {
                "row": cases["index"].astype("int64"),
                "column": cases["column"].astype("str"),
                "reason": pd.Series(reasons, index=cases.index, dtype="str"),
            }
        )
    return no_failures()


def no_failures() -> pd.DataFrame:
    """Return an empty frame of failures."""
    return pd.DataFrame(
        {"row": pd.Series(dtype="int64"), "column": pd.Series(dtype="str"), "reason": pd.Series(dtype="str")}
    )


def _reason(check: object, case: object) -> str:
    """Say in words what is wrong, without the value: a reason is counted, shown and logged."""
    if isinstance(case, Unusable):
        return f"is {case.kind}, which no cell can hold"
    return "is empty" if check == "not_nullable" else str(check)


def _staging_column(column: Column, feed: Feed) -> pa.Column:
    checks = [pa.Check(lambda cells: cells != CLEARS, error=f"reads {CLEARS}, which clears the field")]
    if column.type == "timestamp":
        checks.append(pa.Check.str_matches(_TIME, error="is not yyyy-MM-dd HH:mm:ss"))
    if column.type == "boolean":
        checks.append(pa.Check.isin(["true", "false"], error="is neither true nor false"))
    required = column.required or column.name in feed.key
    return pa.Column("str", checks, nullable=not required)
