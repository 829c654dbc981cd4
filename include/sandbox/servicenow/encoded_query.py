"""Encoded queries, the language of ``sysparm_query``: text into conditions, without knowing the tables.

Source: ServiceNow, "Encoded query strings", "Operators available for filters and queries".
"""

import re
from dataclasses import dataclass, field

_OPERATORS = (
    "VALCHANGES", "ANYTHING", "ISNOTEMPTY", "ISEMPTY", "EMPTYSTRING", "STARTSWITH", "ENDSWITH", "DOES NOT CONTAIN",
    "CONTAINS", "NOT LIKE", "NOTLIKE", "NOT IN", "NOTIN", "NSAMEAS", "SAMEAS", "BETWEEN", "LIKE", "INSTANCEOF", "IN",
    ">=", "<=", "!=", "!*", "=", ">", "<", "*",
)  # fmt: skip
_CONDITION = re.compile(
    r"(?P<field>[a-z0-9_.]+)(?P<operator>" + "|".join(map(re.escape, _OPERATORS)) + r")(?P<value>.*)", re.DOTALL
)
_SAME = {"NOTLIKE": "NOT LIKE", "DOES NOT CONTAIN": "NOT LIKE", "!*": "NOT LIKE", "CONTAINS": "LIKE", "*": "LIKE",
         "NOTIN": "NOT IN", "EMPTYSTRING": "ISEMPTY"}  # fmt: skip
# ``JOIN`` has no end of its own: it takes everything but the sorting, which clients append.
_JOIN = re.compile(r"\^?JOIN(\w+\.\w+=\w+\.\w+!.*?)(?=\^ORDERBY|\^JOIN|\^RLQUERY|$)", re.DOTALL)
_RELATED = re.compile(r"\^?RLQUERY(.*?)\^ENDRLQUERY", re.DOTALL)
_SEPARATOR = re.compile(r"(?<!\^)\^(?!\^)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; ``field`` may walk references with dots."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Order:
    """One column to sort by."""

    field: str
    descending: bool


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """Sets joined by OR; each is joined by AND, of conditions joined by OR. ``invalid`` keeps what made no sense."""

    sets: tuple[tuple[tuple[Condition, ...], ...], ...] = ()
    orders: tuple[Order, ...] = ()
    groups: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    sets: list[list[list[Condition]]] = field(default_factory=lambda: [[]])
    orders: list[Order] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def parse(text: str) -> EncodedQuery:
    """Return the conditions of an encoded query; what cannot be read goes to ``invalid``."""
    reading = _Reading()
    text, joined = _take(_JOIN, text)
    text, related = _take(_RELATED, text)
    reading.sets[0] += [[Condition("", "JOIN", each)] for each in joined]
    reading.sets[0] += [[Condition("", "RLQUERY", each)] for each in related]
    for term in _SEPARATOR.split(text):
        _read_term(reading, term)
    sets = tuple(tuple(tuple(ors) for ors in ands) for ands in reading.sets)
    return EncodedQuery(sets, tuple(reading.orders), tuple(reading.groups), tuple(reading.invalid))


def _take(pattern: re.Pattern[str], text: str) -> tuple[str, list[str]]:
    """Take the parts that hold a query of their own out of a query."""
    found = [match[1] for match in pattern.finditer(text)]
    return pattern.sub("", text), found


def _read_term(reading: _Reading, term: str) -> None:
    if not term or term == "EQ":
        return
    if term.startswith("ORDERBYDESC"):
        reading.orders.append(Order(term.removeprefix("ORDERBYDESC"), descending=True))
    elif term.startswith("ORDERBY"):
        reading.orders.append(Order(term.removeprefix("ORDERBY"), descending=False))
    elif term.startswith("GROUPBY"):
        reading.groups.append(term.removeprefix("GROUPBY"))
    elif term.startswith("NQ"):
        reading.sets.append([])
        _read_term(reading, term.removeprefix("NQ"))
    else:
        _read_condition(reading, term)


def _read_condition(reading: _Reading, term: str) -> None:
    is_or = term.startswith("OR")
    match = _CONDITION.fullmatch(term.removeprefix("OR") if is_or else term)
    if match is None:
        reading.invalid.append(term)
        return
    operator = _SAME.get(match["operator"], match["operator"])
    condition = Condition(match["field"], operator, match["value"].replace("^^", "^"))
    ands = reading.sets[-1]
    if is_or and ands:
        ands[-1].append(condition)
    else:
        ands.append([condition])
