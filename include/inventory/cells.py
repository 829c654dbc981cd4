"""Turn one value of Iru's JSON into the text that an Import Set takes."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

_SPACE_BEFORE_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_WORDS = {"true": "true", "false": "false", "yes": "true", "no": "false", "1": "true", "0": "false"}

CLEARS = "NULL"
"""The text that makes a transform map empty a field (upper case only)."""

ESCAPED_NULL = "Null"
"""What a value that happens to read ``NULL`` is sent as, so that it does not empty the field."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands for a value that no cell can hold; says what it was, not what it said."""

    kind: str


def scalar(value: object) -> object:
    """Return null, a boolean, a finite number, or text that UTF-8 can write, as it is; else an ``Unusable``."""
    if isinstance(value, str):
        return value if value.isascii() or _encodable(value) else Unusable("text with lone surrogates")
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else Unusable("a number that is not finite")
    return Unusable("a list" if isinstance(value, list) else "an object")


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
        amount = float(value)
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
