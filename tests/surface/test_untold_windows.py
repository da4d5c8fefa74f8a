"""A window that is open again, and may not be told of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

import aiosctp
from aiosctp.testing import Packet
from aiosctp.wire.codepoints import ChunkType
from tests.surface.two_hosts import TwoHosts, associated, chunk_type
from tests.surface.virtual_time import virtual_time

READERS: dict[str, Callable[[aiosctp.Association], Coroutine[Any, Any, object]]] = {
    "messages": lambda association: association.receive(partial=True),
    "streams of bytes": lambda association: association.accept_stream(),
}
WINDOW_BYTES = 10_000
MOST_FLUSHES = 20


def count_flushes(hosts: TwoHosts) -> list[float]:
    """When the server's stack is flushed. One that has no end fails there, and not by hanging."""
    flushes: list[float] = []
    flush = hosts.server.flush

    def counted(now: float) -> None:
        flushes.append(now)
        assert len(flushes) <= MOST_FLUSHES
        flush(now)

    hosts.server.flush = counted  # type: ignore[method-assign]  # it is observed
    return flushes


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@virtual_time
async def test_a_sack_without_a_confirmed_path_is_not_asked_for_in_every_turn_of_the_loop(
    read: Callable[[aiosctp.Association], Coroutine[Any, Any, object]],
) -> None:
    """§5.4: no SACK goes to an UNCONFIRMED address: it waits, and with it whoever would have it sent."""
    async with associated(server_config=aiosctp.Config(receive_window_bytes=WINDOW_BYTES)) as (hosts, ours, theirs):
        reader = asyncio.create_task(read(theirs))
        await asyncio.sleep(1)
        for path in theirs.engine.paths:
            path.is_confirmed = False
        flushes = count_flushes(hosts)
        for _ in range(4):
            ours.send_nowait(bytes(1000))
        await asyncio.sleep(0.1)
        assert theirs.engine.receiver.sack_is_due
        assert flushes
        reader.cancel()


@virtual_time
async def test_the_sack_that_shutdown_ack_sent_does_not_send_is_not_asked_for_in_every_turn_of_the_loop() -> None:
    """§9.2: what is read while the SHUTDOWN COMPLETE does not come opens a window that nobody fills any more."""

    def is_last_word(packet: Packet) -> bool:
        return chunk_type(packet) == ChunkType.SHUTDOWN_ACK

    async with associated(server_config=aiosctp.Config(receive_window_bytes=WINDOW_BYTES)) as (hosts, ours, theirs):
        theirs.byte_streams()
        for _ in range(6):
            ours.send_nowait(bytes(1000), stream=2)
        await ours.wait_acknowledged()
        hosts.drop = is_last_word
        ours.begin_shutdown()
        await asyncio.sleep(0.1)
        assert theirs.state == "SHUTDOWN-ACK-SENT"
        flushes = count_flushes(hosts)
        reader, _ = await theirs.accept_stream()
        await reader.readexactly(6000)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read()
        assert theirs.engine.receiver.sack_is_due
        assert flushes
