"""Values as ServiceNow writes them, whatever it writes."""

_LONGEST_NUMBER = 18


def to_text(value: object) -> str:
    """Return a value as text that UTF-8 can write: a message may have been cut within an emoji."""
    return "" if value is None else str(value).encode("utf-8", "replace").decode()


def to_count(text: str) -> int:
    """Return a whole number, which display values write as 1,000; 0 for what is none."""
    digits = text.replace(",", "")
    return int(digits) if digits.isdecimal() and len(digits) <= _LONGEST_NUMBER else 0
