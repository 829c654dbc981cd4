"""The reconciliation as tasks: one per source, then a page of both."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import Param, task

from include.inventory.mapping import SourceName, load_mapping
from include.inventory.run_folder import RunFolder
from include.inventory.settings import Settings
from include.reconcile.compare import REPAIRABLE
from include.reconcile.run import Asked, reconcile
from include.reconcile.show import FeedResult, summary, to_page
from include.storage import write_bytes, write_json
from iru_servicenow.storage import storage_path
from iru_servicenow.under_way import (
    die_with_supervisor,
    iru_hook,
    ledger,
    registry,
    rules,
    servicenow_hook,
)

log = logging.getLogger(__name__)


def params(feeds: list[str]) -> dict[str, Param]:
    """Return the params with their forms."""
    return {
        "feeds": Param(
            feeds, type="array", items={"type": "string", "enum": feeds}, examples=feeds, title="Feeds",
            description="Which feeds to compare.",
        ),
        "repair": Param(
            [], type="array", items={"type": "string", "enum": list(REPAIRABLE)}, examples=list(REPAIRABLE),
            title="Repair",
            description="Kinds of drift to repair: the ledger learns what ServiceNow really holds, and the next run of "
            "the flow sends these rows again, with all its guards. None: only report.",
        ),
        "rebuild_ledger": Param(
            False, type="boolean", title="Rebuild the ledger",
            description="For a ledger that was lost: write what ServiceNow holds into it, so that nothing is sent "
            "again that is right. Entries that are there stay.",
        ),
    }  # fmt: skip


@task
def compare(pair_name: str, sources: list[SourceName], **context: Any) -> dict[str, Any]:
    """Compare Iru, the ledger and ServiceNow, feed by feed; repair the ledger where the params ask for it."""
    die_with_supervisor()
    settings, given = Settings.of_pair(pair_name), context["params"]
    folder = RunFolder(storage_path(settings.storage) / "runs" / context["ti"].dag_id / context["run_id"])
    asked = Asked(tuple(given["repair"]), bool(given["rebuild_ledger"]))
    results: dict[str, FeedResult] = {}
    for source in sources:
        with _alone(settings, source, context["run_id"], folder, asked):
            results |= reconcile(
                source,
                given["feeds"],
                load_mapping(settings.mapping),
                (iru_hook(settings).get_conn(), servicenow_hook(settings).get_conn(), ledger(settings)),
                folder.root,
                asked=asked,
                run_id=context["run_id"],
                rules=rules(settings),
            )
    write_json(folder.root / "reconcile.json", {name: result.to_json() for name, result in results.items()})
    write_bytes(folder.page("reconcile"), to_page(results))
    log.info("\n%s\nPage: %s", summary(results), folder.page("reconcile"))
    return {name: result.counts() for name, result in results.items()}


@contextmanager
def _alone(settings: Settings, source: SourceName, run_id: str, folder: RunFolder, asked: Asked) -> Iterator[None]:
    """Keep the flow of a source from running while the ledger is changed; RetryLater while a run of it is under way."""
    if not asked.writes:
        yield
        return
    runs = registry(settings, source)
    runs.take(run_id, str(folder.root))
    try:
        yield
    finally:
        runs.release(run_id)
        runs.close(run_id)
