"""The sync page's bundle: HTML, script, style and icons as npm has built them, for whoever may read a flow's DAG.

Sources: Airflow, "Plugins" (a plugin's FastAPI app is open to everybody unless each route asks for a login); W3C,
"Content Security Policy Level 3".
"""

import mimetypes
from functools import cache
from pathlib import Path

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import FileResponse

from include.errors import PipelineError
from include.inventory.settings import Settings, pair_names
from iru_servicenow.sync_api.access import access_of

DIST = Path(__file__).with_name("sync_page") / "dist"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
"""The page runs its own script and nothing else, whatever the texts are that it shows; no other site may frame it."""

_KINDS = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".txt": "text/plain"}

ICONS = frozenset({"icon.svg", "icon-dark.svg"})
"""What Airflow's menu shows to everybody who is signed in."""

_NO_RIGHT = "You need the right to read a DAG of this pipeline. Ask the people who run this Airflow for it."


def require_reader(request: Request, user: GetUserDep) -> None:
    """Answer 403 to somebody who may read no flow of any pair, and 401 to a stranger."""
    if request.path_params.get("name") in ICONS:
        return
    try:
        may = [access_of(Settings.of_pair(name), request, user) for name in pair_names()]
    except PipelineError as error:
        raise HTTPException(503, str(error)) from None
    if not any(one.readable or one.reads_setup for one in may):
        raise HTTPException(403, _NO_RIGHT)


router = APIRouter(dependencies=[Depends(require_reader)])


@cache
def bundle() -> dict[str, Path]:
    """Return the bundle's files by their paths in it: what may be asked for, and nothing else."""
    return {str(path.relative_to(DIST).as_posix()): path for path in sorted(DIST.rglob("*")) if path.is_file()}


@router.get("/page/")
def index() -> Response:
    """The page itself."""
    return _file("index.html")


@router.get("/page/{name:path}")
def asset(name: str) -> Response:
    """What the page loads."""
    return _file(name)


def _file(name: str) -> Response:
    path = bundle().get(name)
    if path is None:
        raise HTTPException(404, "The sync page has no such file.")
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=HEADERS)
