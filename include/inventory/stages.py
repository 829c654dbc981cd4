"""The stages of a run, each a function over its folder and its services; settle is in ``conclude.py``."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import pandas as pd

from include.errors import RunUnsafe
from include.inventory.extract import INCOMPLETE_EXTRACT, Collection, extract, require_complete
from include.inventory.extract_shares import extract_share, join_shares
from include.inventory.feed_plan import FeedPlan
from include.inventory.guards import GUARDS, Finding, enforce
from include.inventory.guards import to_json as guards_to_json
from include.inventory.mapping import Feed
from include.inventory.missing import Missing, find_missing
from include.inventory.orders import RESEND, Ordered
from include.inventory.partner import Partners
from include.inventory.plan import Waits
from include.inventory.plan_page import write_plan_page
from include.inventory.read_sources import iter_source, listed_again, source_fields
from include.inventory.run import Run, Services, costs_of
from include.inventory.shape import shape_batch
from include.inventory.shaper import Shaper, buckets_for
from include.inventory.targeted import extract_devices
from include.iru.client import IruClient
from include.memory import return_freed_memory
from include.storage import write_frame
from include.texts import values_of

__all__ = ["Run", "Services", "run_extract", "run_plan", "run_shape"]

log = logging.getLogger(__name__)


def run_extract(run: Run, client: IruClient) -> None:
    """Fetch the run's source; RunUnsafe when it is not whole, or Iru's quota too small, and the guard is not lifted.

    A run of changed devices fetches these alone, whatever the guards of a whole extract say.
    """
    if run.changed is not None:
        rows, gone = extract_devices(client, run.folder, run.changed)
        devices = asdict(Collection(rows=rows, pages=1, expected=None, gone=gone))
        told: dict[str, Any] = {
            "collections": {"devices": devices},
            **_quota(client),
            **costs_of({"iru": client.requests}),
        }
        run.folder.note("extract", told | _guards(run, []))
        return
    lifted = GUARDS if not run.stops else run.params.lift_guards
    found = extract(
        client,
        run.source,
        run.folder,
        fields=source_fields(run.mapping, run.source),
        lift_guards=lifted,
        method=run.rules.apps_extract if run.source == "apps" else "pages",
    )
    quota = {"predicted": found.predicted} | _quota(client).get("quota", {})
    _note_extract(run, found.collections, {"quota": quota, **costs_of({"iru": client.requests})})


def run_extract_share(run: Run, client: IruClient, number: int) -> None:
    """Fetch one of the run's shares of the apps; what all of them are is judged before they are shaped."""
    told = extract_share(
        client,
        run.folder,
        (number, run.partitions),
        fields=source_fields(run.mapping, run.source),
        lift_guards=GUARDS if not run.stops else run.params.lift_guards,
        method=run.rules.apps_extract,
    )
    run.folder.note(f"extract-{number}", told | _quota(client) | costs_of({"iru": client.requests}))


def _quota(client: IruClient) -> dict[str, Any]:
    """Return what is left of Iru's hour as a stage notes it; nothing where the tenant does not say."""
    return {"quota": asdict(client.quota)} if client.quota else {}


def is_shared(run: Run) -> bool:
    """Say whether a run's extract is divided among its partitions."""
    return run.source == "apps" and run.partitions > 1


def join_extract(run: Run) -> None:
    """Note what the shares of an extract are together; RunUnsafe when that is not whole, unless the guard is lifted."""
    shares = [run.folder.told_by(f"extract-{number}") for number in range(run.partitions)]
    if not all(shares):
        raise RunUnsafe(
            f"Share {shares.index({}) + 1} of {len(shares)} of the extract has left nothing: IRU_SERVICENOW_PARTITIONS "
            "has changed while the run was under way. Clear the tasks extract_share, and this one with them."
        )
    costs = {what: {"iru": sum(share[what]["iru"] for share in shares)} for what in ("requests", "retries", "waited_s")}
    quotas = [share["quota"] for share in shares if "quota" in share]
    newest = {"quota": max(quotas, key=lambda quota: quota["seen_s"])} if quotas else {}
    _note_extract(run, {"apps": join_shares(shares)}, {"shares": len(shares), **newest, **costs})


def _note_extract(run: Run, collections: Mapping[str, Collection], told: Mapping[str, Any]) -> None:
    lifted = GUARDS if not run.stops else run.params.lift_guards
    findings = [
        Finding(INCOMPLETE_EXTRACT, f"{name}: {one.rows} rows arrived, Iru counts {one.expected}")
        for name, one in collections.items()
        if not one.complete
    ]
    as_json = {name: asdict(collection) for name, collection in collections.items()}
    run.folder.note("extract", {"collections": as_json, **told, **_guards(run, findings)})
    require_complete(collections, lifted=INCOMPLETE_EXTRACT in lifted)


def run_shape(run: Run) -> None:
    """Validate and reshape the extracted pages into staging rows of each feed, some thousand rows at a time."""
    return_freed_memory()
    buckets = buckets_for(_extracted_rows(run), partitions=run.partitions)
    shapers = [(feed, Shaper(run.folder, feed, buckets=buckets)) for feed in run.feeds]
    outdated = listed_again(run.folder, run.source)
    for source in iter_source(run.folder, run.mapping, run.source):
        for feed, shaper in shapers:
            shaper.add(shape_batch(source, feed, run.mapping, run.params, outdated=outdated))
    for feed, shaper in shapers:
        told = shaper.finish()
        run.folder.note(f"shape-{feed.name}", told)
        log.info(
            "Feed %s: %d of %d rows are fit to send, %d filtered, %d rejected.",
            feed.name,
            told["rows"],
            told["extracted"],
            told["filtered"],
            told["rejected"],
        )
    run.folder.note("shape", {"feeds": [feed.name for feed in run.feeds]})


