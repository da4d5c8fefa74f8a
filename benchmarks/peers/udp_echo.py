"""The bare ping-pong: `python -m benchmarks.peers.udp_echo asyncio|uvloop future|callback WORD...`.

asyncio's own datagram transport and a plain future on the side that asks. The side that answers awaits a plain future
too, as a program does that receives and then sends; or, "callback", sends from within `datagram_received`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from benchmarks.peers.job import HOST, Job, RoundTrips, read_job, tell
from benchmarks.peers.loops import run


class _Awaited(asyncio.DatagramProtocol):
    """A datagram is the result of the future that is awaited; there is one datagram at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[tuple[bytes, Any]] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._arrived.set_result((data, addr))

    async def receive(self) -> tuple[bytes, Any]:
        received = await self._arrived
        self._arrived = self._loop.create_future()
        return received


class _AnsweredAtOnce(_Awaited):
    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.transport.sendto(data, addr)


async def _answer(job: Job, way: str) -> None:
    protocol = _AnsweredAtOnce if way == "callback" else _Awaited
    _, echo = await asyncio.get_running_loop().create_datagram_endpoint(protocol, local_addr=(HOST, job.udp_port))
    tell("ready")
    while True:
        data, address = await echo.receive()
        echo.transport.sendto(data, address)


async def _ask(job: Job) -> None:
    data = bytes(job.message_bytes)
    _, asking = await asyncio.get_running_loop().create_datagram_endpoint(
        _Awaited, local_addr=(HOST, job.udp_port), remote_addr=(HOST, job.remote_udp_port)
    )
    round_trips = RoundTrips(job)
    while not round_trips.is_over:
        begin = time.perf_counter()
        asking.transport.sendto(data)
        await asking.receive()
        round_trips.add(begin, time.perf_counter())
    round_trips.tell()


async def _side(job: Job, way: str) -> None:
    await (_answer(job, way) if job.side == "receiver" else _ask(job))


if __name__ == "__main__":
    run(_side(read_job(sys.argv[3:]), sys.argv[2]), loop=sys.argv[1])
