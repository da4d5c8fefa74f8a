"""Protocols that read into buffers of their own: what asyncio asks of every transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.surface.test_transport_contract import KIB, everywhere, pattern
from tests.surface.transports import World


class Buffered(asyncio.BufferedProtocol):
    """Reads five bytes at a time, and then does what `updated` says."""

    def __init__(self, updated: Callable[[Buffered], None] | None = None, *, size: int = 5) -> None:
        self.buffer: Any = bytearray(size)
        self.updated = updated
        self.received = bytearray()
        self.calls: list[str] = []
        self.changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def until_lost(self) -> None:
        await self.until(lambda: "lost" in self.calls)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> Any:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert self.transport.is_reading()
        self.received += self.buffer[:nbytes]
        self.changed.set()
        if self.updated is not None:
            self.updated(self)

    def eof_received(self) -> None:
        self.calls.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")
        self.changed.set()


@everywhere
async def test_a_buffered_protocol_gets_what_fits_and_may_pause_in_between(world: World) -> None:
    def pause(protocol: Buffered) -> None:
        protocol.transport.pause_reading()
        asyncio.get_running_loop().call_soon(protocol.transport.resume_reading)

    ours, theirs = world.recorder(), Buffered(pause, size=700)
    await world.create_server(lambda: theirs)
    await world.create_connection(lambda: ours)
    data = pattern(100 * KIB)
    ours.transport.write(data)
    ours.transport.close()
    await theirs.until_lost()
    assert theirs.received == data
    assert theirs.calls == ["eof", "lost"]
    await ours.until_lost()


@everywhere
async def test_it_may_resize_its_buffer_when_it_is_told(world: World) -> None:
    def resize(protocol: Buffered) -> None:
        protocol.buffer.clear()
        protocol.buffer.extend(bytes(3))

    ours, theirs = world.recorder(), Buffered(resize)
    await world.create_server(lambda: theirs)
    await world.create_connection(lambda: ours)
    ours.transport.write(b"hello world")
    await theirs.until(lambda: len(theirs.received) == 11)
    assert theirs.received == b"hello world"
    ours.transport.close()
    await theirs.until_lost()
    await ours.until_lost()


@everywhere
async def test_another_protocol_that_takes_over_in_the_midst_gets_the_rest(world: World) -> None:
    ours, heir = world.recorder(), world.recorder()

    def hand_over(protocol: Buffered) -> None:
        heir.connection_made(protocol.transport)
        protocol.transport.set_protocol(heir)

    theirs = Buffered(hand_over)
    await world.create_server(lambda: theirs)
    await world.create_connection(lambda: ours)
    ours.transport.write(b"hello world")
    await heir.until_received(6)
    assert theirs.received == b"hello"
    assert heir.received == b" world"
    ours.transport.close()
    await heir.until_lost()
    await ours.until_lost()
    assert not theirs.calls


@everywhere
async def test_another_protocol_that_takes_over_while_reading_is_paused_gets_the_rest(world: World) -> None:
    ours, heir = world.recorder(), world.recorder()
    theirs = Buffered(lambda protocol: protocol.transport.pause_reading())
    await world.create_server(lambda: theirs)
    await world.create_connection(lambda: ours)
    ours.transport.write(b"hello world")
    await theirs.until(lambda: bool(theirs.received))
    heir.connection_made(theirs.transport)
    theirs.transport.set_protocol(heir)
    theirs.transport.resume_reading()
    await heir.until_received(6)
    assert theirs.received == b"hello"
    assert heir.received == b" world"
    ours.transport.close()
    await heir.until_lost()
    await ours.until_lost()
    assert not theirs.calls


@everywhere
async def test_what_it_closes_with_some_of_it_unread_ends_once(world: World) -> None:
    def close(protocol: Buffered) -> None:
        protocol.transport.close()

    ours, theirs = world.recorder(), Buffered(close)
    await world.create_server(lambda: theirs)
    await world.create_connection(lambda: ours)
    ours.transport.write(b"hello world")
    await theirs.until_lost()
    await ours.until_lost()
    assert theirs.received == b"hello"
    assert theirs.calls == ["lost"]


WRONG_BUFFERS = [b"read-only", bytearray(), None, "text", memoryview(bytearray(10))[::2]]


@everywhere
async def test_what_is_no_buffer_to_write_to_is_reported_and_ends_the_connection(world: World) -> None:
    for wrong in WRONG_BUFFERS:
        ours, theirs = world.recorder(), Buffered()
        theirs.buffer = wrong
        server = await world.create_server(lambda theirs=theirs: theirs)  # type: ignore[misc]  # bound as it is now
        await world.create_connection(lambda ours=ours: ours)  # type: ignore[misc]  # bound as it is now
        ours.transport.write(b"hello world")
        await theirs.until_lost()
        assert theirs.calls == ["lost"]
        assert not theirs.received
        assert len(world.take_unhandled()) == 1
        await ours.until_lost()
        server.close()
        await server.wait_closed()
