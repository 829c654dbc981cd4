"""Routes of devices, addressed by Iru's id of them, never by a serial number."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path

from include.insight.apps import apps
from include.insight.ask import ONCE_MORE, READ_TIMEOUT_S, Services, ask
from include.insight.device import device
from include.insight.devices import devices
from include.insight.history import of_device
from include.insight.paging import DEFAULT_ROWS, EMPTY, Asked
from include.insight.search import Search
from include.inventory.settings import Settings
from include.iru.client import IruClient
from include.servicenow.client import ServiceNowClient
from iru_servicenow.storage import storage_path
from iru_servicenow.sync_api.access import ReadsApps, ReadsDevices
from iru_servicenow.sync_api.answers import Json
from iru_servicenow.sync_api.bodies import NO_NUL, Nothing, Paged
from iru_servicenow.sync_api.empty import or_empty
from iru_servicenow.sync_api.guard import body_of
from iru_servicenow.sync_api.run_routes import Cursor, Limit
from iru_servicenow.under_way import iru_hook, servicenow_hook

router = APIRouter()

DeviceId = Annotated[str, Path(max_length=200, pattern=NO_NUL)]


@router.post("/{pair}/devices")
def post_devices(mine: ReadsDevices, body: Annotated[Paged, Depends(body_of(Paged))]) -> Json:
    """Return devices."""
    asked, search = Asked(body.cursor, body.limit), Search(body.search or "")
    return Json(or_empty(mine, lambda scope: devices(scope, search, asked), EMPTY).to_json())


@router.get("/{pair}/devices/{device_id}")
def get_device(mine: ReadsDevices, device_id: DeviceId) -> Json:
    """Return one device as the ledger and the runs' files know it."""
    with mine.scope() as scope:
        return Json(device(scope, device_id, storage_path))


@router.post("/{pair}/devices/{device_id}/ask")
def post_ask(mine: ReadsDevices, device_id: DeviceId, _body: Annotated[Nothing, Depends(body_of(Nothing))]) -> Json:
    """Return one device as both services have it right now."""
    with mine.scope() as scope:
        known = device(scope, device_id, storage_path)
        return Json(ask(scope, device_id, services(mine.settings), known))


@router.get("/{pair}/devices/{device_id}/apps")
def get_apps(
    mine: ReadsApps,
    device_id: DeviceId,
    *,
    active: Literal["true", "false", "all"] = "all",
    sort: Literal["name", "last_opened"] = "name",
    cursor: Cursor = None,
    limit: Limit = DEFAULT_ROWS,
) -> Json:
    """Return a device's apps."""
    asked, folded = Asked(cursor, limit), device_id.casefold()
    return Json(or_empty(mine, lambda scope: apps(scope, folded, asked, active=active, sort=sort), EMPTY).to_json())


@router.get("/{pair}/devices/{device_id}/history")
def get_history(mine: ReadsDevices, device_id: DeviceId, cursor: Cursor = None, limit: Limit = DEFAULT_ROWS) -> Json:
    """Return the verdicts of a device's rows."""
    asked, folded = Asked(cursor, limit), device_id.casefold()
    return Json(or_empty(mine, lambda scope: of_device(scope, folded, asked), EMPTY).to_json())


def services(settings: Settings) -> Services:
    """Return how to connect to both services for a person who waits; SetupWrong where a connection is missing."""
    iru, servicenow = iru_hook(settings).settings, servicenow_hook(settings).settings
    return Services(
        iru=lambda: IruClient(replace(iru, read_timeout_s=READ_TIMEOUT_S), retry=ONCE_MORE),
        servicenow=lambda: ServiceNowClient(replace(servicenow, read_timeout_s=READ_TIMEOUT_S), retry=ONCE_MORE),
    )
