"""The route of files: any table whole, with the rights that the table's own route demands."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from include.insight.apps import apps
from include.insight.devices import devices
from include.insight.download import Ask, Written, all_at_once, by_feed, write
from include.insight.fleet import all_facts, titles
from include.insight.history import of_device
from include.insight.order_list import orders
from include.insight.runs import days, runs
from include.insight.scope import PREFLIGHT, Scope
from include.insight.search import Search
from include.insight.setup import setup
from include.insight.stuck import Filter, stuck
from iru_servicenow.storage import storage_path
from iru_servicenow.sync_api.access import Access, ReadsSomething, refuse_feed
from iru_servicenow.sync_api.bodies import Download
from iru_servicenow.sync_api.guard import body_of

router = APIRouter()

LEFT_OUT = "X-Rows-Left-Out"
TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
RIGHTS: dict[str, Callable[[Access], bool]] = {
    "stuck": lambda mine: bool(mine.readable),
    "runs": lambda mine: bool(mine.readable),
    "days": lambda mine: bool(mine.readable),
    "orders": lambda mine: bool(mine.readable),
    "devices": lambda mine: "devices" in mine.readable,
    "device_apps": lambda mine: "apps" in mine.readable,
    "history": lambda mine: "devices" in mine.readable,
    "titles": lambda mine: "apps" in mine.readable,
    "facts": lambda mine: "devices" in mine.readable,
    "setup": lambda mine: mine.reads_setup,
}
"""What each table's own route demands."""


@router.post("/{pair}/download")
def post_download(mine: ReadsSomething, body: Annotated[Download, Depends(body_of(Download))]) -> FileResponse:
    """Return a table as a file; a header says how many rows at least it has not."""
    if not RIGHTS[body.table](mine):
        raise HTTPException(403, "You may not read this table. Ask the people who run this Airflow for the right.")
    if body.filters.feed:
        refuse_feed(mine, body.filters.feed)
    handle, name = tempfile.mkstemp(prefix="iru-download-", suffix=f".{body.format}")
    os.close(handle)
    path = Path(name)
    try:
        with mine.scope() as scope:
            written = write(scope, body.table, table_of(mine, scope, body), path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _file(body, path, written)


def table_of(mine: Access, scope: Scope, body: Download) -> Ask:
    """Return how to ask for a table, page by page."""
    given, search = body.filters, Search(body.filters.search or "")
    device_id = (body.device_id or "").casefold()
    match body.table:
        case "stuck":
            wanted = Filter(
                given.kind or "refused", given.feed, given.verdict, search, newest_first=given.sort == "newest"
            )
            return lambda asked: stuck(scope, wanted, asked)
        case "runs":
            return by_feed(lambda asked: runs(scope, asked, flow=given.flow))
        case "days":
            return all_at_once(days(scope, given.days or 366))
        case "orders":
            return lambda asked: orders(scope, asked)
        case "devices":
            return lambda asked: devices(scope, search, asked)
        case "device_apps":
            return lambda asked: apps(scope, device_id, asked, active=given.active or "all", sort=given.sort or "name")
        case "history":
            return lambda asked: of_device(scope, device_id, asked)
        case "titles":
            return lambda asked: titles(scope, search, asked, sort=given.sort or "installs")
        case "facts":
            return all_at_once(all_facts(scope))
    return all_at_once(_findings(mine))


def _findings(mine: Access) -> list[dict[str, object]]:
    found = setup(storage_path(mine.settings.storage) / "runs", mine.settings.named(PREFLIGHT))
    return list(found["findings"])


def _file(body: Download, path: Path, written: Written) -> FileResponse:
    headers = {LEFT_OUT: str(written.left_out)} if written.left_out else {}
    return FileResponse(
        path,
        media_type=TYPES[body.format],
        filename=f"iru-servicenow-{body.table.replace('_', '-')}.{body.format}",
        headers=headers,
        background=BackgroundTask(path.unlink, missing_ok=True),
    )
