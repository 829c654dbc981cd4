"""A seeded ledger, and what questions to it are asked with."""

from pathlib import Path
from typing import Any

from include.insight.paging import Asked
from include.insight.reader import Reader
from include.insight.scope import Scope
from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings

BOTH = frozenset({"devices", "apps"})


_OPEN: list[Reader] = []


def close_all() -> None:
    """Let go of the databases that a test has asked."""
    while _OPEN:
        _OPEN.pop().close()


def settings(root: Path, **values: str) -> Settings:
    """Return the settings of an installation with its storage in a folder."""
    named = {f"IRU_SERVICENOW_{name.upper()}": value for name, value in values.items()}
    return Settings.of_pair("", {"IRU_SERVICENOW_STORAGE": str(root), **named})


def scope(root: Path, pair: Any, *, url: str = "", **options: Any) -> Scope:
    """Return what a question is asked about; by default both flows may be read and written."""
    budget = {"budget_s": options.pop("budget_s")} if "budget_s" in options else {}
    found = settings(root, **options.pop("settings", {}))
    reader = Reader(url or found.ledger, pair, **budget)
    _OPEN.append(reader)
    return Scope(reader, found, load_mapping(), options.get("readable", BOTH), options.get("writable", BOTH))


def all_rows(ask: Any, limit: int = 7) -> list[dict[str, Any]]:
    """Return the rows of all pages of a table, page by page."""
    rows, cursor = [], None
    while True:
        page = ask(Asked(cursor, limit))
        assert len(page.rows) <= limit
        rows += page.rows
        cursor = page.next
        if cursor is None:
            return rows
