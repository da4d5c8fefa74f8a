"""`send()`'s high-water marks: who waits, in which order, what cancelling leaves, and that nobody waits for others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import aiosctp
from aiosctp.exceptions import AssociationAborted, AssociationShutdown
from tests.core.work import assert_constant, instructions
from tests.surface.two_hosts import TwoHosts, associated, has_user_data
from tests.surface.virtual_time import virtual_time

MARKS = aiosctp.Config(send_buffer_bytes=4000, stream_send_buffer_bytes=1000)


@asynccontextmanager
async def stalled(**options: Any) -> AsyncIterator[tuple[TwoHosts, aiosctp.Association, aiosctp.Association]]:
    """An association whose DATA does not arrive until the test lets it."""
    async with associated(config=MARKS, **options) as (hosts, ours, theirs):
        hosts.drop = has_user_data
        yield hosts, ours, theirs


def let_go(hosts: TwoHosts) -> None:
    hosts.drop = lambda packet: False


async def settle() -> None:
    """Let every task run as far as it can without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)


@virtual_time
async def test_below_the_mark_a_message_of_any_size_is_taken_at_once() -> None:
    async with stalled() as (_, ours, _):
        coroutine = ours.send(bytes(100_000))
        with pytest.raises(StopIteration):
            coroutine.send(None)


@virtual_time
async def test_send_waits_until_its_stream_is_below_its_mark() -> None:
    """A37: a call that would wait does; its non-blocking form says so instead."""
    async with stalled() as (hosts, ours, theirs):
        await ours.send(bytes(1000), stream=1)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1)
        sending = asyncio.create_task(ours.send(b"x", stream=1))
        await settle()
        assert not sending.done()
        let_go(hosts)
        await sending
        assert len((await theirs.receive()).data) == 1000
        assert (await theirs.receive()).data == b"x"


@virtual_time
async def test_a_full_stream_keeps_no_other_stream_waiting() -> None:
    async with stalled() as (_, ours, _):
        await ours.send(bytes(100_000), stream=1)
        for stream in (2, 3, 4):
            async with asyncio.timeout(0.001):
                await ours.send(bytes(900), stream=stream)
        ours.send_nowait(b"even now", stream=5)


@virtual_time
async def test_a_mark_that_is_lowered_holds_for_the_next_message() -> None:
    async with stalled() as (_, ours, _):
        await ours.send(bytes(500), stream=1)
        ours.configure(stream_send_buffer_bytes=400)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1)
        ours.configure(stream_send_buffer_bytes=501)
        ours.send_nowait(b"x", stream=1)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1)


@virtual_time
async def test_what_other_streams_were_given_meanwhile_counts() -> None:
    async with stalled() as (_, ours, _):
        ours.send_nowait(bytes(1), stream=1)
        for stream in (2, 3, 4, 5):
            ours.send_nowait(bytes(1000), stream=stream)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1)


@virtual_time
async def test_what_a_send_costs_does_not_grow_with_the_streams_above_their_mark() -> None:
    config = aiosctp.Config(outbound_streams=1000, max_inbound_streams=1000, stream_send_buffer_bytes=1)
    async with associated(config=config) as (_, ours, _):
        streams = iter(range(1000))

        def cost(above: int) -> int:
            for _ in range(above):
                ours.send_nowait(b"xx", stream=next(streams))
            return instructions(lambda: ours.send_nowait(b"xx", stream=next(streams)))

        assert_constant(cost, 100)


@virtual_time
async def test_the_association_has_a_mark_of_its_own() -> None:
    async with stalled() as (_, ours, _):
        for stream in range(5):
            await ours.send(bytes(900), stream=stream)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=9)


@virtual_time
async def test_within_a_stream_first_come_first_served() -> None:
    async with stalled() as (hosts, ours, theirs):
        await ours.send(bytes(1000), stream=1)
        senders = [asyncio.create_task(ours.send(b"%d" % number, stream=1)) for number in range(20)]
        await settle()
        assert not any(sender.done() for sender in senders)
        let_go(hosts)
        await theirs.receive()
        assert [(await theirs.receive()).data for _ in senders] == [b"%d" % number for number in range(20)]
        await asyncio.gather(*senders)


@virtual_time
async def test_nobody_overtakes_who_waits() -> None:
    async with stalled() as (hosts, ours, theirs):
        await ours.send(bytes(1000), stream=1)
        waiting = asyncio.create_task(ours.send(b"first", stream=1))
        await settle()
        let_go(hosts)
        while not waiting.done():
            with pytest.raises(BlockingIOError):
                ours.send_nowait(b"overtaking", stream=1)
            await asyncio.sleep(0.001)
        await waiting
        await theirs.receive()
        assert (await theirs.receive()).data == b"first"


