"""aiortc's side of a job: `python -m benchmarks.peers.aiortc asyncio|uvloop WORD...`.

Its RTCSctpTransport, without ICE and DTLS: a plain UDP socket stands where the DTLS transport would. Programs use it by
data channels, and so does this: one `send` and one "message" event a message. Its packets are of at most 1189 bytes,
whatever the path MTU, and its receive window of 1 MiB is fixed.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import aiortc

from benchmarks.peers.buffers import enlarge
from benchmarks.peers.job import (
    HOST,
    MESSAGES_PER_LOOK,
    SCTP_PORT,
    SEND_BUFFER_BYTES,
    Job,
    Meter,
    RoundTrips,
    read_job,
    tell,
)
from benchmarks.peers.loops import run

# Where a program goes on sending after it had to wait, as a part of where it stopped.
_LOW_WATER_PART = 0.5


class _Datagrams(asyncio.DatagramProtocol):
    """The socket, in the place of an RTCDtlsTransport: what RTCSctpTransport uses of one."""

    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self._unread: deque[bytes] = deque()
        self._arrived: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._unread.append(data)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def pass_on(self, sctp: aiortc.RTCSctpTransport) -> None:
        """Give it what arrives, without end; one wake-up serves all that has."""
        while True:
            while self._unread:
                await sctp._handle_data(self._unread.popleft())
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived

    async def _send_data(self, data: bytes) -> None:
        self._transport.sendto(data)

    def _register_data_receiver(self, receiver: object) -> None: ...

    def _unregister_data_receiver(self, receiver: object) -> None: ...


def _udp_socket(job: Job) -> socket.socket:
    udp_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    enlarge(udp_socket)
    udp_socket.setblocking(False)
    udp_socket.bind((HOST, job.udp_port))
    udp_socket.connect((HOST, job.remote_udp_port))
    return udp_socket


async def _side(job: Job) -> None:
    role = "server" if job.side == "receiver" else "client"
    _, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(role), sock=_udp_socket(job)
    )
    sctp = aiortc.RTCSctpTransport(datagrams, SCTP_PORT)
    channels = [_channel(sctp, stream, job) for stream in range(job.streams)]
    reading = asyncio.create_task(datagrams.pass_on(sctp))
    await _SIDES[job.task, job.side](job, sctp, channels)
    await reading


def _channel(sctp: aiortc.RTCSctpTransport, stream: int, job: Job) -> aiortc.RTCDataChannel:
    return aiortc.RTCDataChannel(
        sctp, aiortc.RTCDataChannelParameters(id=stream, negotiated=True, ordered=not job.unordered)
    )


async def _start(sctp: aiortc.RTCSctpTransport, channels: list[aiortc.RTCDataChannel]) -> None:
    opened = asyncio.Event()
    channels[0].on("open", opened.set)
    await sctp.start(aiortc.RTCSctpCapabilities(maxMessageSize=0), SCTP_PORT)
    await opened.wait()


# -- the receiver --


async def _sink(job: Job, sctp: aiortc.RTCSctpTransport, channels: list[aiortc.RTCDataChannel]) -> None:
    meter = Meter(job)
    messages = size = 0

    def count(data: bytes) -> None:
        nonlocal messages, size
        messages += 1
        size += len(data)
        if messages == MESSAGES_PER_LOOK:
            meter.add(messages, size)
            messages = size = 0

    await _listen(sctp, channels, count)


async def _echo(job: Job, sctp: aiortc.RTCSctpTransport, channels: list[aiortc.RTCDataChannel]) -> None:
    await _listen(sctp, channels, channels[0].send)


async def _listen(
    sctp: aiortc.RTCSctpTransport, channels: list[aiortc.RTCDataChannel], take: Callable[[bytes], None]
) -> None:
    for channel in channels:
        channel.on("message", take)
    tell("ready")
    await _start(sctp, channels)


# -- the sender --


async def _source(job: Job, sctp: aiortc.RTCSctpTransport, channels: list[aiortc.RTCDataChannel]) -> None:
    data = bytes(job.message_bytes)
    high = max(SEND_BUFFER_BYTES // job.streams, job.message_bytes)
    drained = asyncio.Event()
    for channel in channels:
        channel.bufferedAmountLowThreshold = int(high * _LOW_WATER_PART)
        channel.on("bufferedamountlow", drained.set)
    await _start(sctp, channels)
    for channel in itertools.cycle(channels):
        while channel.bufferedAmount >= high:
            drained.clear()
            await drained.wait()
        channel.send(data)


async def _ping(job: Job, sctp: aiortc.RTCSctpTransport, channels: list[aiortc.RTCDataChannel]) -> None:
    data = bytes(job.message_bytes)
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    channels[0].on("message", lambda _: answered.set_result(None))
    await _start(sctp, channels)
    round_trips = RoundTrips(job)
    while not round_trips.is_over:
        answered = loop.create_future()
        begin = time.perf_counter()
        channels[0].send(data)
        await answered
        round_trips.add(begin, time.perf_counter())
    round_trips.tell()


_SIDES = {
    ("bulk", "receiver"): _sink,
    ("bulk", "sender"): _source,
    ("ping_pong", "receiver"): _echo,
    ("ping_pong", "sender"): _ping,
}


if __name__ == "__main__":
    run(_side(read_job(sys.argv[2:])), loop=sys.argv[1])
