"""The last set-up check, as its run left it."""

import re
from datetime import UTC, datetime
from typing import Any

from include.insight.paging import Row
from include.insight.times import iso_of_s
from include.preflight.finding import Finding
from include.storage import StoragePath, read_json

FILE = "preflight.json"
LOOKED_AT = 20
"""Checks that left nothing are passed over, so many of them."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def setup(runs: StoragePath, dag_id: str) -> Row:
    """Return the newest check below ``runs``, the folder of all DAGs' runs; without findings where there is none."""
    folder = runs / dag_id
    begun = (
        sorted(folder.iterdir(), key=lambda run: (_began(run.name), run.name), reverse=True) if folder.exists() else []
    )
    for run in begun[:LOOKED_AT]:
        if (run / FILE).exists():
            findings = [_finding(value) for value in read_json(run / FILE)]
            return {"dag_id": dag_id, "run_id": run.name, "at": _at(run), "findings": findings}
    return {"dag_id": dag_id, "run_id": None, "at": None, "findings": []}


def _finding(value: Any) -> Row:
    names = ("check", "question", "state", "seen", "to_do", "loses_data")
    found = Finding(**{name: value[name] for name in names})
    return {"check": found.check, "part": found.part} | {name: value[name] for name in names[1:]}


def _began(run_id: str) -> str:
    """Return the time that Airflow puts into a run's id; "" where a person chose another one."""
    found = _MOMENT.search(run_id)
    return found.group() if found else ""


def _at(run: StoragePath) -> str | None:
    file: Any = run / FILE  # every path has stat; an object store may tell no time
    try:
        return iso_of_s(float(file.stat().st_mtime))
    except (OSError, AttributeError, TypeError, ValueError):
        began = _began(run.name)
        return datetime.fromisoformat(began).replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if began else None
