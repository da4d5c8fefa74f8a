"""What one message, or packet, costs while something else grows: `python -m benchmarks.growing KIND SIZE SECONDS`.

One process is both sides, so that its CPU time is the whole cost. The first three kinds are whole stacks on loopback
as they are by default; it is over before the first heartbeats are due, which the workload "memory" has. The others are
engines that are handed packets, without sockets.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import aiosctp
from aiosctp.wire.chunks import Data, Sack
from benchmarks.peers.job import HOST, SCTP_PORT, tell
from benchmarks.peers.loops import run
from benchmarks.processes import free_udp_ports
from tests.core.many_outstanding import open_peer, with_outstanding, z_tsn
from tests.core.scripted import A_INITIAL_TSN, A_RWND
from tests.core.work import take

MESSAGE = bytes(1024)
"""One a packet, however few go to one association: bundling has no part in it."""
MESSAGES_PER_ROUND = 2000
CONNECTING_AT_A_TIME = 100


# -- whole stacks --


class Stacks:
    """Client and server in one loop, with so many associations between them and a reader for each."""

    def __init__(self, associations: int, streams: int) -> None:
        self._count = associations
        self._streams = streams
        self._received = 0
        self._awaited = 0
        self._enough: asyncio.Future[None] | None = None
        self.associations: list[aiosctp.Association] = []

    async def measure(self, seconds: float, targets: Callable[[], Iterator[tuple[aiosctp.Association, int]]]) -> float:
        """CPU microseconds a message, each to the next of the targets, an association and a stream."""
        config = aiosctp.Config(path_mtu=1500, outbound_streams=self._streams)
        server_port, client_port = free_udp_ports(2)
        async with (
            aiosctp.Stack(udp_port=server_port, local_addresses=[HOST], config=config) as theirs,
            aiosctp.Stack(udp_port=client_port, local_addresses=[HOST], config=config) as ours,
        ):
            await aiosctp.serve(self._read, None, SCTP_PORT, backlog=4096, stack=theirs)
            while len(self.associations) < self._count:
                missing = min(CONNECTING_AT_A_TIME, self._count - len(self.associations))
                connecting = [self._connect(ours, server_port) for _ in range(missing)]
                self.associations += await asyncio.gather(*connecting)
            await self._round(targets())
            # What the setting up has left to be collected is not a part of what messages cost.
            gc.collect()
            return await self._rounds(seconds, targets())

    def _connect(self, stack: aiosctp.Stack, udp_port: int) -> Coroutine[Any, Any, aiosctp.Association]:
        return aiosctp.connect(HOST, SCTP_PORT, remote_udp_port=udp_port, outbound_streams=self._streams, stack=stack)

    async def _read(self, association: aiosctp.Association) -> None:
        while True:
            await association.receive()
            self._received += 1
            if self._enough is not None and self._received >= self._awaited:
                self._enough.set_result(None)
                self._enough = None

    async def _rounds(self, seconds: float, targets: Iterator[tuple[aiosctp.Association, int]]) -> float:
        begun, cpu_s, before = time.monotonic(), time.process_time(), self._received
        while self._received == before or time.monotonic() < begun + seconds:
            await self._round(targets)
        return (time.process_time() - cpu_s) / (self._received - before) * 1e6

    async def _round(self, targets: Iterator[tuple[aiosctp.Association, int]]) -> None:
        self._awaited = self._received + MESSAGES_PER_ROUND
        self._enough = enough = asyncio.get_running_loop().create_future()
        for association, stream in itertools.islice(targets, MESSAGES_PER_ROUND):
            await association.send(MESSAGE, stream=stream)
        await enough


async def streams(size: int, seconds: float) -> float:
    """Messages on so many streams in turn."""
    stacks = Stacks(1, size)
    return await stacks.measure(
        seconds, lambda: ((stacks.associations[0], stream) for stream in itertools.cycle(range(size)))
    )


async def idle_associations(size: int, seconds: float) -> float:
    """Messages on one association among so many, itself included."""
    stacks = Stacks(size, 1)
    return await stacks.measure(seconds, lambda: itertools.repeat((stacks.associations[-1], 0)))


async def associations_in_turn(size: int, seconds: float) -> float:
    """Messages on so many associations in turn."""
    stacks = Stacks(size, 1)
    return await stacks.measure(seconds, lambda: ((each, 0) for each in itertools.cycle(stacks.associations)))


# -- engines --

Work = Callable[[], None]

PACKETS = 100
SACKS = 20
REORDERED_PACKETS = 2000


def gaps(size: int) -> list[Work]:
    """Packets that come while so many gaps are open, each one more: all of them, as many as a SACK holds, are told."""
    peer = open_peer()
    packets = [take(peer, _data(2 * n + 1)) for n in range(size + PACKETS)]
    for packet in packets[:size]:
        packet()
    return packets[size:]


def gap_ack_blocks(size: int) -> list[Work]:
    """SACKs with so many Gap Ack Blocks, each with one more."""
    peer = with_outstanding(2 * (size + SACKS) + 1)
    blocks = tuple((n, n) for n in range(2, 2 * (size + SACKS) + 2, 2))
    return [take(peer, Sack(z_tsn(peer, -1), A_RWND, blocks[: size + n])) for n in range(SACKS)]


def reordering(size: int) -> list[Work]:
    """Packets of which so many at a time come backwards."""
    peer = open_peer()
    order = (n for first in range(0, REORDERED_PACKETS, size) for n in reversed(range(first, first + size)))
    return [take(peer, _data(n)) for n in order]


def _data(number: int) -> Data:
    """The DATA chunk with the peer's TSN of this number, from 0."""
    return Data((A_INITIAL_TSN + number) & 0xFFFF_FFFF, 0, 0, 0, b"x", unordered=True)


def cost_us(make: Callable[[int], list[Work]], size: int, seconds: float) -> float:
    """CPU microseconds of one of the works, as often made anew and done as the time allows."""
    until = time.monotonic() + seconds
    spent_s, done = 0.0, 0
    while not done or time.monotonic() < until:
        works = make(size)
        begun_s = time.process_time()
        for work in works:
            work()
        spent_s += time.process_time() - begun_s
        done += len(works)
    return spent_s / done * 1e6


STACKS: dict[str, Callable[[int, float], Coroutine[Any, Any, float]]] = {
    "streams": streams,
    "idle-associations": idle_associations,
    "associations-in-turn": associations_in_turn,
}
ENGINES = {"gaps": gaps, "gap-ack-blocks": gap_ack_blocks, "reordering": reordering}


async def _tell_cost_of_stacks(kind: str, size: int, seconds: float) -> None:
    tell("result", cpu_us=await STACKS[kind](size, seconds))


def main(kind: str, size: int, seconds: float) -> None:
    if kind in STACKS:
        run(_tell_cost_of_stacks(kind, size, seconds), loop="uvloop")
    else:
        tell("result", cpu_us=cost_us(ENGINES[kind], size, seconds))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
