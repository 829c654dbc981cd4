"""Encoded queries as SQL over the sandbox's tables: dot-walking, empty values, and parts that are ignored.

Source: ServiceNow, "REST API: Table API" (invalid parts of a query are ignored unless
``glide.invalid_query.returns_no_rows``), "Operators available for filters and queries".
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

from include.sandbox.servicenow.encoded_query import Condition, EncodedQuery, Order, parse
from include.sandbox.servicenow.javascript_values import evaluate
from include.sandbox.servicenow.schema import Column, Schema, Table
from include.sandbox.servicenow.store import quote

_COMPARISONS = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_JOIN = re.compile(r"\w+\.(?P<field>\w+)=(?P<other>\w+)\.(?P<other_field>\w+)!(?P<query>.*)", re.DOTALL)
_RELATED = re.compile(
    r"(?P<table>\w+)\.(?P<field>\w+),(?P<sign>>=|<=|!=|=|>|<)(?P<count>\d+)(,m2m)?(\^(?P<query>.*))?", re.DOTALL
)
_PATTERNS = {"LIKE": "%{}%", "NOT LIKE": "%{}%", "STARTSWITH": "{}%", "ENDSWITH": "%{}"}


@dataclass(frozen=True, slots=True)
class Walked:
    """Where a dotted name ends: SQL for its value, and its dictionary entry."""

    sql: str
    column: Column


class UnknownFieldError(Exception):
    """A name that is no column of its table."""


@dataclass(slots=True)
class Select:
    """One SELECT over a table in the making: joins for dot-walks, conditions, parameters."""

    schema: Schema
    table: Table
    now: datetime
    joins: list[str] = field(default_factory=list)
    where: str = "1"
    parameters: list[str] = field(default_factory=list)
    order: str = ""
    groups: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """What the query said that made no sense, and was left out."""
    _aliases: dict[str, tuple[str, Table]] = field(default_factory=dict)

    def sql(self, what: str, *, tail: str = "") -> str:
        """Return the statement that selects ``what``."""
        joins = " ".join(self.joins)
        return f"SELECT {what} FROM {quote(self.table.name)} AS t {joins} WHERE {self.where} {tail}"  # noqa: S608 - names from the schema, values bound

    def walk(self, dotted: str) -> Walked:
        """Return the column that a name leads to, joining referenced tables on the way."""
        alias, table = "t", self.table
        *references, last = dotted.split(".")
        for depth, name in enumerate(references, 1):
            alias, table = self._join(".".join(references[:depth]), alias, table, name)
        column = table.columns.get(last)
        if column is None:
            raise UnknownFieldError(dotted)
        sql = f"{alias}.{quote(last)}"
        return Walked(f"COALESCE({sql}, '') COLLATE NOCASE" if references else sql, column)

    def _join(self, path: str, alias: str, table: Table, name: str) -> tuple[str, Table]:
        if path not in self._aliases:
            column = table.columns.get(name)
            referenced = self.schema.find(column.reference) if column and column.reference else None
            if referenced is None:
                raise UnknownFieldError(path)
            joined = f"j{len(self._aliases)}"
            self.joins.append(
                f"LEFT JOIN {quote(referenced.name)} AS {joined} ON {joined}.sys_id = {alias}.{quote(name)}"
            )
            self._aliases[path] = (joined, referenced)
        return self._aliases[path]


def select(
    schema: Schema, table: Table, query: EncodedQuery, *, now: datetime, invalid_returns_nothing: bool = False
) -> Select:
    """Return a SELECT for an encoded query."""
    made = Select(schema, table, now, ignored=list(query.invalid))
    alternatives = []
    for ands in query.sets:
        terms = [term for ors in ands if (term := _any(made, ors))]
        if terms or not ands:
            alternatives.append(_joined(terms, "AND") if terms else "1")
    if alternatives:
        made.where = _joined(alternatives, "OR")
    made.order = _order(made, query.orders)
    for name in query.groups:
        _group(made, name)
    if made.ignored and invalid_returns_nothing:
        made.where, made.parameters = "0", []
    return made


def _any(made: Select, ors: tuple[Condition, ...]) -> str:
    terms = []
    for condition in ors:
        try:
            terms.append(_term(made, condition))
        except UnknownFieldError as error:
            made.ignored.append(str(error))
    return _joined(terms, "OR") if terms else ""


def _joined(terms: list[str], word: str) -> str:
    """Join terms as a balanced tree, because SQLite limits how deep an expression may be."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return f"({_joined(terms[:middle], word)} {word} {_joined(terms[middle:], word)})"


