"""Prism's ``filter``: a JSON object of response keys, each with operators, as SQL.

https://api-docs.kandji.io (Prism, Filters). ``like`` contains, whatever the case; ``in`` is exact.
"""

import json
from collections.abc import Callable
from typing import Any

from include.sandbox.iru.device_filters import Condition
from include.sandbox.iru.errors import bad_request
from include.sandbox.iru.prism_columns import Category, Column, Kind
from include.sandbox.iru.spelling import read_time, stored_time

_NOT_FILTERABLE = frozenset({"blueprint__id", "device__family"})
_COMPARISONS = {"lt": "<", "gt": ">", "lte": "<=", "gte": ">="}


def parse_filter(text: str) -> dict[str, Any]:
    """Return the filter of a query string; raise a 400 for what is not a JSON object."""
    if not text.strip():
        return {}
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise bad_request(f"Invalid filter: {error}") from error
    if not isinstance(parsed, dict):
        raise bad_request("Invalid filter: expected an object")
    return parsed


def filter_condition(category: Category, wanted: dict[str, Any]) -> Condition:
    """Return what the filter asks for; raise a 400 for unknown keys, operators and values."""
    parts = [_on_key(category, key, operators) for key, operators in wanted.items()]
    return join_conditions(parts)


def join_conditions(parts: list[Condition], *, by: str = " AND ") -> Condition:
    """Return all ``parts`` as one condition; no parts let everything pass."""
    sql = by.join(part.sql for part in parts)
    return Condition(f"({sql})" if parts else "1", tuple(value for part in parts for value in part.values))


def _on_key(category: Category, key: str, operators: Any) -> Condition:
    column = category.column(key)
    if column is None or key in _NOT_FILTERABLE:
        raise bad_request(f"Invalid filter key: {key}")
    if not isinstance(operators, dict) or not operators:
        raise bad_request(f"Invalid filter for {key}: expected an object of operators")
    return join_conditions([_operator(column, name, value) for name, value in operators.items()])


def _operator(column: Column, name: str, value: Any) -> Condition:
    if name == "or":
        if not isinstance(value, dict) or not value or "or" in value:
            raise bad_request(f"Invalid filter for {column.key}: or takes an object of operators")
        return join_conditions([_operator(column, *item) for item in value.items()], by=" OR ")
    if name in _COMPARISONS:
        return Condition(f"{column.sql} {_COMPARISONS[name]} ?", (_comparable(column, value),))
    if name not in _OPERATORS:
        raise bad_request(f"Invalid filter operator: {name}")
    return _OPERATORS[name](column, value)


def _equal(column: Column, value: Any) -> Condition:
    if not isinstance(value, bool | str | int | float):
        raise bad_request(f"Invalid filter for {column.key}: eq takes one value")
    return Condition(f"{column.sql} = ?", (int(value) if isinstance(value, bool) else value,))


def _in(column: Column, value: Any) -> Condition:
    values = _list(column, value)
    if column.kind is Kind.LIST:
        marks = ", ".join("?" * len(values))
        sql = f"EXISTS (SELECT 1 FROM json_each({column.sql}) WHERE value IN ({marks}))"  # noqa: S608 - own names
        return Condition(sql, values)
    return Condition(f"coalesce({column.sql} IN ({', '.join('?' * len(values))}), 0)", values)


def _like(column: Column, value: Any) -> Condition:
    values = _list(column, value)
    parts = [Condition(f"instr(lower(coalesce({column.sql}, '')), lower(?)) > 0", (one,)) for one in values]
    return join_conditions(parts, by=" OR ") if parts else Condition("0")


def _negated(operator: Callable[[Column, Any], Condition]) -> Callable[[Column, Any], Condition]:
    def negated(column: Column, value: Any) -> Condition:
        condition = operator(column, value)
        return Condition(f"NOT {condition.sql}", condition.values)

    return negated


_OPERATORS: dict[str, Callable[[Column, Any], Condition]] = {
    "eq": _equal,
    "in": _in,
    "not_in": _negated(_in),
    "like": _like,
    "not_like": _negated(_like),
}


def _list(column: Column, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
        raise bad_request(f"Invalid filter for {column.key}: expected a list of values")
    return tuple(value)


def _comparable(column: Column, value: Any) -> Any:
    try:
        if column.kind is Kind.NUMBER:
            return float(value)
        if column.kind is Kind.TIME and isinstance(value, str):
            return stored_time(read_time(value))
    except (TypeError, ValueError) as error:
        raise bad_request(f"Invalid filter for {column.key}: {value!r}") from error
    raise bad_request(f"Invalid filter for {column.key}: only dates and numbers compare")
