"""The stages of a run, each a function over its folder and its services; settle is in ``conclude.py``."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from include.inventory.coalesce import check_key
from include.inventory.extract import INCOMPLETE_EXTRACT, Collection, extract, require_complete
from include.inventory.guards import GUARDS, FeedCounts, Finding, enforce, judge_feed
from include.inventory.guards import to_json as guards_to_json
from include.inventory.lengths import Fitted, fit
from include.inventory.mapping import Feed
from include.inventory.missing import Missing, find_missing
from include.inventory.partner import waiting_rows
from include.inventory.plan import ACTIONS, Plan, Waits, active_keys, make_plan
from include.inventory.plan_page import write_plan_page
from include.inventory.read_sources import read_source, source_fields
from include.inventory.references import Referred, clear_unknown
from include.inventory.run import Run, Services, costs_of
from include.inventory.run_folder import RunFolder
from include.inventory.shape import Shaped, shape
from include.inventory.targeted import extract_devices
from include.iru.client import IruClient
from include.servicenow.dictionary import read_staging_columns, require_columns
from include.storage import read_frame, write_frame

__all__ = ["Run", "Services", "run_extract", "run_plan", "run_shape"]

log = logging.getLogger(__name__)


def run_extract(run: Run, client: IruClient) -> None:
    """Fetch the run's source; RunUnsafe when it is not whole, or Iru's quota too small, and the guard is not lifted.

    A run of changed devices fetches these alone, whatever the guards of a whole extract say.
    """
    if run.changed is not None:
        rows, gone = extract_devices(client, run.folder, run.changed)
        told = {"devices": asdict(Collection(rows=rows, pages=1, expected=None, gone=gone))}
        run.folder.note("extract", {"collections": told, **costs_of({"iru": client.requests}), **_guards(run, [])})
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
    findings = [
        Finding(INCOMPLETE_EXTRACT, f"{name}: {one.rows} rows arrived, Iru counts {one.expected}")
        for name, one in found.collections.items()
        if not one.complete
    ]
    collections = {name: asdict(collection) for name, collection in found.collections.items()}
    quota = {"predicted": found.predicted} | (asdict(client.quota) if client.quota else {})
    cost = costs_of({"iru": client.requests})
    run.folder.note("extract", {"collections": collections, "quota": quota, **cost, **_guards(run, findings)})
    require_complete(found.collections, lifted=INCOMPLETE_EXTRACT in lifted)


def run_shape(run: Run) -> None:
    """Validate and reshape the extracted pages into one staging frame per feed."""
    source = read_source(run.folder, run.mapping, run.source)
    for feed in run.feeds:
        shaped = shape(source, feed, run.mapping, run.params)
        _keep_shaped(run.folder, feed, shaped)
    run.folder.note("shape", {"feeds": [feed.name for feed in run.feeds]})


def run_plan(run: Run, services: Services, *, in_flight: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Compare every feed with the ledger and write what is to be sent; nothing is sent.

    ``in_flight`` tells by feed and key why rows wait that an earlier run sent. Raises RunUnsafe, once all is written,
    when guards strike that are not lifted.
    """
    findings: list[Finding] = []
    for feed in run.feeds:
        findings += _plan_feed(run, feed, services, (in_flight or {}).get(feed.name, {}))
    run.folder.note("plan", {**services.costs(), **_guards(run, findings)})
    write_plan_page(run)
    enforce(findings, lifted=run.params.lift_guards, stops=run.stops)


def _plan_feed(run: Run, feed: Feed, services: Services, in_flight: Mapping[str, str]) -> list[Finding]:
    """Plan one feed, keep the plan in the run's folder, and return the guards that strike."""
    known = services.ledger.read(feed.name)
    missing = _find_missing(run, feed, services)
    rows = read_frame(run.folder.rows(feed.name))
    plan = make_plan(
        feed,
        rows,
        known,
        removed_keys=missing.to_send,
        waits=Waits(in_flight, run.parking, _partner(run, feed, services)),
        full_resend=run.params.full_resend,
    )
    findings, referred, fitted = _prepare_to_send(feed, plan, rows, services)
    _keep_plan(run, feed, plan, fitted, missing=missing, referred=referred)
    return judge_feed(feed.name, _count(run, feed, plan, known, fitted), run.rules.limits) + findings


def _count(run: Run, feed: Feed, plan: Plan, known: pd.DataFrame, fitted: Fitted) -> FeedCounts:
    """Count what the guards judge a feed by."""
    shaped = run.folder.told_by(f"shape-{feed.name}")
    active = set(active_keys(known))
    created = set(plan.to_send.loc[plan.to_send["_row"] >= 0, "_key"]) - active
    return FeedCounts(
        extracted=int(shaped["extracted"]),
        rejected=int(shaped["rejected"]) + fitted.rejected_rows,
        active=len(active),
        gone=len(active - set(read_frame(run.folder.seen(feed.name))["_key"])) if run.carries_everything else 0,
        new=len(created),
        removals=plan.count("remove", "retire"),
        updates=plan.count("update"),
    )


