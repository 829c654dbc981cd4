"""Reading a table as ``sysparm_*`` parameters ask.

Source: ServiceNow, "Table API" (query parameters, pagination headers).
"""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from include.sandbox.servicenow.display import Display, DisplayMode, Shown
from include.sandbox.servicenow.encoded_query import parse
from include.sandbox.servicenow.errors import ApiError
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.query_sql import Select, UnknownFieldError, select
from include.sandbox.servicenow.schema import Table

DEFAULT_LIMIT = 10_000
_MOST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class TableParameters:
    """The parameters of a read, with ServiceNow's defaults."""

    query: str = ""
    fields: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    display: DisplayMode = "false"
    links: bool = True
    count: bool = True
    pagination: bool = True
    input_display: bool = False


def read_parameters(request: Request) -> TableParameters:
    """Return the parameters of a request; unknown ones are tolerated."""
    given = request.query_params
    # Any other parameter that names a column is a condition as well (``?active=true``).
    plain = [f"{name}={value}" for name, value in given.items() if not name.startswith("sysparm_")]
    query = "^".join(part for part in [given.get("sysparm_query", ""), *plain] if part)
    display = given.get("sysparm_display_value", "false").lower()
    return TableParameters(
        query=query,
        fields=tuple(name for part in given.get("sysparm_fields", "").split(",") if (name := part.strip())),
        limit=_whole_number(given.get("sysparm_limit"), DEFAULT_LIMIT),
        offset=_whole_number(given.get("sysparm_offset"), 0),
        display="all" if display == "all" else "true" if display == "true" else "false",
        links=given.get("sysparm_exclude_reference_link", "").lower() != "true",
        count=given.get("sysparm_no_count", "").lower() != "true",
        pagination=given.get("sysparm_suppress_pagination_header", "").lower() != "true",
        input_display=given.get("sysparm_input_display_value", "").lower() == "true",
    )


def _whole_number(text: str | None, default: int) -> int:
    if not text:
        return default
    if not text.isdigit():
        raise ApiError(400, "Invalid limit or offset", f"{text} is not a whole number of 0 or more")
    return min(int(text), _MOST)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows ready for JSON; ``total`` is None where nobody asked."""

    rows: list[dict[str, Any]]
    total: int | None


def read_page(instance: Instance, table: Table, wanted: TableParameters, base_url: str) -> Page:
    """Return one page of a table."""
    made = make_select(instance, table, wanted.query)
    total = None
    if wanted.count:
        total = int(instance.database.rows(made.sql("count(*)"), made.parameters)[0][0])
    columns, selected = _columns(made, wanted.fields)
    beside = [Shown(name, made.walk(name).column) for column in columns if (name := column.table_name)]
    selected += [made.walk(each.name).sql for each in beside]
    order = made.order or ("" if table.abstract else "ORDER BY t.rowid")
    tail = f"{order} LIMIT {wanted.limit} OFFSET {wanted.offset}"
    sql = made.sql(", ".join(selected), tail=tail)
    names = [c.name for c in (*columns, *beside)]
    rows = [dict(zip(names, row, strict=True)) for row in _read(instance, sql, made, columns)]
    if table.name == "sys_import_set_run":
        instance.run_lag.show(rows, _tables_of_ended_runs(instance, made, tail))
    display = Display(instance.store, wanted.display, wanted.links, base_url)
    return Page(display.show(table.name, columns, rows), total)


def read_one(
    instance: Instance, table: Table, sys_id: str, wanted: TableParameters, base_url: str
) -> dict[str, Any] | None:
    """Return one record, or None."""
    by_id = replace(wanted, query=f"sys_id={sys_id.replace('^', '^^')}", limit=1, offset=0, count=False)
    rows = read_page(instance, table, by_id, base_url).rows
    return rows[0] if rows else None


def make_select(instance: Instance, table: Table, query: str) -> Select:
    """Return the SELECT of an encoded query over a table."""
    return select(
        instance.schema,
        table,
        parse(query),
        now=instance.clock.now(),
        invalid_returns_nothing=instance.settings.invalid_query_returns_no_rows,
    )


def pagination_headers(url: str, params: list[tuple[str, str]], wanted: TableParameters, total: int) -> dict[str, str]:
    """Return ``Link`` with the relations that exist."""
    step = wanted.limit or 1
    last = max(0, (total - 1) // step * step)
    offsets = {"first": 0}
    if wanted.offset > 0:
        offsets["prev"] = max(0, wanted.offset - step)
    if wanted.offset + step < total:
        offsets["next"] = wanted.offset + step
    offsets["last"] = last
    others = [(name, value) for name, value in params if name not in ("sysparm_offset", "sysparm_limit")]
    links = []
    for relation, offset in offsets.items():
        query = urlencode([*others, ("sysparm_limit", str(wanted.limit)), ("sysparm_offset", str(offset))])
        links.append(f'<{url}?{query}>;rel="{relation}"')
    return {"Link": ",".join(links)}


def _columns(made: Select, names: tuple[str, ...]) -> tuple[list[Shown], list[str]]:
    """Return what to show and the SQL for it; names that are no columns are ignored."""
    shown, selected = [], []
    for name in dict.fromkeys(names or made.table.columns):
        try:
            found = made.walk(name)
        except UnknownFieldError:
            continue
        shown.append(Shown(name, found.column))
        selected.append(found.sql)
    return shown, selected or ["''"]


def _tables_of_ended_runs(instance: Instance, made: Select, tail: str) -> list[str]:
    """Return each shown run's staging table, empty where the run has not ended."""
    tables = []
    for set_id, state in instance.database.rows(made.sql('t."set", t.state', tail=tail), made.parameters):
        found = instance.store.get("sys_import_set", set_id)
        tables.append(found["table_name"] if found and state != "running" else "")
    return tables


def _read(instance: Instance, sql: str, made: Select, columns: list[Shown]) -> list[tuple[str, ...]]:
    rows = instance.database.rows(sql, made.parameters)
    return [tuple(row) if columns else () for row in rows]
