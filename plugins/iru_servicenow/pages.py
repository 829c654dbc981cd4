"""The pages that runs leave, behind Airflow's login: who may see a DAG may see what its runs report.

Source: Airflow, "Plugins" (a plugin's FastAPI app is open to everybody unless each route asks for a login).
"""

import re

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Response

from include.inventory.settings import storage_root
from iru_servicenow import sync_files
from iru_servicenow.storage import storage_path
from iru_servicenow.sync_api.app import make_api

FILES = {
    "report.html": "text/html",
    "plan.html": "text/html",
    "preflight.html": "text/html",
    "reconcile.html": "text/html",
    "report.json": "application/json",
    "preflight.json": "application/json",
    "reconcile.json": "application/json",
    "problems.csv": "text/csv",
}
"""What may be asked for, and nothing else that a run keeps."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-downloads",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Pages hold what servers said: no script runs on them, whatever gets into them."""

_DAG_ID = re.compile(r"[\w.-]{1,250}")
_DOTS = frozenset({".", ".."})
_RUN_ID = re.compile(r"[^/\\\x00-\x1f]{1,250}")


def make_app() -> FastAPI:
    """Return the app: the sync page and its API, and the runs' pages, which need the right to read the DAG."""
    app = FastAPI(title="Iru to ServiceNow", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/runs/{dag_id}/{run_id}/{name}", dependencies=[Depends(requires_access_dag("GET"))])
    def read(dag_id: str, run_id: str, name: str) -> Response:
        return _read(dag_id, run_id, name)

    app.include_router(sync_files.router)
    app.mount("/api", make_api())
    return app


def _read(dag_id: str, run_id: str, name: str) -> Response:
    if name not in FILES or not _DAG_ID.fullmatch(dag_id) or not _RUN_ID.fullmatch(run_id) or {dag_id, run_id} & _DOTS:
        raise HTTPException(404, "There is no such page.")
    path = storage_path(storage_root()) / "runs" / dag_id / run_id / name
    if not path.exists():
        raise HTTPException(404, f"Run {run_id} of {dag_id} has left no {name}, or its files were removed meanwhile.")
    shown = {"Content-Disposition": f'attachment; filename="{name}"'} if FILES[name] == "text/csv" else {}
    return Response(path.read_bytes(), media_type=f"{FILES[name]}; charset=utf-8", headers=HEADERS | shown)