def _term(made: Select, condition: Condition) -> str:
    if condition.operator == "JOIN":
        return _join_term(made, condition.value)
    if condition.operator == "RLQUERY":
        return _related_term(made, condition.value)
    found = made.walk(condition.field)
    sql, column, operator = found.sql, found.column, condition.operator
    if operator in ("ISEMPTY", "ISNOTEMPTY"):
        return f"{sql} {'=' if operator == 'ISEMPTY' else '<>'} ''"
    if operator == "ANYTHING":
        return "1"
    if operator in ("SAMEAS", "NSAMEAS"):
        other = made.walk(condition.value)
        return f"{sql} {'=' if operator == 'SAMEAS' else '<>'} {other.sql}"
    value = evaluate(condition.value, made.now)
    if value is None:
        raise UnknownFieldError(condition.value)
    if operator in _PATTERNS:
        return _pattern(made, sql, operator, value)
    if operator in ("IN", "NOT IN", "INSTANCEOF"):
        values = [_stored(column, part) for part in value.split(",")]
        made.parameters += values
        return f"{sql} {'NOT IN' if operator == 'NOT IN' else 'IN'} ({', '.join('?' * len(values))})"
    return _compare(made, found, operator, value)


def _join_term(made: Select, text: str) -> str:
    """Return SQL for ``JOINtable.field=other.field!query``: records that a matching record of another table names."""
    match = _JOIN.fullmatch(text)
    other = made.schema.find(match["other"]) if match else None
    if match is None or other is None:
        raise UnknownFieldError(text)
    inner = select(made.schema, other, parse(match["query"]), now=made.now)
    wanted, own = inner.walk(match["other_field"]).sql, made.walk(match["field"]).sql
    made.parameters += inner.parameters
    return f"{own} IN ({inner.sql(wanted)})"


def _related_term(made: Select, text: str) -> str:
    """Return SQL for ``RLQUERYtable.field,>0[,m2m][^query]``: a condition on how many records refer to this one."""
    match = _RELATED.fullmatch(text)
    other = made.schema.find(match["table"]) if match else None
    if match is None or other is None or match["field"] not in other.columns:
        raise UnknownFieldError(text)
    inner = select(made.schema, other, parse(match["query"] or ""), now=made.now)
    made.parameters += [*inner.parameters, match["count"]]
    refers = f"r.{quote(match['field'])} = t.sys_id AND r.sys_id IN ({inner.sql('t.sys_id')})"
    return f"(SELECT count(*) FROM {quote(other.name)} AS r WHERE {refers}) {match['sign']} CAST(? AS INTEGER)"  # noqa: S608 - names from the schema


def _compare(made: Select, found: Walked, operator: str, value: str) -> str:
    sql, column = found.sql, found.column
    if operator == "BETWEEN":
        low, at, high = value.partition("@")
        if not at:
            raise UnknownFieldError(f"{column.name}BETWEEN{value}")
        return f"({_compare(made, found, '>=', low)} AND {_compare(made, found, '<=', high)})"
    if operator not in _COMPARISONS:
        raise UnknownFieldError(operator)
    made.parameters.append(_stored(column, value))
    if operator in ("=", "!="):
        return f"{sql} {_COMPARISONS[operator]} ?"
    if column.is_number:
        return f"({sql} <> '' AND CAST({sql} AS REAL) {operator} CAST(? AS REAL))"
    return f"({sql} <> '' AND {sql} {operator} ?)"


def _pattern(made: Select, sql: str, operator: str, value: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    made.parameters.append(_PATTERNS[operator].format(escaped))
    return f"{sql} {'NOT ' if operator == 'NOT LIKE' else ''}LIKE ? ESCAPE '\\'"


def _stored(column: Column, value: str) -> str:
    if column.type == "boolean":
        return {"1": "true", "0": "false"}.get(value, value)
    return "" if value == "NULL" else value


def _order(made: Select, orders: tuple[Order, ...]) -> str:
    terms = []
    for order in orders:
        try:
            found = made.walk(order.field)
        except UnknownFieldError as error:
            made.ignored.append(str(error))
            continue
        sql = f"CAST({found.sql} AS REAL)" if found.column.is_number else found.sql
        terms.append(f"{sql}{' DESC' if order.descending else ''}")
    return f"ORDER BY {', '.join(terms)}" if terms else ""


def _group(made: Select, name: str) -> None:
    try:
        made.walk(name)
    except UnknownFieldError as error:
        made.ignored.append(str(error))
    else:
        made.groups.append(name)
