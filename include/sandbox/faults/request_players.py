"""How each fault of a request is played; the ones with an error of the service's own are played by ``answer``."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping

from starlette.types import Message

from include.sandbox.faults.exchange import Exchange
from include.sandbox.faults.plan import Fault

Player = Callable[[Fault, Exchange], Awaitable[None]]
_MEGABYTE = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


async def work_or_skip(fault: Fault, exchange: Exchange) -> None:
    """Do the work where the fault comes after it, else leave it."""
    if fault.options.get("after"):
        await exchange.work()
    else:
        await exchange.skip()


async def _refuse(fault: Fault, exchange: Exchange) -> None:
    await exchange.skip()
    await exchange.refuse(fault.options["for_s"])


async def _reset_before(_fault: Fault, exchange: Exchange) -> None:
    await exchange.skip()
    await exchange.reset()


async def _reset_after(_fault: Fault, exchange: Exchange) -> None:
    await exchange.work()
    await exchange.reset()


async def _hang(fault: Fault, exchange: Exchange) -> None:
    await work_or_skip(fault, exchange)
    await exchange.pause(fault.options["hang_s"])
    await exchange.reset()


async def _truncate(_fault: Fault, exchange: Exchange) -> None:
    held = await exchange.work()
    if held.body:
        await exchange.send(held.announce(len(held.body)))
        await exchange.send_part(held.body[: len(held.body) // 2])
    await exchange.hang_up()


async def _cut(_fault: Fault, exchange: Exchange) -> None:
    held = await exchange.work()
    half = held.body[: len(held.body) // 2]
    await exchange.send(held.announce(len(half)))
    await exchange.send_rest(half)


async def _trickle(fault: Fault, exchange: Exchange) -> None:
    held = await exchange.work()
    size = max(1, fault.options["piece_bytes"])
    await exchange.send(held.announce(len(held.body)))
    for at in range(0, len(held.body), size):
        if exchange.connection.ending:
            await exchange.reset()
            return
        await exchange.send_part(held.body[at : at + size])
        await exchange.pause(fault.options["pause_s"])
    await exchange.send_rest()


async def _send_huge(fault: Fault, exchange: Exchange) -> None:
    await exchange.skip()
    await exchange.send(_huge_start(gzip=fault.options["gzip"]))
    for part in _huge_parts(fault.options["size_mb"], gzip=fault.options["gzip"]):
        if exchange.connection.ending:
            await exchange.reset()
            return
        await exchange.send_part(part)
        await asyncio.sleep(0)  # a fast client must not keep the server from everybody else
    await exchange.send_rest()


def _huge_start(*, gzip: bool) -> Message:
    headers = [(b"content-type", b"application/json")] + [(b"content-encoding", b"gzip")] * gzip
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _huge_parts(size_mb: int, *, gzip: bool) -> Iterator[bytes]:
    """Yield an empty list in JSON behind so many megabytes of blanks, or blanks without end."""
    squeeze = zlib.compressobj(wbits=_GZIP) if gzip else None
    blanks, sent_mb = b" " * _MEGABYTE, 0
    while not size_mb or sent_mb < size_mb:
        yield squeeze.compress(blanks) if squeeze else blanks
        sent_mb += 1
    yield squeeze.compress(b"[]") + squeeze.flush() if squeeze else b"[]"


PLAYERS: Mapping[str, Player] = {
    "refused": _refuse,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "timeout": _hang,
    "truncated": _truncate,
    "malformed": _cut,
    "trickle": _trickle,
    "huge": _send_huge,
}
