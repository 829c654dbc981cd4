"""A server on loopback that sends whatever bytes a test gives it, HTTP or not, and at the pace that it gives."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext


class Raw:
    """A running server; ``pieces`` are sent one after the other with ``pause_s`` between them, then all is closed."""

    def __init__(self) -> None:
        self.pieces: Iterable[bytes] = [b""]
        self.pause_s = 0.0
        self.sent = 0
        self.tls: SSLContext | None = None
        self._stopped = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._stopped = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopped:
                connection.close()
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self._secured(connection) as connection:
            head = b""
            while b"\r\n\r\n" not in head and not head.startswith(b"\x16"):
                got = connection.recv(65536)
                if not got:
                    return
                head += got
            for piece in self.pieces:
                connection.sendall(piece)
                self.sent += len(piece)
                if self.pause_s:
                    time.sleep(self.pause_s)
            connection.shutdown(socket.SHUT_WR)


@contextmanager
def sending(*pieces: bytes, pause_s: float = 0.0) -> Iterator[Raw]:
    """Run a server for the length of a with block."""
    server = Raw()
    server.pieces, server.pause_s = pieces, pause_s
    server.start()
    try:
        yield server
    finally:
        server.stop()
