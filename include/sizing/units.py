"""Figures as people read them: two or three digits and a unit."""

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def in_count(number: int) -> str:
    """Return a count with its thousands apart."""
    return f"{number:,}"


def in_hours(hours: float) -> str:
    """Return hours of a quota; small ones to the thousandth."""
    return f"{hours:.1f}" if hours >= 10 else f"{hours:.3f}".rstrip("0").rstrip(".") or "0"


def in_time(seconds: float) -> str:
    """Return a time in the unit that fits it."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{_digits(seconds / size)} {unit}"
    return f"{_digits(seconds)} s"


def in_bytes(size: float) -> str:
    """Return a size in the unit that fits it."""
    unit = 0
    while size >= 1000 and unit < len(_BYTE_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{_digits(size)} {_BYTE_UNITS[unit]}"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")
