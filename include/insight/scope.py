"""What a question is about: one pair, the feeds that the asking person may read, and how they are named elsewhere."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from include.insight.errors import BadQuestion
from include.insight.paging import Row
from include.insight.reader import Reader
from include.inventory.ledger_tables import ROWS
from include.inventory.mapping import Feed, FeedMapping, SourceName
from include.inventory.settings import Settings

FLOWS: tuple[SourceName, ...] = ("devices", "apps")
DAGS = {"devices": "iru_devices", "apps": "iru_apps"}
PREFLIGHT, RECONCILE = "iru_servicenow_preflight", "iru_servicenow_reconcile"

_UNIT = "\x1f"
_SET_NAME = re.compile(r"[0-9A-Za-z_-]{1,40}")


def dag_of(settings: Settings, flow: str) -> str:
    """Return the id of the DAG that carries a flow of a pair."""
    return settings.named(DAGS[flow])


def shown_key(key: str) -> str:
    """Return a ledger's key as people read it."""
    return key.replace(_UNIT, " / ")


@dataclass(frozen=True)
class Scope:
    """A pair's ledger as one person may see it.

    ``readable`` and ``writable`` are flows. ``pages`` is the address of the pages of runs, from the server's root.
    """

    reader: Reader
    settings: Settings
    mapping: FeedMapping
    readable: frozenset[str]
    writable: frozenset[str] = frozenset()
    pages: str = "/iru-servicenow/runs"

    @cached_property
    def feeds(self) -> dict[str, Feed]:
        """The feeds that may be read, in the order of the mapping."""
        return {name: feed for name, feed in self.mapping.feeds.items() if feed.source in self.readable}

    @cached_property
    def device_feeds(self) -> tuple[Feed, ...]:
        """The feeds of devices; the first of them is what a device is known by."""
        return tuple(self.mapping.of_source("devices"))

    @cached_property
    def app_feeds(self) -> tuple[Feed, ...]:
        """The feeds of apps."""
        return tuple(self.mapping.of_source("apps"))

    def feed(self, name: str) -> Feed:
        """Return a feed that may be read; BadQuestion for any other name."""
        if name not in self.feeds:
            raise BadQuestion(f"There is no feed {name!r} here. There are: {', '.join(self.feeds)}.")
        return self.feeds[name]

    def chosen(self, name: str | None) -> list[Feed]:
        """Return one feed, or all that may be read."""
        return [self.feed(name)] if name else list(self.feeds.values())

    def dag_id(self, feed: str) -> str:
        """Return the id of the DAG that carries a feed."""
        return dag_of(self.settings, self.mapping.feeds[feed].source)

    def may_write(self, feed: str) -> bool:
        """Say whether the person may give orders for a feed's rows."""
        return self.mapping.feeds[feed].source in self.writable

    def import_set(self, name: str | None) -> Row | None:
        """Return an import set's name and its address in ServiceNow; None for what is no name of one."""
        if not name or not _SET_NAME.fullmatch(name):
            return None
        query = f"sys_idIN{name}^ORnumberIN{name}"  # bulk loads tell the one, single rows the other
        listed = quote(f"sys_import_set_list.do?sysparm_query={query}", safe="")
        return {"name": name, "url": f"{self.reader.pair.target}/nav_to.do?uri={listed}"}

    def report_url(self, dag_id: str, run_id: str) -> str:
        """Return the address of a run's report."""
        return f"{self.pages}/{quote(dag_id, safe='')}/{quote(run_id, safe='')}/report.html"

    def rows_of(self, feed: str) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that choose a feed's rows in the ledger."""
        return self.reader.of(ROWS, feed=feed)


def labels_of(feed: Feed) -> list[Row]:
    """Return a feed's columns with the names that people read."""
    return [
        {
            "column": name,
            "label": feed.labels.get(name) or name.replace("_", " "),
            "target": feed.target_fields.get(name),
        }
        for name in feed.column_names
    ]


def names_of(rows: Iterable[Any], name: str) -> list[str]:
    """Return the texts that rows have under a name, each once."""
    return list(dict.fromkeys(value for row in rows if (value := getattr(row, name))))
