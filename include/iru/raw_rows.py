"""A page of rows as it was received: rows are decoded only where somebody looks into them.

A row of Prism's apps has some fifty fields, of which a feed reads ten; a walk only counts rows and follows the cursor.
What msgspec refuses and Python's own reader takes (NaN, lone surrogates) is left to the latter.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

Row = dict[str, Any]


class RawRows(Sequence[Row]):
    """The objects of one JSON array, each still in its own spelling."""

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._rows = rows

    @property
    def encoded(self) -> bytes:
        """The rows as one JSON array."""
        return b"[" + b",".join(self._rows) + b"]"

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> Row: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Row]: ...
    def __getitem__(self, position: int | slice) -> Row | Sequence[Row]:
        if isinstance(position, slice):
            return RawRows(self._rows[position])
        row: Row = json.loads(self._rows[position])
        return row

    def __iter__(self) -> Iterator[Row]:
        return (self[position] for position in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a page is no key


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw]
    cursor: Any = None
    total: Any = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_OBJECT = ord("{")


def parse_envelope(body: bytes) -> Any:
    """Return Prism's envelope with its rows undecoded, or, where it has another form, the body's plain JSON value.

    Raises ValueError or RecursionError for what is no JSON.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec passes over what it does not decode, bad UTF-8 included
        envelope = _ENVELOPE.decode(body)
    except (ValueError, RecursionError):
        return json.loads(body)
    rows = list(map(bytes, envelope.data))
    if {row[0] for row in rows} - {_OBJECT}:
        return json.loads(body)
    return {"data": RawRows(rows), "cursor": envelope.cursor, "total": envelope.total}


def encode_rows(rows: Sequence[Row]) -> bytes:
    """Return rows as one JSON array, those of a ``RawRows`` as they were received."""
    if isinstance(rows, RawRows):
        return rows.encoded
    return json.dumps(list(rows)).encode()
