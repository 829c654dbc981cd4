"""Read the records that a feed's rows end in, with the names of its staging columns."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from include.inventory.columns import join_key
from include.inventory.mapping import Feed
from include.servicenow.client import ServiceNowClient
from include.servicenow.table_api import Row, iter_rows

OURS = "Kandji"
"""The discovery source of the records that the integration writes."""

_KEYS_PER_QUERY = 50


def read_target(client: ServiceNowClient, feed: Feed, wanted: Iterable[str]) -> pd.DataFrame:
    """Return a feed's records: its compared staging columns as text, ``_key`` and ``sys_id``.

    These are the records whose discovery source is the integration's, and those of ``wanted`` (values of the first key
    column) that have another one. Raises NoSuchTable where the instance has no such table, AccessDenied where the
    account may not read it.
    """
    fields = dict(feed.target_fields)
    source = fields.get("discovery_source")
    rows = list(_rows(client, feed, f"{source}={OURS}" if source else ""))
    first = feed.key[0]
    seen = {row.get(fields[first], "").casefold() for row in rows}
    if source:
        others = sorted({value for value in wanted if value and value.casefold() not in seen and "^" not in value})
        for start in range(0, len(others), _KEYS_PER_QUERY):
            some = others[start : start + _KEYS_PER_QUERY]
            rows += _rows(client, feed, "^OR".join(f"{fields[first]}={value}" for value in some))
    return _to_frame(feed, _once(rows))


def _rows(client: ServiceNowClient, feed: Feed, query: str) -> Iterator[Row]:
    fields = ("sys_id", *dict.fromkeys(feed.target_fields.values()))
    return iter_rows(client, feed.target_table, query=query, fields=fields)


def _once(rows: Sequence[Row]) -> list[Row]:
    return list({row.get("sys_id", str(number)): row for number, row in enumerate(rows)}.values())


def _to_frame(feed: Feed, rows: Sequence[Row]) -> pd.DataFrame:
    columns = {
        name: pd.Series([row.get(field) or None for row in rows], dtype="str")
        for name, field in feed.target_fields.items()
    }
    parts = [columns[name].astype(object).where(columns[name].notna(), None).tolist() for name in feed.key]
    keys = [join_key(values) for values in zip(*parts, strict=True)]
    ids = pd.Series([row.get("sys_id", "") for row in rows], dtype="str")
    return pd.DataFrame({"_key": pd.Series(keys, dtype="str"), "sys_id": ids, **columns})
