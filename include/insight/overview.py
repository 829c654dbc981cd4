"""The overview: of each feed how much is where, how fresh it is, what is stuck, and a light that sums it up."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from include.detection.tables import PENDING
from include.insight.light import Signs, judge
from include.insight.paging import Row
from include.insight.period import period_s
from include.insight.reader import Question
from include.insight.scope import DAGS, Scope, dag_of
from include.insight.times import age_s, iso, now
from include.insight.unconfirmed import Counted, count
from include.inventory.ledger_tables import DEVICES, ROWS
from include.inventory.mapping import Feed, FeedMapping
from include.inventory.settings import Settings
from include.inventory.sync_tables import COUNTS_SEEN, FEEDS, RUNS, VERDICT_COLUMNS

_FEEDS_BY_END, _RUNS_BY_END = "sync_feeds_by_end", "sync_runs_by_end"
_NOTHING = Counted(0, None, None, 0, 0, 0, 0)


def overview(scope: Scope) -> Row:
    """Return the page ``overview`` of the feeds that may be read."""
    at = now()
    waiting = _waiting_changes(scope, at) if "devices" in scope.readable else None
    feeds = [_feed(scope, feed, at, waiting) for feed in scope.feeds.values()]
    return {"now": _now(at), "feeds": feeds, "waiting_changes": waiting, "quotas": _quotas(scope)}


def blank(settings: Settings, mapping: FeedMapping, readable: frozenset[str], why: str) -> Row:
    """Return the page where nothing can be known yet: every feed is grey and says why."""
    at = now()
    light, said = judge(Signs(has_run=False, blocked=why))
    feeds = [
        {
            "feed": feed.name, "flow": feed.source, "light": light, "why": said, "in_iru": None,
            "in_ledger": {"rows": 0}, "in_servicenow": None, "difference": None,
            "unconfirmed": _ages(_NOTHING, at), "stuck": _stuck(_NOTHING), "last_run": None, "last_success_at": None,
            "period_s": _period_s(settings, feed, at),
        }
        for feed in mapping.feeds.values() if feed.source in readable
    ]  # fmt: skip
    return {"now": _now(at), "feeds": feeds, "waiting_changes": None, "quotas": []}


def counts_of(row: Any) -> dict[str, int]:
    """Return the counts of a report from a row that has them as columns."""
    return {name: int(getattr(row, name)) for name in VERDICT_COLUMNS}


def _feed(scope: Scope, feed: Feed, at: datetime, waiting: Row | None) -> Row:
    seen, counted = _seen(scope, feed), count(scope, feed.name)
    last, success = _last_run(scope, feed), _last_success(scope, feed)
    in_iru, there = seen.get("iru"), seen.get("servicenow")
    difference = there["rows"] - in_iru["rows"] if in_iru and there else None
    every_s = _period_s(scope.settings, feed, at)
    light, why = judge(
        Signs(
            has_run=last is not None,
            failed=last["failed"] if last else "",
            success_age_s=age_s(success, at),
            period_s=every_s,
            unconfirmed_age_s=age_s(counted.oldest, at),
            noticed_age_s=waiting["oldest_s"] if waiting and feed.source == "devices" else None,
            refused=counted.refused,
            parked=counted.parked,
            rejected=counted.rejected,
            difference=difference,
        )
    )
    return {
        "feed": feed.name, "flow": feed.source, "light": light, "why": why, "in_iru": in_iru,
        "in_ledger": {"rows": _in_ledger(scope, feed)}, "in_servicenow": there, "difference": difference,
        "unconfirmed": _ages(counted, at), "stuck": _stuck(counted), "last_run": last, "last_success_at": iso(success),
        "period_s": every_s,
    }  # fmt: skip


def _in_ledger(scope: Scope, feed: Feed) -> int:
    """Return how many rows ServiceNow holds as active.

    A feed whose rows are grouped by device is counted by its devices, at millions of rows; a device's number is right
    there because each key belongs to one device. Other feeds have a row or two a device.
    """
    reader = scope.reader
    held = (*scope.rows_of(feed.name), ROWS.c.active, ROWS.c.row_hash.is_not(None))
    if not feed.grouped:
        return reader.number(sa.select(sa.func.count()).select_from(ROWS).where(*held))
    by_device = sa.select(sa.func.sum(DEVICES.c.rows)).where(*reader.of(DEVICES, feed=feed.name))
    deviceless = sa.select(sa.func.count()).select_from(ROWS).where(*held, ROWS.c.device.is_(None))
    return reader.number(by_device) + reader.number(reader.by(deviceless, ROWS, "ledger_rows_of_device"))


def _seen(scope: Scope, feed: Feed) -> dict[str, Row]:
    asked = sa.select(COUNTS_SEEN).where(*scope.reader.of(COUNTS_SEEN, feed=feed.name))
    return {row.side: {"rows": row.rows, "at": iso(row.at), "told_by": row.told_by} for row in scope.reader.rows(asked)}


def _of_feed(scope: Scope, feed: Feed) -> Question:
    """Return the question for a feed's loads, newest first."""
    same_run = [FEEDS.c[name] == RUNS.c[name] for name in ("source", "target", "dag_id", "run_id")]
    both = FEEDS.join(RUNS, sa.and_(*same_run))
    asked = sa.select(FEEDS, RUNS.c.failed, RUNS.c.is_whole).select_from(both)
    asked = asked.where(*scope.reader.of(FEEDS, feed=feed.name), RUNS.c.mode == "load")
    return scope.reader.by(asked.order_by(FEEDS.c.ended_at.desc()).limit(1), FEEDS, _FEEDS_BY_END)


