"""Runs: what each sent and took, and what the runs of a day made together."""

import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from include.insight.overview import counts_of
from include.insight.paging import EMPTY, Asked, Page, Row, beyond, count_up_to, cursor_at, cut
from include.insight.scope import FLOWS, Scope, dag_of
from include.insight.times import iso, now
from include.inventory.sync_tables import DAYS, FEEDS, RUNS

MOST_DAYS = 366

_ORDER = (RUNS.c.ended_at, RUNS.c.dag_id, RUNS.c.run_id)

_SHORTEST_S = 0.5
"""A load that was shorter tells nothing about rows a second."""


def runs(scope: Scope, asked: Asked, *, flow: str | None = None) -> Page:
    """Return runs of the flows that may be read, newest first."""
    flows = [each for each in FLOWS if each in scope.readable and flow in (None, "", each)]
    if not flows:
        return EMPTY
    of_flows = (*scope.reader.of(RUNS), RUNS.c.flow.in_(flows))
    question = sa.select(RUNS).where(*of_flows)
    begun = asked.after(str, str, str)
    total = begun[1] if begun else count_up_to(scope.reader, question)
    if begun:
        question = question.where(beyond(_ORDER, begun[0], descending=True))
    ordered = question.order_by(*(column.desc() for column in _ORDER)).limit(asked.limit + 1)
    found, more = cut(scope.reader.rows(ordered), asked.limit)
    feeds = _feeds_of(scope, found)
    following = cursor_at(total, *(getattr(found[-1], column.name) for column in _ORDER)) if more else None
    return Page([_run(scope, row, feeds[row.dag_id, row.run_id]) for row in found], following, total)


def days(scope: Scope, most: int) -> list[Row]:
    """Return the counts of each feed's runs, day by day, oldest first."""
    since = (now() - timedelta(days=min(most, MOST_DAYS) - 1)).strftime("%Y-%m-%d")
    asked = sa.select(DAYS).where(*scope.reader.of(DAYS), DAYS.c.feed.in_(list(scope.feeds)), DAYS.c.day >= since)
    found = scope.reader.rows(asked.order_by(DAYS.c.day, DAYS.c.feed))
    return [
        {"day": row.day, "feed": row.feed, "runs": row.runs, "failed": row.failed, "counts": counts_of(row)}
        for row in found
    ]


def latency(scope: Scope, most: int) -> list[Row]:
    """Return how long changes took from noticed to confirmed, day by day.

    A day's figures are its runs', weighted by the changes that each carried.
    """
    if "devices" not in scope.readable:
        return []
    since = (now() - timedelta(days=min(most, MOST_DAYS) - 1)).strftime("%Y-%m-%d 00:00:00")
    day = sa.func.substr(RUNS.c.ended_at, 1, 10).label("day")
    n = sa.func.sum(RUNS.c.latency_n)
    weighted = (sa.func.sum(column * RUNS.c.latency_n) / n for column in (RUNS.c.latency_p50_s, RUNS.c.latency_p95_s))
    of_flow = (*scope.reader.of(RUNS), RUNS.c.dag_id == dag_of(scope.settings, "devices"))
    timed = (RUNS.c.ended_at >= since, RUNS.c.latency_n > 0)
    asked = sa.select(day, n, *weighted).where(*of_flow, *timed).group_by(day).order_by(day)
    return [
        {"day": of_day, "n": int(changes), "p50_s": round(p50, 1), "p95_s": round(p95, 1)}
        for of_day, changes, p50, p95 in scope.reader.rows(asked)
    ]


def _feeds_of(scope: Scope, found: list[Any]) -> dict[tuple[str, str], list[Any]]:
    told: dict[tuple[str, str], list[Any]] = defaultdict(list)
    if found:
        ids = [row.run_id for row in found]
        asked = sa.select(FEEDS).where(*scope.reader.of(FEEDS), FEEDS.c.run_id.in_(ids))
        dags = list({row.dag_id for row in found})
        for row in scope.reader.rows(asked.where(FEEDS.c.dag_id.in_(dags), FEEDS.c.feed.in_(list(scope.feeds)))):
            told[row.dag_id, row.run_id].append(row)
    return told


def _run(scope: Scope, row: Any, feeds: list[Any]) -> Row:
    rank = list(scope.feeds)
    feeds = sorted(feeds, key=lambda feed: rank.index(feed.feed))
    latency_of = {"n": row.latency_n, "p50_s": row.latency_p50_s, "p95_s": row.latency_p95_s}
    return {
        "dag_id": row.dag_id, "run_id": row.run_id, "flow": row.flow, "mode": row.mode, "is_whole": bool(row.is_whole),
        "began_at": iso(row.began_at), "ended_at": iso(row.ended_at), "failed": row.failed,
        "feeds": {feed.feed: counts_of(feed) for feed in feeds},
        "rows_sent": row.rows_sent, "load_s": row.load_s,
        "rows_per_s": round(row.rows_sent / row.load_s, 1) if row.load_s >= _SHORTEST_S and row.rows_sent else None,
        "requests": {"iru": row.requests_iru, "servicenow": row.requests_servicenow}, "retries": row.retries,
        "latency": latency_of if row.latency_n and row.latency_p50_s is not None else None,
        "import_sets": [each for feed in feeds for each in _import_sets(scope, feed)],
        "report_url": scope.report_url(row.dag_id, row.run_id),
    }  # fmt: skip


def _import_sets(scope: Scope, feed: Any) -> list[Row]:
    try:
        names = json.loads(feed.import_sets)
    except ValueError:
        return []
    told = [scope.import_set(name) for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return [{"feed": feed.feed, **each} for each in told if each]
