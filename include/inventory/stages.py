"""The stages of a run, each a function over its folder and its services; settle is in ``conclude.py``."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from include.inventory.extract import Collection, extract_source, read_method
from include.inventory.ledger import Ledger
from include.inventory.lengths import Fitted, fit
from include.inventory.mapping import Feed, FeedMapping, SourceName
from include.inventory.missing import Missing, find_missing
from include.inventory.params import RunParams
from include.inventory.partner import waiting_rows
from include.inventory.plan import ACTIONS, Plan, make_plan
from include.inventory.read_sources import read_source, source_fields
from include.inventory.references import Referred, clear_unknown
from include.inventory.run_folder import RunFolder
from include.inventory.shape import Shaped, shape
from include.iru.client import IruClient
from include.servicenow.client import ServiceNowClient
from include.servicenow.dictionary import read_staging_columns, require_columns
from include.storage import read_frame, write_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """What all stages of one run share."""

    source: SourceName
    params: RunParams
    mapping: FeedMapping
    folder: RunFolder

    @property
    def feeds(self) -> list[Feed]:
        """The feeds of this run, in the order in which they are loaded."""
        return [feed for feed in self.mapping.of_source(self.source) if feed.name in self.params.feeds]


class Services:
    """What planning may ask: the ledger, and both APIs, connected only when something is asked of them."""

    def __init__(
        self, ledger: Ledger, *, iru: Callable[[], IruClient], servicenow: Callable[[], ServiceNowClient]
    ) -> None:
        self.ledger = ledger
        self._connect_iru = iru
        self._connect_servicenow = servicenow

    @cached_property
    def iru(self) -> IruClient:
        """The tenant's client."""
        return self._connect_iru()

    @cached_property
    def servicenow(self) -> ServiceNowClient:
        """The instance's client."""
        return self._connect_servicenow()

    def requests(self) -> dict[str, int]:
        """Return how often each service was asked, without connecting to one that was not."""
        return {name: self.__dict__[name].requests.total for name in ("iru", "servicenow") if name in self.__dict__}


def run_extract(run: Run, client: IruClient) -> None:
    """Fetch the run's source; RunUnsafe when it is not whole, or Iru's quota too small, and the guard not lifted."""
    note = extract_source(
        client,
        run.source,
        run.folder,
        fields=source_fields(run.mapping, run.source),
        lift_guards=run.params.lift_guards,
        method=read_method() if run.source == "apps" else "pages",
    )
    run.folder.note("extract", note)


def run_shape(run: Run) -> None:
    """Validate and reshape the extracted pages into one staging frame per feed."""
    source = read_source(run.folder, run.mapping, run.source)
    for feed in run.feeds:
        shaped = shape(source, feed, run.mapping, run.params)
        _keep_shaped(run.folder, feed, shaped)


def run_plan(run: Run, services: Services) -> None:
    """Compare every feed with the ledger and write what is to be sent; nothing is sent."""
    for feed in run.feeds:
        known = services.ledger.read(feed.name)
        missing = _find_missing(run, feed, services)
        plan = make_plan(
            feed,
            read_frame(run.folder.rows(feed.name)),
            known,
            removed_keys=missing.to_send,
            waiting=_waiting(run, feed, services),
            full_resend=run.params.full_resend,
        )
        referred, fitted = _prepare_to_send(feed, plan, services)
        _keep_plan(run, feed, plan, fitted, missing=missing, referred=referred)
    run.folder.note("plan", {"requests": services.requests()})


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
    return find_missing(feed, services.ledger, seen, policy=run.params.missing_devices, iru=lambda: services.iru)


def _waiting(run: Run, feed: Feed, services: Services) -> Callable[[Any], dict[int, str]] | None:
    if not feed.partner:
        return None
    partner = run.mapping.feeds[feed.partner]
    known = services.ledger.read(partner.name)
    return lambda rows: waiting_rows(rows, partner, known, services.servicenow)


def _prepare_to_send(feed: Feed, plan: Plan, services: Services) -> tuple[Referred, Fitted]:
    """Ask about values and columns only when something is to be sent: an unchanged fleet costs ServiceNow nothing."""
    if plan.to_send.empty:
        return Referred(plan.to_send, {}), fit(feed, plan.to_send, None)
    client = services.servicenow
    columns = read_staging_columns(client, feed.staging_table)
    if columns is None:
        log.warning("sys_dictionary may not be read: lengths and columns of %s cannot be checked.", feed.staging_table)
    require_columns(feed.staging_table, feed.column_names, columns)
    referred = clear_unknown(feed, plan.to_send, plan.changes, client)
    return referred, fit(feed, referred.to_send, columns)


def _keep_plan(run: Run, feed: Feed, plan: Plan, fitted: Fitted, *, missing: Missing, referred: Referred) -> None:
    folder, to_send = run.folder, fitted.to_send
    write_frame(folder.to_send(feed.name), to_send)
    write_frame(folder.changes(feed.name), plan.changes)
    write_frame(folder.held(feed.name), plan.held)
    write_frame(folder.too_long(feed.name), fitted.too_long)
    write_frame(folder.missing(feed.name), pd.DataFrame({"key": pd.Series(missing.reported, dtype="str")}))
    actions = {action: int((to_send["_action"] == action).sum()) for action in ACTIONS}
    cut = fitted.too_long["done"] == "cut"
    told: dict[str, Any] = {
        "unchanged": plan.unchanged,
        "rejected": fitted.rejected_rows,
        "held": len(plan.held),
        "held_because": _counted(plan.held["reason"].value_counts()),
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