def _last_run(scope: Scope, feed: Feed) -> Row | None:
    row = scope.reader.row(_of_feed(scope, feed))
    if row is None:
        return None
    told = {"dag_id": row.dag_id, "run_id": row.run_id, "ended_at": iso(row.ended_at), "failed": row.failed}
    return told | {"is_whole": bool(row.is_whole), "counts": counts_of(row)}


def _last_success(scope: Scope, feed: Feed) -> str | None:
    """Return when the last run of the whole fleet ended well; one of some devices proves nothing about the others."""
    row = scope.reader.row(_of_feed(scope, feed).where(RUNS.c.failed == "", RUNS.c.is_whole))
    return str(row.ended_at) if row else None


def _period_s(settings: Settings, feed: Feed, at: datetime) -> float | None:
    schedules = {"devices": settings.devices_schedule, "apps": settings.apps_schedule}
    return period_s(schedules[feed.source], at)


def _waiting_changes(scope: Scope, at: datetime) -> Row | None:
    if not scope.settings.watches:
        return None
    seen_at = PENDING.c.seen_at_s
    asked = sa.select(sa.func.count(), sa.func.min(seen_at), sa.func.max(seen_at)).where(*scope.reader.of(PENDING))
    n, oldest, newest = scope.reader.row(asked) or (0, None, None)
    ages: dict[str, float | None] = {"oldest_s": oldest, "newest_s": newest}
    return {"n": int(n)} | {
        name: None if since is None else round(max(0.0, at.timestamp() - since), 1) for name, since in ages.items()
    }


def _quotas(scope: Scope) -> list[Row]:
    """Return what the newest run that was told a limit saw of it, by service."""
    found = []
    for service, limit in (("iru", RUNS.c.iru_limit), ("servicenow", RUNS.c.servicenow_limit)):
        dags = [dag_of(scope.settings, flow) for flow in DAGS if flow in scope.readable]
        of_run = (*scope.reader.of(RUNS), RUNS.c.dag_id.in_(dags), limit.is_not(None))
        asked = sa.select(RUNS).where(*of_run).order_by(RUNS.c.ended_at.desc()).limit(1)
        row = scope.reader.row(scope.reader.by(asked, RUNS, _RUNS_BY_END))
        found.append(_quota(service, row))
    return found


def _quota(service: str, row: Any) -> Row:
    name = {"iru": "Iru", "servicenow": "ServiceNow"}[service]
    if row is None:
        says = f"No run has been told a limit of requests by {name}."
        return {"service": service, "limit": None, "used": None, "share": None, "at": None, "says": says}
    if service == "iru":
        limit, used = row.iru_limit, row.iru_limit - (row.iru_remaining or 0)
        says = f"{used:,} of the tenant's {limit:,} requests an hour were used, by all its clients together."
    else:
        limit, used = row.servicenow_limit, row.servicenow_used or 0
        says = f"The last run that met a rate limit rule used {used:,} of its {limit:,} requests."
    share = round(used / limit, 4) if limit else None
    return {"service": service, "limit": limit, "used": used, "share": share, "at": iso(row.ended_at), "says": says}


def _ages(counted: Counted, at: datetime) -> Row:
    ages = {"oldest_s": age_s(counted.oldest, at), "newest_s": age_s(counted.newest, at)}
    return {"n": counted.unconfirmed} | ages


def _stuck(counted: Counted) -> Row:
    return {name: getattr(counted, name) for name in ("refused", "parked", "held", "rejected")}


def _now(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
