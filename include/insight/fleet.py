"""The fleet as a whole, as the last whole runs counted it: versions, models, capacities, and titles of apps."""

import re
from typing import Any

import sqlalchemy as sa

from include.insight.errors import BadQuestion
from include.insight.paging import Asked, Page, Row, beyond, count_up_to, cursor_at, cut
from include.insight.scope import Scope
from include.insight.search import Search
from include.insight.times import iso
from include.inventory.sync_tables import FACTS, TITLES

FACT_NAMES = ("os_type", "os_version", "model", "capacity")
MOST_VALUES = 25
OTHER = "other"

SORTS: dict[str, sa.Column[Any]] = {
    "installs": TITLES.c.installs,
    "unused": TITLES.c.unused_90,
    "name": TITLES.c.name_folded,
}
_SUMS = ("installs", "never_opened", "unused_30", "unused_90", "unused_180")
_NO_APPS: Row = {"as_of": None, "titles": 0, **dict.fromkeys(_SUMS, 0), "tells_usage": False}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TERA = re.compile(r"\bTB\b", re.IGNORECASE)


def fleet(scope: Scope) -> Row:
    """Return the page ``fleet``; what may not be read is empty."""
    rows = scope.reader.rows(sa.select(FACTS).where(*scope.reader.of(FACTS))) if "devices" in scope.readable else []
    facts = {name: facts_of(rows, name) for name in FACT_NAMES}
    devices = max((sum(fact["devices"] for fact in some) for some in facts.values()), default=0)
    as_of = max((row.as_of for row in rows), default=None)
    return {"as_of": iso(as_of), "devices": devices, "facts": facts, "apps": _apps(scope)}


def nothing() -> Row:
    """Return the page where nothing is known yet."""
    return {"as_of": None, "devices": 0, "facts": {name: [] for name in FACT_NAMES}, "apps": dict(_NO_APPS)}


def facts_of(rows: Any, name: str, most: int = MOST_VALUES) -> list[Row]:
    """Return the most frequent values of a fact and the rest as one; capacities by size."""
    found = sorted((row for row in rows if row.fact == name), key=lambda row: (-row.devices, row.value))
    told = [{"value": row.value, "devices": row.devices} for row in found[:most]]
    if name == "capacity":
        told.sort(key=lambda fact: _size(fact["value"]))
    rest = sum(row.devices for row in found[most:])
    return [*told, {"value": OTHER, "devices": rest}] if rest else told


def all_facts(scope: Scope) -> list[Row]:
    """Return every value of every fact."""
    asked = (
        sa.select(FACTS).where(*scope.reader.of(FACTS)).order_by(FACTS.c.fact, FACTS.c.devices.desc(), FACTS.c.value)
    )
    return [{"fact": row.fact, "value": row.value, "devices": row.devices} for row in scope.reader.rows(asked)]


def titles(scope: Scope, search: Search, asked: Asked, *, sort: str = "installs") -> Page:
    """Return titles of apps: those with the most installs first, the most unused ones, or by name."""
    if sort not in SORTS:
        raise BadQuestion(f"sort must be one of {', '.join(SORTS)}.")
    column, descending = SORTS[sort], sort != "name"
    question = sa.select(TITLES).where(*scope.reader.of(TITLES), *_narrowed(search, scope.reader.is_sqlite))
    begun = asked.after(int if descending else str, str)
    total = begun[1] if begun else count_up_to(scope.reader, question)
    order = (column, TITLES.c.title_id)
    if begun:
        question = question.where(beyond(order, begun[0], descending=descending))
    ordered = question.order_by(*(each.desc() if descending else each for each in order)).limit(asked.limit + 1)
    found, more = cut(scope.reader.rows(ordered), asked.limit)
    following = cursor_at(total, getattr(found[-1], column.name), found[-1].title_id) if more else None
    return Page([_title(row) for row in found], following, total)


def _narrowed(search: Search, is_sqlite: bool) -> list[sa.ColumnElement[bool]]:
    if not search:
        return []
    folded = search.text.strip().casefold()
    marked = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    by_name = TITLES.c.name_folded.like(f"%{marked}%", escape="\\")
    by_publisher = search.narrows((TITLES.c.publisher,), is_sqlite=is_sqlite)
    return [sa.or_(by_name, *by_publisher)]


def _title(row: Any) -> Row:
    names = (
        "title_id", "name", "publisher", "installs", "devices", "versions", "top_version", "never_opened", "unused_30",
        "unused_90", "unused_180",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | {"newest_opened": iso(row.newest_opened)}


def _apps(scope: Scope) -> Row:
    if "apps" not in scope.readable:
        return dict(_NO_APPS)
    sums = (sa.func.coalesce(sa.func.sum(TITLES.c[name]), 0).label(name) for name in _SUMS)
    opened = sa.func.max(TITLES.c.newest_opened).label("opened")
    asked = sa.select(sa.func.max(TITLES.c.as_of).label("as_of"), sa.func.count().label("titles"), opened, *sums)
    row = scope.reader.row(asked.where(*scope.reader.of(TITLES)))
    if row is None or not row.titles:
        return dict(_NO_APPS)
    counted = {name: int(getattr(row, name)) for name in _SUMS}
    return {"as_of": iso(row.as_of), "titles": row.titles, **counted, "tells_usage": row.opened is not None}


def _size(value: str) -> tuple[float, str]:
    """Return what orders capacities: "128 GB" before "1 TB", what has no number last."""
    number = _NUMBER.search(value)
    if number is None:
        return float("inf"), value
    return float(number.group()) * (1000 if _TERA.search(value) else 1), value
