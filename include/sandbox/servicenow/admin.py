"""The instance's admin API under ``/_sandbox``: switches, counters, time, tables, and jobs."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from include.sandbox.common.switches import SwitchError
from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.servicenow.errors import ApiError, invalid_table
from include.sandbox.servicenow.instance import Instance, InstanceOf
from include.sandbox.servicenow.json_response import SnowJson
from include.sandbox.servicenow.request_body import RecordBody
from include.sandbox.servicenow.seed import follow_switches
from include.sandbox.servicenow.settings import SWITCHES
from include.sandbox.servicenow.usage_publisher import publish_usage

router = APIRouter(prefix=ADMIN_PREFIX)


@router.get("/switches")
def get_switches(instance: InstanceOf) -> Response:
    """Return all switches."""
    return SnowJson(_switches(instance))


@router.patch("/switches")
def patch_switches(instance: InstanceOf, changes: RecordBody) -> Response:
    """Change some switches and return all."""
    before = instance.settings
    try:
        instance.change_switches(changes)
        follow_switches(instance)
    except (SwitchError, ValueError) as error:
        instance.settings = before
        raise ApiError(400, "Unknown or unusable switch", str(error)) from error
    return SnowJson(_switches(instance))


@router.get("/counters")
def get_counters(instance: InstanceOf) -> Response:
    """Return what the instance has seen since it started, or since the counters were cleared."""
    return SnowJson(_counters(instance))


@router.delete("/counters")
def delete_counters(instance: InstanceOf) -> Response:
    """Start counting from zero."""
    instance.traffic.reset()
    instance.tally.clear()
    instance.meter.clear()
    return SnowJson(_counters(instance))


@router.post("/clock")
def advance_clock(request: Request, instance: InstanceOf, body: RecordBody) -> Response:
    """Travel ``advance_s`` seconds forward, run what midnight brings, and return the new present."""
    seconds = body.get("advance_s", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ApiError(400, "Unusable time", f"advance_s takes seconds, 0 or more, got {seconds!r}")
    now = instance.clock.advance(seconds)
    request.app.state.nightly.catch_up()
    return SnowJson({"now": now.isoformat()})


@router.get("/tables/{table}")
def get_table(instance: InstanceOf, table: str) -> Response:
    """Return every record of a table, as stored."""
    found = instance.schema.find(table)
    if found is None:
        raise invalid_table(table)
    return SnowJson({"result": instance.store.find(table, {})})


@router.post("/jobs/usage-publisher")
def run_usage_publisher(instance: InstanceOf) -> Response:
    """Run the nightly usage publisher now."""
    return SnowJson({"written": publish_usage(instance)})


def _switches(instance: Instance) -> dict[str, Any]:
    settings = asdict(instance.settings)
    return {name: settings[name] for name in SWITCHES}


def _counters(instance: Instance) -> dict[str, Any]:
    return {
        **instance.traffic.snapshot(),
        **instance.tally.snapshot(),
        "work": instance.meter.snapshot(),
        "import_sets": instance.store.count("sys_import_set"),
    }
