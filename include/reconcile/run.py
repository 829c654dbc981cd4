"""Reconcile one source's feeds: read all sides, name the differences, and repair the ledger where that is asked for."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import pandas as pd

from include.inventory.counts import IRU, RECONCILE, SERVICENOW, note_counts, our_active_rows
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed, FeedMapping, SourceName
from include.inventory.params import RunParams
from include.inventory.run import Rules, Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import run_extract, run_shape
from include.inventory.summary import warn_of_failures
from include.iru.client import IruClient
from include.reconcile.compare import Drift, Sides, compare
from include.reconcile.repair import in_order, rebuild, repair
from include.reconcile.show import FeedResult, to_frame
from include.reconcile.target import OURS, read_target
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied, NoSuchTable
from include.storage import StoragePath, remove_tree, write_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done: kinds of drift to repair, and whether to rebuild a lost ledger."""

    repair: tuple[str, ...] = ()
    rebuild: bool = False

    @property
    def writes(self) -> bool:
        """Say whether the ledger is to be changed, so that no run of the flow may be under way."""
        return bool(self.repair) or self.rebuild


def reconcile(
    source: SourceName,
    feeds: Collection[str],
    mapping: FeedMapping,
    services: tuple[IruClient, ServiceNowClient, Ledger],
    root: StoragePath,
    *,
    asked: Asked,
    run_id: str,
    rules: Rules | None = None,
) -> dict[str, FeedResult]:
    """Return what came of each feed of a source; differences lie in ``<root>/drift/<feed>.parquet``.

    Raises what reading Iru raises, RunUnsafe where the extract is not whole: half a list would be all drift.
    """
    iru, servicenow, ledger = services
    names = [feed.name for feed in mapping.of_source(source)]
    folder = RunFolder(root / source)
    run = Run(source, RunParams.parse({"mode": "load"}, feeds=names), mapping, folder, rules or Rules())
    run_extract(run, iru)
    run_shape(run)
    results: dict[str, FeedResult] = {}
    for feed in mapping.of_source(source):
        if feed.name in feeds:
            results[feed.name] = _feed(feed, folder, servicenow, ledger, asked=asked, run_id=run_id)
            write_frame(root / "drift" / f"{feed.name}.parquet", to_frame(results[feed.name].drifts))
    remove_tree(folder.root)
    return results


def _feed(
    feed: Feed, folder: RunFolder, servicenow: ServiceNowClient, ledger: Ledger, *, asked: Asked, run_id: str
) -> FeedResult:
    if not feed.target_table or not set(feed.key) <= set(feed.target_fields):
        return FeedResult(skipped="The mapping does not say which table its rows end in, by which fields.")
    wanted = folder.rows(feed.name).read()
    seen = {*wanted["_key"], *folder.also_seen(feed.name).read(["_key"])["_key"]}
    try:
        actual = read_target(servicenow, feed, wanted[feed.key[0]].dropna())
    except (AccessDenied, NoSuchTable) as error:
        return FeedResult(skipped=f"{feed.target_table} cannot be read: {error}")
    warn_of_failures("the rows on both sides", partial(_note_counts, feed, folder, ledger, actual))
    sides = Sides(wanted, seen, actual, ledger.read(feed.name))
    drifts = list(in_order(compare(feed, sides, devices=_devices(feed, wanted))))
    result = FeedResult(len(seen), len(wanted), len(actual), len(sides.known), drifts)
    return _write(feed, ledger, sides, drifts, result, asked=asked, run_id=run_id)


def _note_counts(feed: Feed, folder: RunFolder, ledger: Ledger, actual: pd.DataFrame) -> None:
    """Let the sync page show how many rows there are on both sides, counted as a load counts them."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    shaped = folder.told_by(f"shape-{feed.name}")
    in_scope = int(shaped["extracted"]) - int(shaped["filtered"])
    note_counts(ledger, IRU, {feed.name: in_scope}, told_by=RECONCILE, at=at)
    if our_active_rows(feed):
        ours = actual[actual["discovery_source"].str.casefold() == OURS.casefold()]
        active = ours if not feed.removed_values or "active" not in ours else ours[ours["active"] == "true"]
        note_counts(ledger, SERVICENOW, {feed.name: len(active)}, told_by=RECONCILE, at=at)


def _write(
    feed: Feed, ledger: Ledger, sides: Sides, drifts: list[Drift], result: FeedResult, *, asked: Asked, run_id: str
) -> FeedResult:
    """Rebuild first: what the ledger then knows is not drift that has to be repaired."""
    if asked.rebuild:
        result = replace(result, rebuilt=rebuild(feed, ledger, sides, run_id=run_id))
    chosen = [drift for drift in drifts if drift.kind in asked.repair]
    if chosen:
        result = replace(result, repaired=repair(feed, ledger, sides, chosen, run_id=run_id))
    return result


def _devices(feed: Feed, wanted: pd.DataFrame) -> frozenset[str]:
    if "device_id" not in feed.column_names:
        return frozenset()
    return frozenset(wanted["device_id"].dropna().str.casefold())
