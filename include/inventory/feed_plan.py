"""Plan one feed bucket by bucket: what is compared, sent and written at a time is bounded.

Where a feed's rows belong to devices, a device whose digest is the ledger's is not looked into.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from include.inventory.bulk_write import batched
from include.inventory.coalesce import check_key
from include.inventory.guards import FeedCounts, Finding, judge_feed
from include.inventory.ledger_tables import to_frame
from include.inventory.lengths import Fitted, fit
from include.inventory.listed import iter_listed
from include.inventory.mapping import Feed
from include.inventory.missing import Missing
from include.inventory.parts import Collected
from include.inventory.plan import ACTIONS, Plan, Waits, active_keys, make_plan
from include.inventory.references import clear_unknown
from include.inventory.run import Run, Services
from include.servicenow.dictionary import StagingColumns, read_staging_columns, require_columns
from include.texts import is_among, values_of

log = logging.getLogger(__name__)

_KEYS_AT_A_TIME = 20_000


class FeedPlan:
    """Plans one feed; ``told`` is what the stage notes of it, ``findings`` are the guards that strike."""

    def __init__(self, run: Run, feed: Feed, services: Services, waits: Waits, *, removes: bool) -> None:
        self._run, self._feed, self._services, self._waits = run, feed, services, waits
        self._removes = removes
        self._to_send = run.folder.to_send(feed.name)
        self._parts = 0
        self._nothing = pd.DataFrame()
        folder = run.folder
        self._changes, self._held = Collected(folder.changes(feed.name)), Collected(folder.held(feed.name))
        self._parked, self._too_long = Collected(folder.parked(feed.name)), Collected(folder.too_long(feed.name))
        self._counts: Counter[str] = Counter()
        self._actions: Counter[str] = Counter()
        self._why_held: Counter[str] = Counter()
        self._cut: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._as_held: list[str] = []

    def compare(self, *, shortcut: bool) -> None:
        """Compare all listed rows with the ledger; ``shortcut`` passes over devices whose digest has not changed.

        Devices of rows that somebody has ordered to be sent are looked into all the same.
        """
        ledger, name, waits = self._services.ledger, self._feed.name, self._waits
        ordered = ledger.read_keys(name, waits.resend | waits.parking.ordered)
        look_into = set(values_of(ordered["device"].dropna()))
        for listed in iter_listed(self._run.folder, self._feed, ledger, shortcut=shortcut, look_into=look_into):
            self._nothing = listed.rows.iloc[:0]
            gone = listed.gone if self._run.carries_everything else []
            self._counts["unchanged"] += listed.unchanged
            self._counts["listed_active"] += listed.active
            self._counts["gone"] += len(gone)
            self._plan(listed.rows, listed.known, gone if self._removes else [])
        if self._removes and not self._feed.grouped:
            self.remove(sorted(ledger.active_keys(name) - self._run.seen_keys(name)))

    def remove(self, keys: Sequence[str]) -> None:
        """Send rows once more with the feed's removed values."""
        for some in batched(keys, _KEYS_AT_A_TIME):
            known = self._services.ledger.read_keys(self._feed.name, some)
            self._plan(self._nothing, known, some)

    def finish(self, missing: Missing) -> tuple[dict[str, Any], list[Finding]]:
        """Close what was written; return what the stage notes, and the guards that strike."""
        nothing = self._plan_of(self._nothing, to_frame([]), ())  # what there is none of has its columns all the same
        if not self._parts:
            self._to_send.write(0, nothing.to_send)
        self._to_send.clear(keep=max(1, self._parts))
        too_long = fit(self._feed, nothing.to_send, None).too_long
        self._changes.close(nothing.changes)
        self._held.close(nothing.held)
        self._parked.close(nothing.parked)
        self._too_long.close(too_long)
        findings: list[Finding] = []
        if self._actions.total():
            rows = self._run.folder.rows(self._feed.name)
            findings = check_key(self._feed, rows.read, self._services.servicenow)
        return self._told(missing), judge_feed(self._feed.name, self._judged(), self._run.rules.limits) + findings

    @cached_property
    def _columns(self) -> StagingColumns | None:
        table = self._feed.staging_table
        columns = read_staging_columns(self._services.servicenow, table)
        if columns is None:
            log.warning("sys_dictionary may not be read: lengths and columns of %s cannot be checked.", table)
        require_columns(table, self._feed.column_names, columns)
        return columns

    def _plan(self, rows: pd.DataFrame, known: pd.DataFrame, removed: Sequence[str]) -> None:
        if rows.empty and not removed:
            return
        plan = self._plan_of(rows, known, removed)
        self._changes.add(plan.changes)
        self._held.add(plan.held)
        self._parked.add(plan.parked)
        self._why_held.update(values_of(plan.held["reason"]))
        self._as_held += plan.as_held
        self._counts["unchanged"] += plan.unchanged
        self._counts["updates"] += plan.count("update")
        self._counts["removals"] += plan.count("remove", "retire")
        if len(plan.to_send):
            self._keep(self._fitted(plan), known)

    def _plan_of(self, rows: pd.DataFrame, known: pd.DataFrame, removed: Sequence[str]) -> Plan:
        resend = self._run.params.full_resend
        return make_plan(self._feed, rows, known, removed_keys=removed, waits=self._waits, full_resend=resend)

    def _fitted(self, plan: Plan) -> Fitted:
        """Ask about values and columns only when something is to be sent: else ServiceNow is not asked anything."""
        columns = self._columns
        referred = clear_unknown(self._feed, plan.to_send, plan.changes, self._services.servicenow)
        self._unknown.update(referred.unknown)
        return fit(self._feed, referred.to_send, columns)

    def _keep(self, fitted: Fitted, known: pd.DataFrame) -> None:
        to_send = fitted.to_send
        self._too_long.add(fitted.too_long)
        cut = fitted.too_long["done"] == "cut"
        self._cut.update(fitted.too_long.loc[cut, "column"].tolist())
        self._counts["rejected"] += fitted.rejected_rows
        if to_send.empty:
            return
        self._to_send.write(self._parts, to_send)
        self._parts += 1
        self._actions.update(values_of(to_send["_action"]))
        active = set(active_keys(known))
        self._counts["new"] += int((~is_among(to_send.loc[to_send["_row"] >= 0, "_key"], active)).sum())

    def _judged(self) -> FeedCounts:
        """Count what the guards judge a feed by."""
        shaped = self._run.folder.told_by(f"shape-{self._feed.name}")
        active = self._services.ledger.count_active(self._feed.name)
        gone = self._counts["gone"] if self._feed.grouped else active - self._counts["listed_active"]
        return FeedCounts(
            extracted=int(shaped["extracted"]),
            rejected=int(shaped["rejected"]) + self._counts["rejected"],
            active=active,
            gone=gone if self._run.carries_everything else 0,
            new=self._counts["new"],
            removals=self._counts["removals"],
            updates=self._counts["updates"],
        )

    def _told(self, missing: Missing) -> dict[str, Any]:
        actions = {action: self._actions[action] for action in ACTIONS}
        said = ", ".join(f"{n} to {action}" for action, n in actions.items() if n) or "nothing to send"
        unchanged = self._counts["unchanged"]
        log.info("Feed %s: %s; %d unchanged, %d held.", self._feed.name, said, unchanged, self._held.rows)
        return {
            "unchanged": unchanged,
            "rejected": self._counts["rejected"],
            "held": self._held.rows,
            "held_because": dict(self._why_held.most_common()),
            "parked": self._parked.rows,
            "to_send": actions,
            "rows_to_send": self._actions.total(),
            "cut_to_fit": dict(self._cut.most_common()),
            "not_in_servicenow": dict(self._unknown),
            "missing_devices": len(missing.reported),
            "as_held": self._as_held,
        }
