"""One struck request: its work may be done or left, and its answer sent, cut short or withheld."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.common.connection import Connection, connection_of

_GLANCE_S = 0.1
"""How often a request that hangs looks whether the server stops."""


@dataclass(slots=True)
class HeldAnswer:
    """What the service answered, before any of it was sent."""

    start: Message
    body: bytes

    def announce(self, size_bytes: int) -> Message:
        """Return the head of the answer with a Content-Length, which an answer without a body does not get."""
        if self.body:
            MutableHeaders(scope=self.start)["Content-Length"] = str(size_bytes)
        return self.start


class Exchange:
    """A request on its way to the service, and what can become of it."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self.app = app
        self.scope = scope
        self.receive = receive
        self.send = send

    @property
    def connection(self) -> Connection:
        """The connection that the request came over."""
        return connection_of(self.scope)

    async def work(self) -> HeldAnswer:
        """Let the service do its work, and return its answer unsent."""
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await self.app(self.scope, self.receive, hold)
        return HeldAnswer(held[0], b"".join(message.get("body", b"") for message in held[1:]))

    async def skip(self) -> None:
        """Take the request in and do nothing, so that the client has sent all of it before anything happens."""
        while (await self.receive()).get("more_body", False):
            pass

    async def answer(self, response: Response) -> None:
        """Send an answer."""
        await response(self.scope, self.receive, self.send)

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body, more of which follows."""
        await self.send({"type": "http.response.body", "body": part, "more_body": True})

    async def send_rest(self, rest: bytes = b"") -> None:
        """Send the end of the body."""
        await self.send({"type": "http.response.body", "body": rest})

    async def reset(self) -> None:
        """Reset the connection instead of answering, or in the middle of an answer."""
        self.connection.reset()
        await self._disconnected()

    async def hang_up(self) -> None:
        """Close the connection in order instead of answering, or in the middle of an answer."""
        self.connection.close()
        await self._disconnected()

    async def refuse(self, for_s: float) -> None:
        """Reset this and every other connection, and let the server accept none for a while."""
        self.connection.refuse(for_s)
        await self._disconnected()

    async def pause(self, for_s: float) -> None:
        """Wait, but not longer than the client does, or than the server runs."""
        gone = asyncio.ensure_future(self._disconnected())
        left_s = for_s
        while left_s > 0 and not gone.done() and not self.connection.listener.stopping:
            await asyncio.wait({gone}, timeout=min(_GLANCE_S, left_s))
            left_s -= _GLANCE_S
        gone.cancel()

    async def _disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
