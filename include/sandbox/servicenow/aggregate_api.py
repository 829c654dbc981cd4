"""The Aggregate API: counts and sums, by group.

Source: ServiceNow, "Aggregate API" (GET /now/stats/{tableName}); numbers come as text, averages with four decimals.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from include.sandbox.servicenow.auth import User
from include.sandbox.servicenow.display import Display, DisplayMode, Shown
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.query_sql import Select, UnknownFieldError
from include.sandbox.servicenow.roles import readable_table
from include.sandbox.servicenow.table_query import make_select

router = APIRouter()
_FUNCTIONS = ("avg", "min", "max", "sum")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Measure:
    """One aggregate: the function's name ('' counts rows), its field, and its SQL."""

    function: str
    field: str
    sql: str


@router.get("/stats/{table}")
def stats(request: Request, instance: InstanceOf, _user: User, table: str) -> Response:
    """Return aggregates of the records that match; a list of groups where a group is asked for."""
    given = request.query_params
    made = make_select(instance, readable_table(instance, table), given.get("sysparm_query", ""))
    groups = [shown for name in (*_names(given, "sysparm_group_by"), *made.groups) if (shown := _shown(made, name))]
    measures = _measures(made, given)
    by = ", ".join(made.walk(group.name).sql for group in groups)
    selected = [*(made.walk(group.name).sql for group in groups), *(measure.sql for measure in measures)]
    tail = f"GROUP BY {by} ORDER BY {by}" if groups else ""
    rows = [
        tuple(row) for row in instance.database.rows(made.sql(", ".join(selected) or "1", tail=tail), made.parameters)
    ]
    answers = [_stats(measures, row[len(groups) :]) for row in rows]
    if not groups:
        return SnowJson({"result": {"stats": answers[0]}})
    labels = _group_labels(request, instance, table, groups, rows)
    answer = [
        {"stats": measured, "groupby_fields": named}
        for measured, named in zip(answers, labels, strict=True)
        if _passes(measured, given.get("sysparm_having", ""))
    ]
    return SnowJson({"result": answer})


def _names(given: QueryParams, parameter: str) -> list[str]:
    return [name for part in given.get(parameter, "").split(",") if (name := part.strip())]


def _shown(made: Select, name: str) -> Shown | None:
    try:
        return Shown(name, made.walk(name).column)
    except UnknownFieldError:
        return None


def _measures(made: Select, given: QueryParams) -> list[_Measure]:
    measures = [_Measure("", "", "count(*)")] if given.get("sysparm_count", "").lower() == "true" else []
    for function in _FUNCTIONS:
        for name in _names(given, f"sysparm_{function}_fields"):
            shown = _shown(made, name)
            if shown is None:
                continue
            sql = made.walk(name).sql
            value = f"CAST(NULLIF({sql}, '') AS REAL)" if shown.column.is_number or function in ("avg", "sum") else sql
            measures.append(_Measure(function, name, f"{function}({value})"))
    return measures


def _stats(measures: Sequence[_Measure], values: Sequence[Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for measure, value in zip(measures, values, strict=False):
        if not measure.function:
            answer["count"] = str(value)
        else:
            answer.setdefault(measure.function, {})[measure.field] = _number(measure.function, value)
    return answer


def _number(function: str, value: Any) -> str:
    if value is None:
        return ""
    if function == "avg":
        return f"{value:.4f}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.15g}"
    return str(value)


def _group_labels(
    request: Request, instance: Instance, table: str, groups: Sequence[Shown], rows: Sequence[tuple[Any, ...]]
) -> list[list[dict[str, str]]]:
    wanted = request.query_params.get("sysparm_display_value", "false").lower()
    mode: DisplayMode = "all" if wanted == "all" else "true" if wanted == "true" else "false"
    display = Display(instance.store, mode, False, str(request.base_url))
    records = [{group.name: row[at] for at, group in enumerate(groups)} for row in rows]
    shown = display.show(table, groups, records)
    return [[_label(group.name, record[group.name]) for group in groups] for record in shown]


def _label(name: str, cell: Any) -> dict[str, str]:
    return {**cell, "field": name} if isinstance(cell, dict) else {"value": cell, "field": name}


def _passes(measured: dict[str, Any], having: str) -> bool:
    """Say whether a group meets ``aggregate^field^operator^value``; what cannot be read is ignored."""
    for condition in filter(None, having.split(",")):
        parts = condition.split("^")
        if len(parts) != 4 or parts[2] not in _COMPARE:
            continue
        aggregate, name, sign, limit = parts
        value = measured.get("count") if aggregate == "count" else measured.get(aggregate, {}).get(name)
        if not value or not _COMPARE[sign](float(value), float(limit)):
            return False
    return True