@virtual_time
async def test_streams_that_wait_for_the_association_all_get_their_turn() -> None:
    async with stalled() as (hosts, ours, theirs):
        for stream in range(5):
            await ours.send(bytes(900), stream=stream)
        senders = [asyncio.create_task(ours.send(b"%d" % number, stream=number % 50)) for number in range(200)]
        await settle()
        let_go(hosts)
        received = [await theirs.receive() for _ in range(205)]
        await asyncio.gather(*senders)
        for stream in range(50):
            of_stream = [int(m.data) for m in received if m.stream == stream and len(m.data) < 900]
            assert of_stream == [stream, stream + 50, stream + 100, stream + 150]


@virtual_time
async def test_cancelling_a_send_that_waits_queues_nothing_and_passes_the_turn_on() -> None:
    async with stalled() as (hosts, ours, theirs):
        await ours.send(bytes(1000), stream=1)
        senders = [asyncio.create_task(ours.send(b"%d" % number, stream=1)) for number in range(4)]
        await settle()
        senders[0].cancel()
        senders[2].cancel()
        await settle()
        let_go(hosts)
        await theirs.receive()
        assert [(await theirs.receive()).data for _ in range(2)] == [b"1", b"3"]
        await ours.wait_acknowledged()
        with pytest.raises(BlockingIOError):
            theirs.receive_nowait()
        assert senders[0].cancelled()
        assert senders[2].cancelled()


@virtual_time
async def test_cancelling_a_send_in_the_turn_that_wakes_it_queues_nothing() -> None:
    async with stalled() as (_, ours, _):
        await ours.send(bytes(1000), stream=1)
        first = asyncio.create_task(ours.send(b"1", stream=1))
        second = asyncio.create_task(ours.send(b"2", stream=1))
        await settle()
        ours.configure(stream_send_buffer_bytes=1001)  # wakes the first: there is room now
        first.cancel()
        await settle()
        assert first.cancelled()
        assert second.done()
        assert ours.engine.sender.stream_buffered_bytes(1) == 1001


@virtual_time
async def test_who_waits_learns_of_the_end() -> None:
    for end, error in (
        (aiosctp.Association.abort, AssociationAborted),
        (aiosctp.Association.close, AssociationShutdown),
    ):
        async with stalled() as (hosts, ours, _):
            await ours.send(bytes(1000), stream=1)
            senders = [asyncio.create_task(ours.send(b"x", stream=1)) for _ in range(3)]
            await settle()
            end(ours)
            for sender in senders:
                with pytest.raises(error):
                    await sender
            let_go(hosts)


@virtual_time
async def test_a_stalled_association_stops_no_other() -> None:
    """A39: each association has buffers of its own, and one that stalls does not stop the others."""
    async with TwoHosts(config=MARKS) as hosts, await hosts.serve():
        stuck, _ = await hosts.pair(local_port=5000)
        free, theirs = await hosts.pair(local_port=5001)
        hosts.drop = lambda packet: (5000).to_bytes(2) == packet.data[:2]
        for stream in range(4):
            await stuck.send(bytes(1000), stream=stream)
        waiting = asyncio.create_task(stuck.send(b"x", stream=1))
        for number in range(50):
            async with asyncio.timeout(1):
                await free.send(b"%d" % number)
                assert (await theirs.receive()).data == b"%d" % number
        assert not waiting.done()
        waiting.cancel()
        let_go(hosts)


@virtual_time
async def test_a_reader_who_never_reads_stops_the_sender_and_memory() -> None:
    """X29: what is unread is bounded by the window, and the sender by its mark."""
    config = aiosctp.Config(receive_window_bytes=20_000, send_buffer_bytes=10_000, stream_send_buffer_bytes=10_000)
    async with associated(config=config) as (_, ours, theirs):
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < 1000:
                await ours.send(b"%4d" % sent + bytes(996))
                sent += 1

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(), 100)
        assert theirs.engine.receiver.held_bytes <= 20_000 + 2_000
        assert sent <= 32
        for number in range(sent):
            assert int((await theirs.receive()).data[:4]) == number
        await ours.send(b"   z")
        assert (await theirs.receive()).data == b"   z"


@virtual_time
async def test_a_message_larger_than_the_window_arrives() -> None:
    config = aiosctp.Config(receive_window_bytes=20_000)
    async with associated(config=config) as (_, ours, theirs):
        data = bytes(range(256)) * 1000
        reading = asyncio.create_task(theirs.receive())
        await ours.send(data)
        assert (await reading).data == data
        await ours.send(data, stream=1)
        parts = []
        while True:
            message = await theirs.receive(partial=True)
            parts.append(message.data)
            if message.end_of_record:
                break
        assert b"".join(parts) == data
        assert len(parts) > 1
