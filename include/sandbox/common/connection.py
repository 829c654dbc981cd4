"""The TCP connection below a request and the server that accepted it, for faults that HTTP knows nothing of.

``include.sandbox.server`` puts a ``Connection`` into the extensions of every request's ASGI scope.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Scope

EXTENSION = "sandbox.connection"
_NO_LINGER = struct.pack("ii", 1, 0)
"""l_onoff and l_linger: a close discards what is unsent and sends RST instead of FIN (socket(7), SO_LINGER)."""


class Listener(Protocol):
    """A server that accepts connections on a port."""

    @property
    def stopping(self) -> bool:
        """Say whether the server is about to end."""

    def refuse(self, for_s: float) -> None:
        """Abort every connection and accept none for a while."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One client's connection."""

    transport: asyncio.Transport
    listener: Listener

    @property
    def ending(self) -> bool:
        """Say whether nothing more can be sent, or should be."""
        return self.transport.is_closing() or self.listener.stopping

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        reset(self.transport)

    def close(self) -> None:
        """End the connection in order, after what was sent."""
        self.transport.close()

    def refuse(self, for_s: float) -> None:
        """Abort this and every other connection, and let the server accept none for ``for_s`` seconds."""
        self.listener.refuse(for_s)


def connection_of(scope: Scope) -> Connection:
    """Return the connection that a request came over."""
    connection = scope["extensions"][EXTENSION]
    assert isinstance(connection, Connection)
    return connection


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a TCP reset; does nothing when it is closed already."""
    if transport.is_closing():
        return
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
