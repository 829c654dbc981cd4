"""One staging value into what a target column stores.

Source: ServiceNow, "Import set properties" (``glide.transform.boolean.casesensitive``), "Create a field map" (date
format), "Import sets key concepts".
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from include.sandbox.servicenow.schema import Column

_JAVA_TO_PYTHON = (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("hh", "%I"), ("mm", "%M"), ("ss", "%S"))
_STORED_FORMAT = "yyyy-MM-dd HH:mm:ss"
_STORED_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class FieldValue:
    """What a field map gives: a value, or None where the target keeps what it has; ``comment`` says why."""

    value: str | None
    comment: str = ""
    reject_code: int = 0
    """The row error code where the whole row is refused; 0 otherwise."""


def convert(text: str, column: Column, *, date_format: str, case_sensitive_boolean: bool) -> FieldValue:
    """Return the stored form of ``text``; what cannot be read as the column's type is dropped with a comment."""
    if column.type == "boolean":
        return FieldValue(_boolean(text, case_sensitive=case_sensitive_boolean))
    if column.type == "glide_date_time":
        return _time(text, column, date_format)
    if column.is_number:
        return _number(text, column)
    return FieldValue(text[: column.max_length])


def _boolean(text: str, *, case_sensitive: bool) -> str:
    word = text.strip() if case_sensitive else text.strip().lower()
    return "true" if word in ("true", "1", "yes") else "false"


def _time(text: str, column: Column, date_format: str) -> FieldValue:
    try:
        if date_format == _STORED_FORMAT and _STORED_TIME.fullmatch(text):
            datetime.fromisoformat(text)  # the same question as strptime's, asked faster
            return FieldValue(text)
        moment = datetime.strptime(text, _python_format(date_format))
    except ValueError:
        return FieldValue(None, f"Unable to parse {column.name}: {text!r} does not match {date_format}")
    return FieldValue(text if _STORED_TIME.fullmatch(text) else moment.strftime("%Y-%m-%d %H:%M:%S"))


def _number(text: str, column: Column) -> FieldValue:
    plain = text.replace(",", "").strip()
    try:
        number = float(plain)
    except ValueError:
        return FieldValue(None, f"Unable to format {text!r} as {column.type} for {column.name}")
    return FieldValue(str(int(number)) if column.type in ("integer", "longint") else plain)


@lru_cache
def _python_format(java: str) -> str:
    for theirs, ours in _JAVA_TO_PYTHON:
        java = java.replace(theirs, ours)
    return java
