"""Byte streams that are closed and opened again, many times over, on one association.

    python -m tests.surface.reopening 100000

tells, while it goes on over real UDP, how much is held.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiosctp
from tests.surface.transports import PORT, Ours, OverUdp

AT_A_TIME = 50
TELL_EVERY = 10_000

Ending = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


# -- what one stream goes through: there are as many ways as there are who may end it --


async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """By the client: both directions are reset at its request."""
    await _ask(reader, writer, b"echo")
    writer.close()
    await writer.wait_closed()


async def closed_half_by_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each direction by the side that writes."""
    await _ask(reader, writer, b"echo")
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def closed_by_the_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _ask(reader, writer, b"quit")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def aborted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _ask(reader, writer, b"echo")
    writer.transport.abort()
    await writer.wait_closed()


async def never_used(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, word: bytes) -> None:
    writer.write(word)
    assert await reader.readexactly(4) == word


ENDINGS: tuple[Ending, ...] = (closed, closed_half_by_half, closed_by_the_server, aborted, never_used)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other side ends, or says "quit"."""
    while data := await reader.read(2**16):
        writer.write(data)
        if data == b"quit":
            break
        await writer.drain()
    writer.close()


# -- and many of them --


@dataclass(frozen=True)
class Held:
    """entries: of all that both ends hold. objects: of the whole process, those that the garbage collector knows.
    blocks: of memory, from Python's allocator."""

    entries: int
    objects: int
    blocks: int


class Association:
    """Both ends of one association."""

    def __init__(self, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
        self.ours = ours
        self._theirs = theirs

    async def reopen(self, count: int, end: Ending) -> None:
        """So many streams one after the other, `AT_A_TIME` of them side by side."""
        left = count

        async def one_after_the_other() -> None:
            nonlocal left
            while left:
                left -= 1
                await end(*await self.ours.open_stream())

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(one_after_the_other())

    async def held(self) -> Held:
        """What is there once nothing goes on."""
        await asyncio.sleep(1)
        gc.collect()
        return Held(entries_below(self.ours, self._theirs), len(gc.get_objects()), sys.getallocatedblocks())


def entries_below(*roots: object) -> int:
    """In every container that is reached by way of aiosctp's own objects, without the packets that a simulated network
    keeps for the reader of a test."""
    seen = {id(root) for root in roots}
    found: deque[object] = deque(roots)
    entries = 0
    while found:
        each = found.popleft()
        if isinstance(each, dict | list | set | deque | bytearray):
            entries += len(each)
        elif not isinstance(each, tuple) and not _is_ours(type(each)):
            continue
        for below in gc.get_referents(each):
            if id(below) not in seen and not isinstance(below, type):
                seen.add(id(below))
                found.append(below)
    return entries


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("aiosctp.") and not kind.__module__.startswith("aiosctp.testing")


async def with_association(
    world: Ours, test: Callable[[Association], Awaitable[None]], *, streams: int = 2 * AT_A_TIME
) -> None:
    """So many streams each way, of which the client opens every other one."""
    accepted: asyncio.Future[aiosctp.Association] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not accepted.done():
            accepted.set_result(writer.get_extra_info("association"))
        await echo(reader, writer)

    async with (
        await world.start_server(handle, config=aiosctp.Config(outbound_streams=streams)),
        aiosctp.connect(world.host, PORT, outbound_streams=streams, **world.to_server) as ours,
    ):
        await test(Association(ours, await accepted))


async def _tell(association: Association, count: int) -> None:
    begun = time.process_time()
    for done in range(0, count, TELL_EVERY):
        for end in ENDINGS:
            await association.reopen(TELL_EVERY // len(ENDINGS), end)
        cpu_s = time.process_time() - begun
        sys.stdout.write(f"{done + TELL_EVERY} streams, {cpu_s:.1f} s of CPU: {await association.held()}\n")


if __name__ == "__main__":
    udp, streams = OverUdp(), int(sys.argv[1])
    udp.limit_s = 3600
    udp.run(lambda _: with_association(udp, lambda association: _tell(association, streams)))
