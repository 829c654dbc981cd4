"""``POST /prism/export`` and ``GET /prism/export/{id}``.

The file is written behind the request and reported with a signed address once it is complete; it
shows the tenant as it was while it was written: https://api-docs.kandji.io (Prism, Export).
"""

import csv
import json
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_edit import read_json_object
from include.sandbox.iru.errors import bad_request, not_found
from include.sandbox.iru.export_files import export_folder, signed_address
from include.sandbox.iru.prism_categories import EXPORTABLE, find_category, invalid_category
from include.sandbox.iru.prism_columns import Category
from include.sandbox.iru.prism_query import PrismQuery
from include.sandbox.iru.prism_rows import every_row
from include.sandbox.iru.spelling import read_time
from include.sandbox.iru.tenant import Tenant, TenantOf

router = APIRouter()
_DEFAULT_ARGS: dict[str, Any] = {
    "filter": {}, "columns": [], "sort_by": "", "blueprint_ids": [], "device_families": [],
}  # fmt: skip


@router.post("/prism/export")
async def request_export(request: Request, tenant: TenantOf) -> JSONResponse:
    """Start an export and return it as pending."""
    body = await read_json_object(request)
    name = body.get("category")
    if not isinstance(name, str) or name not in EXPORTABLE:
        raise invalid_category(name)
    args = {key: body.get(key) or default for key, default in _DEFAULT_ARGS.items()}
    category = find_category(name, tenant.switches)
    query = _query(category, args)
    query.condition(category)
    export_id = _record(tenant, name, args)
    threading.Thread(
        target=_write, args=(tenant, category, query, export_id), name=f"export-{export_id}", daemon=True
    ).start()
    return JSONResponse(_export_json(request, tenant, export_id))


@router.get("/prism/export/{export_id}")
def get_export(export_id: str, request: Request, tenant: TenantOf) -> JSONResponse:
    """Return an export's state, with the signed address of its file once there is one."""
    return JSONResponse(_export_json(request, tenant, export_id))


def _query(category: Category, args: dict[str, Any]) -> PrismQuery:
    if not isinstance(args["filter"], dict):
        raise bad_request("Invalid filter: expected an object")
    for name in ("blueprint_ids", "device_families"):
        if not isinstance(args[name], list):
            raise bad_request(f"Invalid {name}: expected a list")
    sort_by = str(args["sort_by"])
    return PrismQuery(
        blueprint_ids=tuple(map(str, args["blueprint_ids"])),
        device_families=tuple(map(str, args["device_families"])),
        filter=args["filter"],
        # The documented example request sorts by a misspelled key and is answered with 200.
        sort_by=sort_by if category.column(sort_by.removeprefix("-")) else "",
    )


def _record(tenant: Tenant, category: str, args: dict[str, Any]) -> str:
    export_id, now = str(uuid4()), tenant.now()
    organization = tenant.database.rows("SELECT value FROM meta WHERE key = 'integration_id'")[0][0]
    file = f"visibility-export/{organization}/export-{now[:10]}-{category}-{export_id}.csv"
    with tenant.database.transaction() as connection:
        connection.execute(
            "INSERT INTO exports VALUES (?, ?, ?, ?, ?, NULL)",
            (export_id, category, json.dumps(args), file, now),
        )
    return export_id


def _write(tenant: Tenant, category: Category, query: PrismQuery, export_id: str) -> None:
    target = _file(tenant, export_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([column.key for column in category.columns])
        for row in every_row(tenant, category, query):
            writer.writerow(_cell(value) for value in category.row(tuple(row)).values())
    with tenant.database.transaction() as connection:
        connection.execute("UPDATE exports SET written_at = ? WHERE id = ?", (tenant.now(), export_id))


def _file(tenant: Tenant, export_id: str) -> Path:
    row = tenant.database.rows("SELECT file FROM exports WHERE id = ?", (export_id,))[0]
    return export_folder(tenant.settings.database_path) / str(row["file"])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _export_json(request: Request, tenant: Tenant, export_id: str) -> dict[str, Any]:
    rows = tenant.database.rows("SELECT * FROM exports WHERE id = ?", (export_id,))
    if not rows:
        raise not_found()
    row = rows[0]
    age_s = (tenant.clock.now() - read_time(row["created_at"])).total_seconds()
    done = row["written_at"] is not None and age_s >= tenant.switches.export_delay_s
    return {
        "id": row["id"],
        "status": "success" if done else "pending",
        "category": row["category"],
        "args": json.loads(row["args"]),
        "error_msg": None,
        "path": row["file"] if done else None,
        "signed_url": signed_address(tenant, str(request.base_url), row["file"]) if done else None,
        "created_at": row["created_at"],
        "updated_at": row["written_at"] if done else row["created_at"],
    }
