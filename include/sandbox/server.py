"""One ASGI application on a loopback port, served by uvicorn in a thread of this process."""

import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A server's certificate and key in PEM files."""

    certificate: Path
    key: Path


class Server:
    """Serves from ``start`` to ``stop``; port 0 takes a free one, which ``url`` then names."""

    def __init__(self, app: ASGIApp, *, port: int = 0, tls: TlsFiles | None = None) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((_HOST, port))
        except OSError as error:
            self._socket.close()
            raise OSError(f"cannot serve on port {port}: {error.strerror}") from error
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{_HOST}:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
                timeout_keep_alive=65,
                timeout_graceful_shutdown=5,
            )
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
