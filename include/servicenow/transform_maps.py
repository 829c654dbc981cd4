"""What ServiceNow does with a staging table's rows: its active transform map, or robust transformer, and the key.

Source: ServiceNow, "Create a transform map", "Robust Import Set Transformers". A service account with only the
documented roles may not read these tables; an access rule then answers 403 or hides every row, and both mean "cannot
tell".
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from include.errors import AnswerUnusable
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied
from include.servicenow.table_api import Row, iter_rows

log = logging.getLogger(__name__)

MAPS, ENTRIES, ROBUST = "sys_transform_map", "sys_transform_entry", "sys_robust_import_set_transformer"


@dataclass(frozen=True, slots=True)
class TransformMapInfo:
    """Whether a staging table's rows are transformed at all, by what, and by which of its columns records are found.

    ``coalesce_columns`` is empty where they are not known: for a robust transformer, or where a script makes the key.
    """

    active: bool
    robust: bool
    coalesce_columns: tuple[str, ...] = ()


def read_transform_map(client: ServiceNowClient, table: str) -> TransformMapInfo | None:
    """Return what transforms a staging table, or None where the account cannot tell, which is logged.

    Of several active maps the one with the lowest order counts; a robust transformer beats them all.
    """
    maps, robust = _rows_of(client, MAPS, table), _rows_of(client, ROBUST, table)
    if robust and any(_is_active(row) for row in robust):
        return TransformMapInfo(active=True, robust=True)
    active = sorted(filter(_is_active, maps or []), key=_order)
    if active:
        columns = _coalesce_columns(client, active[0]["sys_id"])
        return None if columns is None else TransformMapInfo(active=True, robust=False, coalesce_columns=columns)
    if maps is None or robust is None:
        return None
    if not maps and not robust and not _sees_any(client):
        log.warning("%s shows no row at all: what transforms %s cannot be told.", MAPS, table)
        return None
    return TransformMapInfo(active=False, robust=False)


def _rows_of(client: ServiceNowClient, config: str, table: str) -> list[Row] | None:
    fields = ("sys_id", "source_table", "active", "order")
    try:
        rows = list(iter_rows(client, config, query=f"source_table={table}", fields=fields))
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("What transforms %s cannot be told: %s", table, error)
        return None
    return [row for row in rows if row.get("source_table") == table and row.get("sys_id")]


def _coalesce_columns(client: ServiceNowClient, map_id: str) -> tuple[str, ...] | None:
    """Return the staging columns of a map's key; nothing where a script makes a part of it, None where unreadable."""
    fields = ("sys_id", "map", "source_field", "coalesce", "use_source_script")
    try:
        rows = list(iter_rows(client, ENTRIES, query=f"map={map_id}^coalesce=true", fields=fields))
    except (AccessDenied, AnswerUnusable) as error:
        log.warning("By which columns ServiceNow finds records cannot be told: %s", error)
        return None
    entries = [row for row in rows if row.get("map") == map_id and row.get("coalesce") == "true"]
    if any(row.get("use_source_script") == "true" or not row.get("source_field") for row in entries):
        return ()
    return tuple(sorted({row["source_field"] for row in entries}))


def _sees_any(client: ServiceNowClient) -> bool:
    """Say whether the account sees any transform map: where it sees none, they may all be hidden from it."""
    body, _ = client.get(f"table/{MAPS}", sysparm_fields="sys_id", sysparm_limit=1)
    result = body.get("result") if isinstance(body, dict) else None
    return isinstance(result, Sequence) and bool(result)


def _is_active(row: Row) -> bool:
    return row.get("active") == "true"


def _order(row: Row) -> tuple[int, str]:
    digits = row.get("order", "").replace(",", "")
    return (int(digits) if digits.isdigit() else 100, row["sys_id"])
