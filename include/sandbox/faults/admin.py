"""The admin API of faults, the same at both services: ``/_sandbox/faults``."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from include.sandbox.common.switches import SwitchError
from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.faults.plan import FaultPlan

router = APIRouter(prefix=f"{ADMIN_PREFIX}/faults")


def plan_of(request: Request) -> FaultPlan:
    """Return the plan of the service that a request came to, which its application keeps as ``app.state.faults``."""
    plan = request.app.state.faults
    assert isinstance(plan, FaultPlan)
    return plan


PlanOf = Annotated[FaultPlan, Depends(plan_of)]


@router.get("")
def get_faults(plan: PlanOf) -> JSONResponse:
    """Return what was asked for, what struck, and what may be asked for."""
    kinds = {name: asdict(kind) for name, kind in sorted(plan.catalogue.items())}
    return JSONResponse(plan.snapshot() | {"catalogue": kinds})


@router.post("")
async def post_faults(request: Request, plan: PlanOf) -> JSONResponse:
    """Ask for one fault or a list of them; none is added when one is wrong."""
    try:
        plan.add_all(_wanted(await request.json()))
    except ValueError as error:
        return JSONResponse({"detail": _reason(error)}, status_code=400)
    return JSONResponse(plan.snapshot(), status_code=201)


@router.delete("")
def delete_faults(plan: PlanOf) -> JSONResponse:
    """Ask for no faults any more, and forget what struck."""
    plan.clear()
    return JSONResponse(plan.snapshot())


def _wanted(body: Any) -> list[dict[str, Any]]:
    wanted = body if isinstance(body, list) else [body]
    if not all(isinstance(one, dict) for one in wanted):
        raise SwitchError("a fault is an object with its kind, or the body a list of such")
    return wanted


def _reason(error: ValueError) -> str:
    return str(error) if isinstance(error, SwitchError) else "the body is not JSON"
