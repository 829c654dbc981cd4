"""One ASGI application on a loopback port, served by uvicorn in a thread of this process."""

import asyncio
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from include.sandbox.common.connection import EXTENSION, Connection, reset

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A server's certificate and key in PEM files."""

    certificate: Path
    key: Path


class Server:
    """Serves from ``start`` to ``stop``; port 0 takes a free one, which ``url`` then names."""

    def __init__(self, app: ASGIApp, *, port: int = 0, tls: TlsFiles | None = None) -> None:
        self._reserved = _bind(port)
        """Never listens; keeps the port from everybody else while the server refuses connections."""
        self._port = self._reserved.getsockname()[1]
        self._socket = _bind(self._port)
        self.url = f"{'https' if tls else 'http'}://{_HOST}:{self._port}"
        told = _ConnectionMiddleware(app)
        self._server = told.listener = _RefusingServer(
            uvicorn.Config(
                told,
                log_level="warning",
                access_log=False,
                server_header=False,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
                timeout_keep_alive=65,
                timeout_graceful_shutdown=5,
            ),
            self._port,
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def start(self) -> Self:
        """Serve in a thread and return once connections are accepted."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server stopped while it started; its log says why")
            self._thread.join(0.01)
        return self

    def stop(self) -> None:
        """Let running requests end, then stop; does nothing when it never started."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()
        self._reserved.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _RefusingServer(uvicorn.Server):
    """Can stop listening for a while; everything here runs in the server's event loop."""

    def __init__(self, config: uvicorn.Config, port: int) -> None:
        super().__init__(config)
        self._port = port
        self._end_of_refusal: asyncio.TimerHandle | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def stopping(self) -> bool:
        """Say whether the server is about to end."""
        return self.should_exit

    def refuse(self, for_s: float) -> None:
        """Abort every connection and accept none for ``for_s`` seconds from now."""
        for listening in self.servers:
            listening.close()
        for protocol in list(self.server_state.connections):
            reset(protocol.transport)
        if self._end_of_refusal:
            self._end_of_refusal.cancel()
        self._end_of_refusal = asyncio.get_running_loop().call_later(for_s, self._end_refusal)

    def _end_refusal(self) -> None:
        if not self.should_exit:
            self._listening = asyncio.get_running_loop().create_task(self._listen_again())

    async def _listen_again(self) -> None:
        """Listen on the same port as uvicorn's own start does."""
        loop, config = asyncio.get_running_loop(), self.config

        def new_protocol() -> Any:
            # A choice of classes to mypy, made by uvicorn's configuration; each is a protocol.
            make: Any = config.http_protocol_class
            return make(config=config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop)

        listening = await loop.create_server(
            new_protocol, sock=_bind(self._port), ssl=config.ssl, backlog=config.backlog
        )
        self.servers = [listening]


class _ConnectionMiddleware:
    """Tells each request which connection it came over."""

    listener: _RefusingServer

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # uvicorn's ``send`` is a method of its request-response cycle, which holds the transport.
            cycle: Any = getattr(send, "__self__")  # noqa: B009 - mypy knows no such attribute of a callable
            connection = Connection(cycle.transport, self.listener)
            scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: connection}
        await self.app(scope, receive, send)


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_HOST, port))
    except OSError as error:
        bound.close()
        raise OSError(f"cannot serve on port {port}: {error.strerror}") from error
    return bound
