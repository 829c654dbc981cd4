"""When two spellings of a value are the same value."""

from datetime import UTC, datetime


def same_text(expected: str, found: str) -> bool:
    """Compare text exactly, apart from blanks around it."""
    return expected.strip() == found.strip()


def same_number(expected: str, found: str) -> bool:
    """Compare numbers by value, so that 245 is 245.0; two empty texts are the same."""
    if not expected or not found:
        return expected == found
    try:
        return float(expected) == float(found)
    except ValueError:
        return False


def same_moment(expected: str, found: str) -> bool:
    """Compare an ISO time of Iru with a ServiceNow time (UTC), by the second, or by the day where it holds a date."""
    if not expected or not found:
        return expected == found
    try:
        moment = datetime.fromisoformat(expected.replace(" +0000", "+00:00"))
    except ValueError:
        return False
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}".startswith(found)
