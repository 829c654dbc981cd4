"""What a request takes on a real instance, played by waiting: a round trip, a fixed cost, and a cost for each row.

The round trip passes outside the semaphores, the rest inside. What this sandbox itself works on a request counts
towards the time that the model gives it, so that only the rest is waited for; where it takes longer, the meter says so.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.servicenow.meter import WORK, Work
from include.sandbox.servicenow.settings import ServiceNowSettings
from include.sandbox.servicenow.throttles import ARRIVAL, LATE, is_outer

_TIMER_S = 0.0015


class RoundTrip:
    """Lets each request be under way for as long as the model says before it arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, later."""
        trip_s = _settings(scope).request_round_trip_s if is_outer(scope) else 0.0
        if trip_s:
            scope[ARRIVAL] = time.perf_counter() + trip_s
            await _sleep_until(scope[ARRIVAL])
        await self.app(scope, receive, send)


class RequestTime:
    """Holds each answer back until the request has taken what the model says."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer when it is due."""
        if not (is_outer(scope) and _is_modelled(_settings(scope))):
            await self.app(scope, receive, send)
            return
        begun_s, work = time.perf_counter() - scope.get(LATE, 0.0), Work()
        settings, meter = _settings(scope), scope["app"].state.instance.meter

        async def due_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                due_s = begun_s + _modelled_s(settings, work.rows, work.parts)
                meter.note(due_s - time.perf_counter())
                await _sleep_until(due_s)
            await send(message)

        token = WORK.set(work)
        try:
            await self.app(scope, receive, due_send)
        finally:
            WORK.reset(token)


async def _sleep_until(due_s: float) -> None:
    """Sleep until a moment of the performance counter; a loop's timers alone come up to a millisecond late."""
    while (left_s := due_s - time.perf_counter()) > 0:
        await asyncio.sleep(left_s - _TIMER_S if left_s > _TIMER_S else 0)


def _modelled_s(settings: ServiceNowSettings, rows: int, parts: int) -> float:
    return settings.request_fixed_s + parts * settings.request_part_s + rows * settings.request_row_s


def _is_modelled(settings: ServiceNowSettings) -> bool:
    return bool(settings.request_fixed_s or settings.request_part_s or settings.request_row_s)


def _settings(scope: Scope) -> ServiceNowSettings:
    found: ServiceNowSettings = scope["app"].state.instance.settings
    return found
