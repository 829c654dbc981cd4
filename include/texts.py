"""Columns of text, worked on as a whole: a value that occurs often is converted once.

A staging frame's columns have few different values (names, versions, publishers), so that converting each distinct one
costs little, and everything else is done by Arrow.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_STR = pd.StringDtype("pyarrow", na_value=np.nan)
_ARROW = pa.large_string()
_NOTHING, _COMMA, _OPEN, _CLOSE, _BEGIN, _END = (pa.scalar(sign, type=_ARROW) for sign in ("", ",", "{", "}", "[", "]"))


def to_arrow(texts: pd.Series) -> pa.LargeStringArray:
    """Return a text column as one Arrow array."""
    found = pa.array(texts, type=_ARROW, from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def to_series(texts: pa.Array, index: pd.Index | None = None) -> pd.Series:
    """Return an Arrow array of texts as a column of a frame."""
    column: Any = _STR
    return pd.Series(column.__from_arrow__(texts.cast(_ARROW)), index=index)  # pandas' own way in from Arrow


def text_series(values: Sequence[str | None], index: pd.Index | None = None) -> pd.Series:
    """Return texts and nulls as a column of a frame."""
    return to_series(pa.array(values, type=_ARROW), index)


def constant_series(value: str, index: pd.Index) -> pd.Series:
    """Return a column that holds one text in every row."""
    return to_series(pa.repeat(pa.scalar(value, type=_ARROW), len(index)), index)


def is_text(column: pd.Series) -> bool:
    """Say whether a column holds texts and nulls only, by its type."""
    return isinstance(column.dtype, pd.StringDtype)


def values_of(texts: pd.Series) -> list[Any]:
    """Return the texts of a column, None for null; much faster than going through the column itself."""
    found: list[Any] = to_arrow(texts).to_pylist()
    return found


def is_among(texts: pd.Series, values: Collection[str]) -> pd.Series:
    """Say which texts are among many values: a set or a dict; pandas' own ``isin`` takes 10 µs a value."""
    if not values:
        return pd.Series(False, index=texts.index, dtype="bool")
    return pd.Series([text in values for text in values_of(texts)], index=texts.index, dtype="bool")


def longest_bytes(texts: pd.Series) -> int:
    """Return the UTF-8 length of the longest text of a column; 0 where there is none."""
    return int(pc.max(pc.binary_length(to_arrow(texts))).as_py() or 0)


def each_distinct(texts: pd.Series, convert: Callable[[str], str | None]) -> tuple[pd.Series, Mapping[str, np.ndarray]]:
    """Convert every distinct text once; return the column, and the positions of rows that ``convert`` refused.

    A refusal is a ValueError; its row becomes null, and its words lead to the positions. Nulls stay null.
    """
    coded = to_arrow(texts).dictionary_encode()
    found: list[str | None] = []
    refused: dict[str, list[int]] = {}
    for code, value in enumerate(coded.dictionary.to_pylist()):
        try:
            found.append(convert(value))
        except ValueError as error:
            found.append(None)
            refused.setdefault(str(error), []).append(code)
    values = pa.array(found, type=_ARROW).take(coded.indices)
    codes: Any = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False) if refused else ()
    where = {words: np.flatnonzero(np.isin(codes, bad)) for words, bad in refused.items()}
    return to_series(values, texts.index), where


def json_rows(frame: pd.DataFrame, names: Mapping[str, str]) -> pa.LargeStringArray:
    """Return each row as a JSON object in ASCII, its null cells left out.

    ``names`` gives the key of each column, in the order in which they are spelled.
    """
    pieces = [_spelled(frame[column], f"{encode_basestring_ascii(name)}:") for column, name in names.items()]
    joined = pc.binary_join_element_wise(*pieces, _COMMA, null_handling="skip")
    return pc.binary_join_element_wise(_OPEN, joined, _CLOSE, _NOTHING)


def json_lists(columns: Sequence[pd.Series]) -> pa.LargeStringArray:
    """Return each row as a JSON list of texts in ASCII; a null cell is an empty text."""
    pieces = [_spelled(column, "").fill_null('""') for column in columns]
    joined = pc.binary_join_element_wise(*pieces, _COMMA)
    return pc.binary_join_element_wise(_BEGIN, joined, _END, _NOTHING)


def digests(texts: pa.Array) -> list[str]:
    """Return 32 hex digits (128 bit) for each text."""
    return [blake2b(text.encode(), digest_size=16).hexdigest() for text in texts.to_pylist()]


def _spelled(texts: pd.Series, before: str) -> pa.LargeStringArray:
    coded = to_arrow(texts).dictionary_encode()
    spelled = [before + encode_basestring_ascii(text) for text in coded.dictionary.to_pylist()]
    return pa.array(spelled, type=_ARROW).take(coded.indices)
