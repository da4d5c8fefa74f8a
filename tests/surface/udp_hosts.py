"""UDP sockets on the loopback interface, on every loop and carrier, and who receives from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from socket import socket
from typing import Any

import pytest
import uvloop

from aiosctp.batching import batching_carrier
from aiosctp.core.datagram import Datagram, Received, segments
from aiosctp.core.icmp import IcmpMessage
from aiosctp.sockets import IS_LINUX, bind_sockets
from aiosctp.udp import Carrier, UDPEncapsulation, endpoint_carrier

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LOOPS = [
    pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]
CARRIERS = [pytest.param(endpoint_carrier, id="endpoint")]
if IS_LINUX:
    CARRIERS.insert(0, pytest.param(batching_carrier, id="batching"))


def run(loop_factory: LoopFactory, main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=loop_factory, debug=False) as runner:
        runner.run(main)


class Recorder:
    """A stack's place: keeps what arrives, and lets a test await it."""

    def __init__(self) -> None:
        self.batches: list[list[Received]] = []
        self.icmp: list[IcmpMessage] = []
        self.refused: list[tuple[Datagram, bool]] = []
        self.told_mtus: list[int] = []
        """With each of these."""
        self._changed = asyncio.Event()

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        self.batches.append(list(datagrams))
        self._changed.set()

    def icmp_received(self, message: IcmpMessage) -> None:
        self.icmp.append(message)
        self._changed.set()

    def send_failed(self, datagram: Datagram, *, too_big: bool, mtu: int = 0) -> None:
        self.refused.append((datagram, too_big))
        self.told_mtus.append(mtu)
        self._changed.set()

    @property
    def received(self) -> list[bytes]:
        return [data for batch in self.batches for data, *_ in batch]

    @property
    def packets(self) -> list[bytes]:
        """The same, runs cut."""
        return [each for batch in self.batches for one in batch for each in segments(one.data, one.segment_bytes)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Host:
    """One encapsulated socket on the loopback interface, or the one given."""

    def __init__(self, carrier: Carrier, host: str = "127.0.0.1", udp_socket: socket | None = None) -> None:
        if udp_socket is None:
            ((_, udp_socket),) = bind_sockets([host], 0, skip_unusable=False)
        self.socket = udp_socket
        self.recorder = Recorder()
        self.protocol = UDPEncapsulation(self.recorder, host, self.socket)
        carrier(asyncio.get_running_loop(), self.socket, self.protocol)

    def datagram(self, data: bytes, to: Host, *, dont_fragment: bool = True) -> Datagram:
        return Datagram(data, None, to.protocol.local_host, to.protocol.udp_port, dont_fragment)

    def run(self, data: bytes, segment_bytes: int, to: Host) -> Datagram:
        return self.datagram(data, to)._replace(segment_bytes=segment_bytes)

    async def close(self) -> None:
        self.protocol.close()
        await self.protocol.wait_closed()
