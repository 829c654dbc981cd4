"""Strikes requests: stands between the counters, which see every request, and the service."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from include.sandbox.common.traffic import ADMIN_PREFIX
from include.sandbox.faults.exchange import Exchange
from include.sandbox.faults.plan import Fault, FaultPlan
from include.sandbox.faults.request_kinds import REQUEST
from include.sandbox.faults.request_players import PLAYERS, work_or_skip

ErrorAnswer = Callable[[Fault, str], Response]
"""Gives the service's own answer to a request that a fault struck, by the request's path."""


class FaultMiddleware:
    """Asks the plan about every request but those of the admin API."""

    def __init__(self, app: ASGIApp, plan: FaultPlan, error_answer: ErrorAnswer) -> None:
        self.app = app
        self.plan = plan
        self.error_answer = error_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or play the fault that strikes it."""
        fault = None
        if scope["type"] == "http" and not scope["path"].startswith(ADMIN_PREFIX):
            fault = self.plan.take(REQUEST, f"{scope['method']} {scope['path']}")
        if fault is None:
            await self.app(scope, receive, send)
            return
        exchange = Exchange(self.app, scope, receive, send)
        play = PLAYERS.get(fault.kind)
        if play:
            await play(fault, exchange)
            return
        await work_or_skip(fault, exchange)
        await exchange.answer(self.error_answer(fault, scope["path"]))
