"""``POST /prism/export`` and ``GET /prism/export/{id}``.

The file is written behind the request and reported with a signed address once it is complete; it
shows the tenant as it was while it was written: https://api-docs.kandji.io (Prism, Export).
"""

import csv
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from include.sandbox.iru.device_edit import read_json_object
from include.sandbox.iru.errors import bad_request, not_found
from include.sandbox.iru.export_faults import address_age_s, failure, pending_s, truncate
from include.sandbox.iru.export_files import export_folder, signed_address
from include.sandbox.iru.fault_kinds import EXPORT
from include.sandbox.iru.prism_categories import EXPORTABLE, find_category, invalid_category
from include.sandbox.iru.prism_columns import Category
from include.sandbox.iru.prism_query import PrismQuery
from include.sandbox.iru.prism_rows import every_batch
from include.sandbox.iru.row_faults import hostile_records
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
    if fault := tenant.faults.take(EXPORT, name):
        tenant.export_faults[export_id] = fault
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
    with target.open("w", newline="", encoding="utf-8", errors="surrogatepass") as stream:
        writer = csv.writer(stream)
        writer.writerow([column.key for column in category.columns])
        for batch in every_batch(tenant, category, query):
            records = [category.row(tuple(row)) for row in batch]
            for record in hostile_records(tenant, category.name, records):
                writer.writerow(map(_cell, record.values()))
    truncate(target, tenant.export_faults.get(export_id))
    with tenant.database.transaction() as connection:
        connection.execute("UPDATE exports SET written_at = ? WHERE id = ?", (tenant.now(), export_id))


def _file(tenant: Tenant, export_id: str) -> Path:
    row = tenant.database.rows("SELECT file FROM exports WHERE id = ?", (export_id,))[0]
    return export_folder(tenant.settings.database_path) / str(row["file"])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _export_json(request: Request, tenant: Tenant, export_id: str) -> dict[str, Any]:
    rows = tenant.database.rows("SELECT * FROM exports WHERE id = ?", (export_id,))
    if not rows:
        raise not_found()
    row = rows[0]
    age_s = (tenant.clock.now() - read_time(row["created_at"])).total_seconds()
    fault = tenant.export_faults.get(export_id)
    ended = row["written_at"] is not None and age_s >= pending_s(tenant, fault)
    failed = failure(fault) if ended else None
    done = ended and not failed
    return {
        "id": row["id"],
        "status": failed[0] if failed else "success" if done else "pending",
        "category": row["category"],
        "args": json.loads(row["args"]),
        "error_msg": failed[1] if failed else None,
        "path": row["file"] if done else None,
        "signed_url": _signed_address(request, tenant, row) if done else None,
        "created_at": row["created_at"],
        "updated_at": row["written_at"] if ended else row["created_at"],
    }


def _signed_address(request: Request, tenant: Tenant, row: sqlite3.Row) -> str:
    age_s = address_age_s(tenant, row["category"])
    return signed_address(tenant, str(request.base_url), row["file"], age_s=age_s)
