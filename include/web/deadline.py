"""End an exchange that takes too long as a whole, however steadily its bytes trickle in.

A read time-out starts anew with every byte, and a read that waits for many bytes cannot look at a clock. So a timer
shuts the session's sockets, which ends whatever waits for them.
"""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class EndableAdapter(HTTPAdapter):
    """Knows the open sockets of its session, so that a request in flight can be ended from outside."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make pools whose sockets are known here."""
        super().init_poolmanager(*args, **options)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Make pools whose sockets are known here, behind a proxy too."""
        manager = super().proxy_manager_for(*args, **options)
        self._watch(manager)
        return manager

    def end(self) -> None:
        """Shut every socket of the session; its thread then sees the connection end."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def _watch(self, manager: PoolManager) -> None:
        sockets = self._sockets

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                _remember(self.sock, sockets)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                _remember(self.sock, sockets)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class Deadline:
    """Ends a session's request ``seconds`` after entering, unless it was left before; ``passed`` tells which."""

    def __init__(self, session: requests.Session, seconds: float) -> None:
        self.passed = False
        self._session = session
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.passed = True
        for adapter in self._session.adapters.values():
            if isinstance(adapter, EndableAdapter):
                adapter.end()


def _remember(connected: Any, sockets: WeakSet[socket.socket]) -> None:
    inner = getattr(connected, "socket", connected)  # TLS within TLS, through an https proxy, is no socket itself
    if isinstance(inner, socket.socket):
        sockets.add(inner)
