"""Rows of a Prism category out of the database, by key and never sorted anew for a page."""

from collections.abc import Iterator
from typing import Any

from include.sandbox.iru.device_filters import Condition
from include.sandbox.iru.prism_columns import Category
from include.sandbox.iru.prism_query import START, PrismQuery
from include.sandbox.iru.tenant import Tenant

_BATCH = 2000


def rows_after(tenant: Tenant, category: Category, condition: Condition, position: int, count: int) -> list[Any]:
    """Return up to ``count`` selected rows behind ``position`` in order of entry."""
    sql = (
        f"SELECT {category.selection} FROM {category.source} "  # noqa: S608 - own names, bound values
        f"WHERE {category.seq} > ? AND {condition.sql} ORDER BY {category.seq} LIMIT ?"
    )
    return tenant.database.rows(sql, (position, *condition.values, count))


def rows_at(tenant: Tenant, category: Category, query: PrismQuery, offset: int, count: int) -> list[Any]:
    """Return up to ``count`` selected rows from ``offset`` in the order asked for."""
    condition = query.condition(category)
    sql = (
        f"SELECT {category.selection} FROM {category.source} "  # noqa: S608 - own names, bound values
        f"WHERE {condition.sql} ORDER BY {query.order(category)} LIMIT ? OFFSET ?"
    )
    return tenant.database.rows(sql, (*condition.values, count, offset))


def every_batch(tenant: Tenant, category: Category, query: PrismQuery) -> Iterator[list[Any]]:
    """Yield all selected rows; other requests are served in between unless the order is custom."""
    if query.sort_by:
        yield rows_at(tenant, category, query, 0, -1)
        return
    condition, position = query.condition(category), START
    while batch := rows_after(tenant, category, condition, position, _BATCH):
        yield batch
        position = batch[-1][0]


def devices_until(tenant: Tenant, category: Category, condition: Condition, position: int) -> set[str]:
    """Return the devices that have selected rows up to ``position`` in order of entry."""
    sql = (
        f"SELECT DISTINCT d.id FROM {category.source} "  # noqa: S608 - own names, bound values
        f"WHERE {category.seq} <= ? AND {condition.sql}"
    )
    return {row[0] for row in tenant.database.rows(sql, (position, *condition.values))}


def count_rows(tenant: Tenant, category: Category, condition: Condition) -> int:
    """Return how many rows there are; counted again only after something changed."""
    plain = condition.sql in ("1", f"({category.where})")
    source = category.count_source if plain and category.count_source else category.source
    key = (category.name, source, condition)
    with tenant.database.transaction() as connection, tenant.totals_lock:
        changes = connection.total_changes
        known = tenant.totals.get(key)
        if known is None or known[0] != changes:
            sql = f"SELECT count(*) FROM {source} WHERE {condition.sql}"  # noqa: S608 - own names, bound values
            known = (changes, connection.execute(sql, condition.values).fetchone()[0])
            tenant.totals[key] = known
    return known[1]