def _guards(run: Run, findings: list[Finding]) -> dict[str, Any]:
    """Return what a stage tells of its guards: all that struck, and those that stop the run."""
    standing = [f.guard for f in findings if f.guard not in run.params.lift_guards] if run.stops else []
    return {"guards": guards_to_json(findings, run.params.lift_guards), "stopped_by": list(dict.fromkeys(standing))}


def _keep_shaped(folder: RunFolder, feed: Feed, shaped: Shaped) -> None:
    write_frame(folder.rows(feed.name), shaped.rows)
    write_frame(folder.seen(feed.name), shaped.seen)
    write_frame(folder.rejects(feed.name), shaped.rejects)
    write_frame(folder.filtered(feed.name), shaped.filtered)
    reasons = (shaped.rejects["column"] + " " + shaped.rejects["reason"]).value_counts()
    told: dict[str, Any] = {
        "extracted": shaped.extracted,
        "filtered": len(shaped.filtered),
        "rejected": shaped.rejected,
        "unkeyed": shaped.unkeyed,
        "filtered_because": _counted(shaped.filtered["reason"].value_counts()),
        "rejected_because": _counted(reasons),
    }
    folder.note(f"shape-{feed.name}", told)
    log.info(
        "Feed %s: %d of %d rows are fit to send, %d filtered, %d rejected.",
        feed.name,
        len(shaped.rows),
        shaped.extracted,
        len(shaped.filtered),
        shaped.rejected,
    )


def _find_missing(run: Run, feed: Feed, services: Services) -> Missing:
    if not run.carries_everything or run.params.names_devices:
        return Missing()
    told = run.folder.told_by("extract")["collections"]
    whole = all(Collection(**collection).complete for collection in told.values())
    unkeyed = int(run.folder.told_by(f"shape-{feed.name}")["unkeyed"])
    # A device is taken for gone only after a 404 of its own; an app whose key is unknown could be any of them.
    unsure = unkeyed if feed.source == "apps" else 0
    if not whole or unsure:
        cause = "the extract is not whole" if not whole else f"the keys of {unsure} rejected rows cannot be told"
        log.warning("Feed %s: nothing is taken for removed in this run, because %s.", feed.name, cause)
        return Missing()
    seen = read_frame(run.folder.seen(feed.name))
    policy, counts_for = run.params.missing_devices, str(run.folder.root) if run.params.mode == "load" else ""
    return find_missing(feed, services.ledger, seen, policy=policy, run=counts_for, iru=lambda: services.iru)


def _partner(run: Run, feed: Feed, services: Services) -> Callable[[Any], dict[int, str]] | None:
    if not feed.partner:
        return None
    partner = run.mapping.feeds[feed.partner]
    known = services.ledger.read(partner.name)
    coming = run.sent_keys(partner.name)
    return lambda rows: waiting_rows(
        rows, partner, known, services.servicenow, coming=coming, ask=not run.partner_of(feed)
    )


def _prepare_to_send(
    feed: Feed, plan: Plan, rows: pd.DataFrame, services: Services
) -> tuple[list[Finding], Referred, Fitted]:
    """Ask about key, values and columns only when something is to be sent: else ServiceNow is not asked anything."""
    if plan.to_send.empty:
        return [], Referred(plan.to_send, {}), fit(feed, plan.to_send, None)
    client = services.servicenow
    columns = read_staging_columns(client, feed.staging_table)
    if columns is None:
        log.warning("sys_dictionary may not be read: lengths and columns of %s cannot be checked.", feed.staging_table)
    require_columns(feed.staging_table, feed.column_names, columns)
    findings = check_key(feed, rows, client)
    referred = clear_unknown(feed, plan.to_send, plan.changes, client)
    return findings, referred, fit(feed, referred.to_send, columns)


def _keep_plan(run: Run, feed: Feed, plan: Plan, fitted: Fitted, *, missing: Missing, referred: Referred) -> None:
    folder, to_send = run.folder, fitted.to_send
    write_frame(folder.to_send(feed.name), to_send)
    write_frame(folder.changes(feed.name), plan.changes)
    write_frame(folder.held(feed.name), plan.held)
    write_frame(folder.parked(feed.name), plan.parked)
    write_frame(folder.too_long(feed.name), fitted.too_long)
    write_frame(folder.missing(feed.name), pd.DataFrame({"key": pd.Series(missing.reported, dtype="str")}))
    actions = {action: int((to_send["_action"] == action).sum()) for action in ACTIONS}
    cut = fitted.too_long["done"] == "cut"
    told: dict[str, Any] = {
        "unchanged": plan.unchanged,
        "rejected": fitted.rejected_rows,
        "held": len(plan.held),
        "held_because": _counted(plan.held["reason"].value_counts()),
        "parked": len(plan.parked),
        "to_send": actions,
        "rows_to_send": len(to_send),
        "cut_to_fit": _counted(fitted.too_long.loc[cut, "column"].value_counts()),
        "not_in_servicenow": referred.unknown,
        "missing_devices": len(missing.reported),
    }
    folder.note(f"plan-{feed.name}", told)
    said = ", ".join(f"{n} to {action}" for action, n in actions.items() if n) or "nothing to send"
    log.info("Feed %s: %s; %d unchanged, %d held.", feed.name, said, plan.unchanged, len(plan.held))


def _counted(counts: Any) -> dict[str, int]:
    return {str(name): int(n) for name, n in counts.items()}
