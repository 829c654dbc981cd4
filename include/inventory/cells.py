"""Turn one value of Iru's JSON into the text that an Import Set takes."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

_SPACE_BEFORE_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_WORDS = {"true": "true", "false": "false", "yes": "true", "no": "false", "1": "true", "0": "false"}

CLEARS = "NULL"
"""The text that makes a transform map empty a field (upper case only)."""

ESCAPED_NULL = "Null"
"""What a value that happens to read ``NULL`` is sent as, so that it does not empty the field."""

MAX_CHARACTERS = 65_535
"""What a cell may hold: no text column of ServiceNow takes more, and a megabyte in a name is no name."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands for a value that no cell can hold; ``kind`` says what it was, not what it said.

    ``digest`` stands for a text's content, so that a row is still known by it; "" for anything but text.
    """

    kind: str
    digest: str = field(default="", repr=False)


def scalar(value: object) -> object:
    """Return null, a boolean, a finite number, or text that a cell can hold, as it is; else an ``Unusable``.

    A cell holds what XML 1.0 can spell ("Char"), which ServiceNow exchanges and exports records in: not NUL and other
    control characters but tab, line feed and carriage return, and no lone surrogates.
    """
    if isinstance(value, str):
        return _usable_text(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else Unusable("a number that is not finite")
    return Unusable("a list" if isinstance(value, list) else "an object")


def _usable_text(value: str) -> object:
    if len(value) > MAX_CHARACTERS:
        return Unusable(f"text of {len(value)} characters", digest([value]))
    if value.isprintable():  # most are, and it is told in one step
        return value
    if not _encodable(value):
        return Unusable("text with lone surrogates", digest([value]))
    return Unusable("text with control characters", digest([value])) if _NOT_XML.search(value) else value


def text(value: object) -> str | None:
    """Return a scalar as text; null, "" and white space alone are all "no value"."""
    if value is None or isinstance(value, str):
        return escape(value) if value and value.strip() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value)


def escape(value: str) -> str:
    """Return text that ServiceNow takes literally."""
    return ESCAPED_NULL if value == CLEARS else value


def number(value: object) -> str | None:
    """Return a number without a needless ``.0``; ValueError for text that is no number."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a float would lose digits, or overflow
    if not isinstance(value, (float, str)):
        raise ValueError("is not a number")
    try:
        amount = float("_" if isinstance(value, str) and "_" in value else value)  # Python's own 1_000 is no number
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(amount):
        raise ValueError("is not a finite number")
    return str(int(amount)) if amount.is_integer() else repr(amount)


def boolean(value: object) -> str | None:
    """Return ``true`` or ``false``: upper-case words would transform to false. ValueError for anything else."""
    words = text(value)
    if words is None:
        return None
    if words.lower() not in _WORDS:
        raise ValueError("is neither true nor false")
    return _WORDS[words.lower()]


def timestamp(value: object) -> str | None:
    """Return a time as ``yyyy-MM-dd HH:mm:ss`` in UTC; Iru spells times in four ways, some with a space.

    ValueError for text that is no time or whose UTC is outside the years 1 to 9999.
    """
    words = text(value)
    if words is None:
        return None
    try:
        moment = datetime.fromisoformat(_SPACE_BEFORE_OFFSET.sub("", words.strip()))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("is not a time") from error
    return moment.strftime("%Y-%m-%d %H:%M:%S").zfill(19)


def digest(parts: Sequence[str | None]) -> str:
    """Return 32 hex digits (128 bit) that stand for the parts, in lower case: ServiceNow matches keys without case."""
    return blake2b(canonical([part or "" for part in parts]), digest_size=16).hexdigest()


def canonical(value: object) -> bytes:
    """Return one and the same bytes for the same value, on any version of any library."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def _encodable(value: str) -> bool:
    """Lone surrogates, which JSON can spell, are in no encoding."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
