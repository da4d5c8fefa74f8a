"""One line for byte streams and `Association.send`: each waits for room in the send buffer, and gets its turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import aiosctp
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Outgoing
from aiosctp.exceptions import InvalidStream
from tests.surface.test_backpressure import let_go, settle, stalled
from tests.surface.test_byte_streams import number_of
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time

# Four messages fill it, of one stream or of several.
SMALL = aiosctp.Config(
    max_message_bytes=500, send_buffer_bytes=2000, stream_send_buffer_bytes=2000, outbound_streams=100
)
FIRST_OF_MESSAGES = 50


async def write(association: aiosctp.Association, size: int) -> asyncio.StreamWriter:
    _, writer = await association.open_stream()
    writer.write(bytes(size))
    return writer


def held_bytes(association: aiosctp.Association, stream: int) -> int:
    return association.engine.sender.stream_buffered_bytes(stream)


@asynccontextmanager
async def filled() -> AsyncIterator[tuple[TwoHosts, aiosctp.Association]]:
    """An association in stream mode whose send buffer is full, and stays so until the test makes room. One more byte of
    `send_buffer_bytes` is room for one message."""
    async with stalled(server_config=aiosctp.Config()) as (hosts, ours, _):
        ours.configure(**{name: getattr(SMALL, name) for name in ("max_message_bytes", "send_buffer_bytes")})
        ours.configure(stream_send_buffer_bytes=SMALL.stream_send_buffer_bytes)
        ours.byte_streams()
        for stream in range(101, 105):
            ours.send_nowait(bytes(500), stream=stream)
        yield hosts, ours


def make_room(association: aiosctp.Association, **marks: int) -> None:
    """For one message, or as these marks say; and no more happens, as after the last acknowledgement."""
    engine = association.engine
    marks = marks or {"send_buffer_bytes": engine.config.send_buffer_bytes + 1}
    engine.configure(engine.config.replace(**marks), association.stack.now())
    association._backpressure.wake()


# -- turns --


@virtual_time
@pytest.mark.parametrize(("byte_streams", "senders"), [(10, 0), (10, 1), (1, 10), (5, 5)])
async def test_nobody_gets_two_turns_while_another_waits_for_one(
    byte_streams: int, senders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    original = AssociationEngine.send
    async with associated(config=SMALL) as (_, ours, theirs):

        def send(engine: AssociationEngine, message: Outgoing) -> None:
            if engine is ours.engine:
                given.append(message[1])
            original(engine, message)

        monkeypatch.setattr(AssociationEngine, "send", send)

        async def send_on(stream: int) -> None:
            for _ in range(50):
                await ours.send(bytes(500), stream=stream)

        async def read() -> None:
            async for reader, _ in theirs.accept_streams():
                reading.append(asyncio.create_task(reader.read()))

        reading: list[asyncio.Task[Any]] = [asyncio.create_task(read())]
        messages = range(FIRST_OF_MESSAGES, FIRST_OF_MESSAGES + senders)
        for stream in messages:
            reading.append(asyncio.create_task(theirs.stream(stream).receive()))
        writers = [await write(ours, 50 * 500) for _ in range(byte_streams)]
        # Two for each: who is woken leaves one behind that waits.
        sending = [asyncio.create_task(send_on(stream)) for stream in messages for _ in range(2)]
        await asyncio.sleep(4)
        everyone = {number_of(writer) for writer in writers} | set(messages)
        # What was given before all had come to wait.
        steady = given[8:400]
        assert len(steady) == 392
        for stream in everyone:
            turns = [at for at, each in enumerate(steady) if each == stream]
            assert turns, f"{stream} has had none"
            for before, after in zip([-1, *turns], [*turns, len(steady)], strict=True):
                # One in the turn in which it was given its own and did not wait yet, and one ahead of it in the line.
                assert max(Counter(steady[before + 1 : after]).values(), default=0) <= 2
        for task in (*sending, *reading):
            task.cancel()
        await asyncio.gather(*sending, *reading, return_exceptions=True)


@virtual_time
async def test_who_waits_for_its_own_streams_room_lets_the_others_by_again_and_again() -> None:
    async with filled() as (_, ours):
        ours.configure(send_buffer_bytes=4000)
        for _ in range(4):
            ours.send_nowait(bytes(500), stream=FIRST_OF_MESSAGES)
        sending = asyncio.create_task(ours.send(b"x", stream=FIRST_OF_MESSAGES))
        await settle()
        writer = await write(ours, 5000)
        await settle()
        assert held_bytes(ours, number_of(writer)) == 0
        make_room(ours, send_buffer_bytes=5500)
        await settle()
        assert held_bytes(ours, number_of(writer)) == 1500
        assert held_bytes(ours, FIRST_OF_MESSAGES) == 2000
        assert not sending.done()
        sending.cancel()


# -- turns that are given and not taken --


@virtual_time
async def test_who_comes_new_does_not_take_the_room_of_one_whose_turn_it_is() -> None:
    async with filled() as (_, ours):
        sending = asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES))
        await settle()
        make_room(ours)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(bytes(500), stream=FIRST_OF_MESSAGES + 1)
        writer = await write(ours, 500)
        await settle()
        assert sending.done()
        assert held_bytes(ours, number_of(writer)) == 0


@virtual_time
async def test_a_turn_ends_the_credit_of_who_sent_last() -> None:
    async with stalled() as (_, ours, _):
        for stream in (1, 2, 5):
            ours.send_nowait(bytes(1000), stream=stream)
        waiting = asyncio.create_task(ours.send(bytes(1000), stream=5))
        await settle()
        ours.send_nowait(bytes(600), stream=3)
        make_room(ours, stream_send_buffer_bytes=1001)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=3)
        await waiting


@virtual_time
@pytest.mark.parametrize("has_had_its_turn", [True, False])
async def test_cancelling_a_send_that_waits_passes_the_turn_on_to_a_byte_stream(has_had_its_turn: bool) -> None:
    async with filled() as (_, ours):
        sending = asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES))
        await settle()
        writer = await write(ours, 5000)
        await settle()
        if has_had_its_turn:
            make_room(ours)
        sending.cancel()
        await settle()
        if not has_had_its_turn:
            make_room(ours)
        assert sending.cancelled()
        assert held_bytes(ours, FIRST_OF_MESSAGES) == 0
        assert held_bytes(ours, number_of(writer)) == 500


@virtual_time
@pytest.mark.parametrize("has_had_its_turn", [True, False])
async def test_cancelling_the_first_of_a_stream_lets_the_second_have_its_turn(has_had_its_turn: bool) -> None:
    async with filled() as (_, ours):
        first, second = (asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES)) for _ in range(2))
        await settle()
        if has_had_its_turn:
            make_room(ours)
        first.cancel()
        await settle()
        if not has_had_its_turn:
            make_room(ours)
            await settle()
        assert first.cancelled()
        assert second.done()
        assert held_bytes(ours, FIRST_OF_MESSAGES) == 500


@virtual_time
async def test_cancelling_the_second_of_a_stream_gives_the_first_no_second_turn() -> None:
    async with filled() as (_, ours):
        first, second = (asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES)) for _ in range(2))
        await settle()
        second.cancel()
        make_room(ours, send_buffer_bytes=2501)  # for two messages
        await settle()
        assert first.done()
        assert second.cancelled()
        writer = await write(ours, 500)
        await settle()
        assert held_bytes(ours, number_of(writer)) == 500


@virtual_time
async def test_a_send_whose_stream_has_become_a_byte_stream_passes_its_turn_on() -> None:
    async with filled() as (_, ours):
        refused = asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES))
        await settle()
        writer = await write(ours, 500)
        await settle()
        await ours.open_stream(FIRST_OF_MESSAGES)
        make_room(ours)
        with pytest.raises(InvalidStream):
            await refused
        assert held_bytes(ours, number_of(writer)) == 500


@virtual_time
async def test_a_byte_stream_that_is_aborted_in_the_line_leaves_it() -> None:
    async with filled() as (hosts, ours):
        writer = await write(ours, 500)
        await settle()
        make_room(ours)
        writer.write(bytes(500))
        await settle()
        sending = asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES))
        await settle()
        writer.transport.abort()
        await settle()
        assert ours.byte_streams().output._blocked == {}
        assert not sending.done()
        let_go(hosts)
        await sending
        await writer.wait_closed()


@virtual_time
async def test_after_the_end_nobody_is_left_in_the_line() -> None:
    for end in (aiosctp.Association.abort, aiosctp.Association.close):
        async with filled() as (hosts, ours):
            await write(ours, 5000)
            sending = asyncio.create_task(ours.send(bytes(500), stream=FIRST_OF_MESSAGES))
            await settle()
            assert len(ours._backpressure.waiting) == 2
            end(ours)
            let_go(hosts)
            await ours.wait_closed()
            with pytest.raises(aiosctp.SCTPError):
                await sending
            assert not ours._backpressure.waiting
            assert not ours._backpressure._line
            assert ours._backpressure._promised_bytes == 0
