"""A run's report as metrics, through Airflow's own StatsD or OpenTelemetry, with the report's names."""

from airflow.sdk.observability import stats

from include.inventory.report import Report

PREFIX = "iru_servicenow"


def send_metrics(report: Report, *, pair: str) -> None:
    """Send the report's counts, by feed and verdict, and its requests, retries and waiting.

    The last run's numbers are gauges, what adds up over runs are counters. Without metrics switched on in Airflow this
    does nothing.
    """
    tags = {"dag_id": report.dag_id, "mode": report.mode} | ({"pair": pair} if pair else {})
    for feed, told in report.feeds.items():
        for verdict, n in told.counts.items():
            stats.gauge(f"{PREFIX}.{feed}.{verdict}", n, tags=tags)
    for service, n in report.requests.items():
        stats.incr(f"{PREFIX}.requests.{service}", int(n), tags=tags)
    for service, n in report.retries.items():
        stats.incr(f"{PREFIX}.retries.{service}", int(n), tags=tags)
    for service, seconds in report.waited_s.items():
        stats.gauge(f"{PREFIX}.waited_s.{service}", seconds, tags=tags)
    stats.incr(f"{PREFIX}.runs.{'failed' if report.failed else 'succeeded'}", tags=tags)