def run_plan(run: Run, services: Services, *, in_flight: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Compare every feed with the ledger and write what is to be sent; nothing is sent.

    ``in_flight`` tells by feed and key why rows wait that an earlier run sent. Raises RunUnsafe, once all is written,
    when guards strike that are not lifted.
    """
    return_freed_memory()
    findings: list[Finding] = []
    for feed in run.feeds:
        findings += _plan_feed(run, feed, services, (in_flight or {}).get(feed.name, {}))
    run.folder.note("plan", {**services.costs(), **_guards(run, findings)})
    write_plan_page(run)
    enforce(findings, lifted=run.params.lift_guards, stops=run.stops)


def _extracted_rows(run: Run) -> int:
    """Return how many rows the source has, as its extract told."""
    collection = "devices" if run.source == "devices" else "apps"
    return int(run.folder.told_by("extract").get("collections", {}).get(collection, {}).get("rows", 0))


def _plan_feed(run: Run, feed: Feed, services: Services, in_flight: Mapping[str, str]) -> list[Finding]:
    """Plan one feed, keep the plan in the run's folder, and return the guards that strike."""
    told = _why_nothing_is_gone(run, feed)
    missing = Missing() if told or feed.source == "apps" else _find_missing(run, feed, services)
    ordered = Ordered(services.ledger.orders.open_orders(feed.name))
    resend = ordered.keys(RESEND)
    waits = Waits(in_flight, run.parking(ordered), resend, _partner(run, feed, services))
    plan = FeedPlan(run, feed, services, waits, removes=feed.source == "apps" and not told)
    plan.compare(shortcut=not (in_flight or run.params.full_resend or run.params.release_parked))
    plan.remove([*missing.to_send, *(() if told else _removed_again(run, feed, services, resend))])
    write_frame(run.folder.missing(feed.name).path(0), pd.DataFrame({"key": pd.Series(missing.reported, dtype="str")}))
    notes, findings = plan.finish(missing)
    given_up = [] if told else _given_up(run, feed, services)
    run.folder.note(f"plan-{feed.name}", notes | {"orders": ordered.to_send, "given_up": given_up})
    return findings


def _removed_again(run: Run, feed: Feed, services: Services, resend: frozenset[str]) -> list[str]:
    """Return the keys of rows that are removed already and whose removal somebody has ordered to be sent again."""
    known = services.ledger.read_keys(feed.name, resend)
    removed = set(values_of(known.loc[~known["active"] & known["row_hash"].notna(), "key"]))
    return sorted(removed - run.listed_of(feed.name, removed)) if removed else []


def _given_up(run: Run, feed: Feed, services: Services) -> list[str]:
    """Return the keys of rows that ServiceNow never took and that the source lists no more: nothing is left to do."""
    refused = services.ledger.never_confirmed(feed.name)
    return sorted(refused - run.listed_of(feed.name, refused)) if refused else []


def _guards(run: Run, findings: list[Finding]) -> dict[str, Any]:
    """Return what a stage tells of its guards: all that struck, and those that stop the run."""
    standing = [f.guard for f in findings if f.guard not in run.params.lift_guards] if run.stops else []
    return {"guards": guards_to_json(findings, run.params.lift_guards), "stopped_by": list(dict.fromkeys(standing))}


def _why_nothing_is_gone(run: Run, feed: Feed) -> str:
    """Say why what the source does not list is not taken for removed; "" where it is."""
    if not run.carries_everything or run.params.names_devices:
        return "the run is about some devices"
    told = run.folder.told_by("extract")["collections"]
    whole = all(Collection(**collection).complete for collection in told.values())
    unkeyed = int(run.folder.told_by(f"shape-{feed.name}")["unkeyed"])
    # A device is taken for gone only after a 404 of its own; an app whose key is unknown could be any of them.
    unsure = unkeyed if feed.source == "apps" else 0
    if whole and not unsure:
        return ""
    cause = "the extract is not whole" if not whole else f"the keys of {unsure} rejected rows cannot be told"
    log.warning("Feed %s: nothing is taken for removed in this run, because %s.", feed.name, cause)
    return cause


def _find_missing(run: Run, feed: Feed, services: Services) -> Missing:
    policy, counts_for = run.params.missing_devices, str(run.folder.root) if run.params.mode == "load" else ""
    seen = partial(run.seen_keys, feed.name)
    return find_missing(feed, services.ledger, seen, policy=policy, run=counts_for, iru=lambda: services.iru)


def _partner(run: Run, feed: Feed, services: Services) -> Callable[[Any], dict[int, str]] | None:
    if not feed.partner:
        return None
    partner = run.mapping.feeds[feed.partner]
    there = services.ledger.confirmed_keys(partner.name) | run.sent_keys(partner.name)
    return Partners(partner, there, lambda: services.servicenow, ask=not run.partner_of(feed)).waiting
