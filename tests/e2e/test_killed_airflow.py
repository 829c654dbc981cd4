"""SIGKILL of the task, of its worker and of the scheduler in mid-load; a real Airflow then goes on by itself."""

from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from real_airflow import Stage, stage

_SANDBOX = ("--devices", "60", "--apps-per-device", "50", "--seed", "11")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One Airflow for all kills; everything is in ServiceNow already."""
    with stage(tmp_path_factory.mktemp("killed"), *_SANDBOX) as at_work:
        for dag_id in ("iru_devices", "iru_apps"):
            at_work.run(dag_id)
        at_work.slow_down(0.01)
        yield at_work


def _task(airflow: Stage) -> list[psutil.Process]:
    return [airflow.task()]


def _worker(airflow: Stage) -> list[psutil.Process]:
    return [airflow.worker()]


def _scheduler(airflow: Stage) -> list[psutil.Process]:
    return [airflow.scheduler(), *airflow.scheduler().children(recursive=True)]


@pytest.mark.parametrize("find", [_task, _worker, _scheduler])
def test_a_kill_in_mid_load_costs_nothing(airflow: Stage, find: Callable[[Stage], list[psutil.Process]]) -> None:
    """Airflow brings the run to its end: both sides agree, and no row was staged twice."""
    before, staged = airflow.fleet(), airflow.staged("apps")
    airflow.change(update_apps=1200, install_apps=30, remove_apps=20, seed=len(find.__name__))
    run_id = airflow.kill_in_mid_load("iru_apps", "apps", lambda: find(airflow), rows=600)
    if find is _scheduler:
        airflow.airflow.restart("scheduler")
    report = airflow.end_of("iru_apps", run_id)
    assert airflow.tried("iru_apps", run_id)["load.apps"] == ("success", 2)
    counts = report["feeds"]["apps"]
    assert airflow.staged("apps") - staged == _sent(counts)
    assert _sent(airflow.run("iru_apps")["feeds"]["apps"]) == 0
    found = airflow.compare(before)
    assert found.agree, found.lines()


def _sent(counts: dict[str, Any]) -> int:
    return sum(counts[name] for name in ("inserted", "updated", "processed", "ignored", "skipped", "error", "removed"))
