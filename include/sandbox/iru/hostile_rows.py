"""Records that hold what no reader expects, made out of good ones."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]
_TEXT_FIELDS = ("device_name", "name", "device__name")
_KEY_FIELDS = ("device_id", "serial_number", "bundle_id", "name", "path")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(.*)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _text(change: Callable[[str], Any]) -> Callable[[Record, str], Record]:
    """Return a change of one text, by default that of the record's name."""

    def apply(record: Record, field: str) -> Record:
        name = field or next(name for name in _TEXT_FIELDS if name in record)
        value = record.get(name)
        return record | {name: change("" if value is None else str(value))}

    return apply


def _values(change: Callable[[Any], Any]) -> Callable[[Record, str], Record]:
    """Return a change of every value, or of one field where it is named."""

    def apply(record: Record, field: str) -> Record:
        return {name: change(value) if field in ("", name) else value for name, value in record.items()}

    return apply


def _in_year(day: str) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        spelled = _TIME.fullmatch(value) if isinstance(value, str) else None
        return f"{day[:10]}{spelled[1]}{day[11:]}{spelled[2]}" if spelled else value

    return change


def _other_type(value: Any) -> Any:
    """Return numbers as text, and text that reads as a number as one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


_CHANGES: Mapping[str, Callable[[Record, str], Record]] = {
    "lone_surrogate": _text(lambda text: f"{text}\ud800"),
    "megabyte": _text(lambda text: (text or "x").ljust(1 << 20, "x")),
    "control_characters": _text(lambda text: f"{text}\x00\x01\x08\x1b[31m\r\n\t\x7f\x85"),
    "null_word": _text(lambda _text: "NULL"),
    "formula": _text(lambda text: f'=HYPERLINK("https://sandbox.invalid","{text}")'),
    "markup": _text(lambda text: f"<img src=x onerror=\"document.title='owned'\">{text}"),
    "rtl": _text(lambda text: f"\u202e\u05d0\u05d1\u05d2 {text} \u0627\u0628\u062c"),
    "nan_like": _text(lambda _text: "NaN"),
    "list_in_field": _text(lambda text: [text, text]),
    "object_in_field": _text(lambda text: {"value": text}),
    "numbers_as_strings": _values(_other_type),
    "year_1": _values(_in_year("0001-01-01 00:00:00")),
    "year_9999": _values(_in_year("9999-12-31 23:59:59")),
    "empty_serial": lambda record, _field: record | {"serial_number": ""},
}
HOSTILE = (*_CHANGES, "duplicate_key")


def make_hostile(record: Record, what: str, *, field: str, neighbour: Record) -> Record:
    """Return the record with ``what`` in it; ``duplicate_key`` takes the key of ``neighbour``.

    A device takes its serial number and stays a device of its own; an app becomes the same app on the same device.
    """
    if what != "duplicate_key":
        return _CHANGES[what](record, field)
    keys = _KEY_FIELDS if "bundle_id" in record else ("serial_number",)
    return record | {name: neighbour[name] for name in keys}
