"""The byte streams of an association: numbers, accepting, resets, and what becomes of them when things end."""

from __future__ import annotations

import asyncio
import gc
import random

import pytest

import aiosctp
from aiosctp.events import StreamReset
from aiosctp.stream_transport import StreamTransport
from aiosctp.testing import Link, Network, RandomLoss
from aiosctp.wire.codepoints import ChunkType
from tests.surface.two_hosts import DELAY_S, TwoHosts, associated
from tests.surface.virtual_time import virtual_time

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def number_of(writer: asyncio.StreamWriter) -> int:
    number = writer.get_extra_info("stream_id")
    assert isinstance(number, int)
    return number


async def conversation(ours: aiosctp.Association, theirs: aiosctp.Association) -> tuple[Pair, Pair]:
    """A stream that one side has opened and the other accepted."""
    pair = await ours.open_stream()
    pair[1].write(b"hello\n")
    accepted = await theirs.accept_stream()
    assert await accepted[0].readline() == b"hello\n"
    return pair, accepted


# -- numbers --


@virtual_time
async def test_who_sent_the_init_opens_even_numbers_and_the_other_side_odd_ones() -> None:
    async with associated() as (_, ours, theirs):
        assert [number_of((await ours.open_stream())[1]) for _ in range(3)] == [0, 2, 4]
        assert [number_of((await theirs.open_stream())[1]) for _ in range(3)] == [1, 3, 5]
        assert number_of((await ours.open_stream(6))[1]) == 6
        assert number_of((await ours.open_stream())[1]) == 8
        for number in (6, 256, -1):
            with pytest.raises(aiosctp.InvalidStream):
                await ours.open_stream(number)


@virtual_time
async def test_opening_waits_for_a_number_in_turn_and_cancelling_takes_none() -> None:
    config = aiosctp.Config(outbound_streams=4)
    async with associated(config=config) as (_, ours, theirs):
        (_, first), _ = await conversation(ours, theirs)
        await ours.open_stream()
        waiting = [asyncio.create_task(ours.open_stream()) for _ in range(3)]
        await asyncio.sleep(1)
        assert not any(task.done() for task in waiting)
        waiting[0].cancel()
        first.close()
        await first.wait_closed()
        _, writer = await waiting[1]
        assert number_of(writer) == 0
        assert not waiting[2].done()
        ours.abort()
        with pytest.raises(aiosctp.AssociationAborted):
            await waiting[2]


@virtual_time
async def test_a_number_that_was_closed_begins_anew() -> None:
    async with associated(config=aiosctp.Config(outbound_streams=1)) as (_, ours, theirs):
        for round_ in range(50):
            reader, writer = await ours.open_stream()
            writer.write(b"request %d" % round_)
            writer.write_eof()
            their_reader, their_writer = await theirs.accept_stream()
            assert await their_reader.read() == b"request %d" % round_
            their_writer.write(b"answer %d" % round_)
            their_writer.close()
            assert await reader.read() == b"answer %d" % round_
            writer.close()
            await writer.wait_closed()
            await their_writer.wait_closed()


@virtual_time
async def test_what_is_written_under_the_same_number_later_is_not_of_the_stream_before() -> None:
    async with associated() as (_, ours, theirs):
        (_, before), (_, their_writer) = await conversation(ours, theirs)
        for writer in (before, their_writer):
            writer.close()
            await writer.wait_closed()
        _, after = await ours.open_stream(0)
        after.write(bytes(100_000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert after.transport.get_write_buffer_size() == 100_000
        assert before.transport.get_write_buffer_size() == 0


@virtual_time
async def test_nothing_is_kept_of_streams_that_were_closed() -> None:
    """X46, X54: nor of their number in the engine."""
    async with associated() as (_, ours, theirs):
        for _ in range(300):
            (_, writer), (_, their_writer) = await conversation(ours, theirs)
            writer.close()
            their_writer.close()
            await writer.wait_closed()
            await their_writer.wait_closed()
        await asyncio.sleep(10)
        for association in (ours, theirs):
            streams = association.byte_streams()
            assert not streams._by_number
            assert not streams._alive
            assert not association.engine.sender.queue.by_number
            assert association.engine.receiver.held_bytes == 0


@virtual_time
async def test_a_stream_nothing_was_written_to_is_closed_without_a_packet() -> None:
    async with associated() as (hosts, ours, _):
        await asyncio.sleep(1)
        sent = len(hosts.log)
        _, writer = await ours.open_stream()
        writer.close()
        await writer.wait_closed()
        assert number_of((await ours.open_stream())[1]) == 0
        assert len(hosts.log) == sent


# -- modes, and accepting --


@virtual_time
async def test_in_stream_mode_receive_raises_and_streams_of_messages_go_on() -> None:
    async with associated() as (_, ours, theirs):
        messages = theirs.stream(7)
        waiting = asyncio.create_task(theirs.receive())
        await asyncio.sleep(0)
        accepting = asyncio.create_task(theirs.accept_stream())
        with pytest.raises(RuntimeError):
            await waiting
        with pytest.raises(RuntimeError):
            await theirs.receive()
        await ours.send(b"message", stream=7)
        await ours.send(b"bytes", stream=8)
        assert (await messages.receive()).data == b"message"
        reader, writer = await accepting
        assert (await reader.read(100), number_of(writer)) == (b"bytes", 8)
        with pytest.raises(aiosctp.InvalidStream):
            theirs.stream(8)
        with pytest.raises(aiosctp.InvalidStream):
            await theirs.open_stream(7)


@virtual_time
async def test_a_stream_of_messages_is_neither_opened_nor_accepted_as_bytes() -> None:
    async with associated(config=aiosctp.Config(outbound_streams=6)) as (_, ours, theirs):
        ours.stream(0)
        (_, first), _ = await conversation(ours, theirs)
        assert number_of(first) == 2
        first.close()
        await first.wait_closed()
        # Free again, and one that the peer has begun.
        ours.stream(2)
        assert number_of((await ours.open_stream())[1]) == 4
        await theirs.send(b"message", stream=3)
        await asyncio.sleep(1)
        messages = ours.stream(3)
        accepting = asyncio.create_task(ours.accept_stream())
        assert (await messages.receive()).data == b"message"
        await asyncio.sleep(1)
        assert not accepting.done()
        accepting.cancel()


@virtual_time
async def test_streams_are_accepted_in_their_order_until_the_graceful_end() -> None:
    async with associated() as (_, ours, theirs):
        for number in range(5):
            _, writer = await ours.open_stream()
            writer.write(b"%d" % number)
        await ours.shutdown()
        accepted = [pair async for pair in theirs.accept_streams()]
        assert [await reader.read() for reader, _ in accepted] == [b"0", b"1", b"2", b"3", b"4"]
        with pytest.raises(aiosctp.AssociationShutdown):
            await theirs.accept_stream()


@virtual_time
async def test_who_asked_first_accepts_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who comes as a stream has just begun goes before those who wait, and who is cancelled loses none."""
    async with associated() as (_, ours, theirs):
        accepted: list[tuple[str, int]] = []

        async def accept(name: str) -> None:
            _, writer = await theirs.accept_stream()
            accepted.append((name, number_of(writer)))

        async def begin(count: int) -> None:
            for _ in range(count):
                (await ours.open_stream())[1].write(b"x")
            await asyncio.sleep(1)

        waiting = [asyncio.create_task(accept(name)) for name in "abc"]
        await asyncio.sleep(1)
        streams = theirs.byte_streams()
        begun = streams._begun_by_peer

        def begun_and_cancelled(number: int) -> None:
            begun(number)
            waiting[1].cancel()

        def come_first(number: int) -> None:
            # Its first step comes before the others hear of the stream.
            waiting.append(asyncio.create_task(accept("late")))
            begun(number)

        monkeypatch.setattr(streams, "_begun_by_peer", come_first)
        await begin(1)
        assert accepted == [("a", 0)]
        monkeypatch.setattr(streams, "_begun_by_peer", begun_and_cancelled)
        await begin(2)
        assert accepted == [("a", 0), ("c", 2), ("late", 4)]
        assert waiting[1].cancelled()


@virtual_time
async def test_who_was_woken_for_a_stream_that_another_took_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async with associated() as (_, ours, theirs):
        waiting = [asyncio.create_task(theirs.accept_stream()) for _ in range(2)]
        await asyncio.sleep(0)
        streams = theirs.byte_streams()
        begun = streams._begun_by_peer

        def begun_and_taken(number: int) -> None:
            begun(number)
            if number == 0:
                theirs.stream(0)

        monkeypatch.setattr(streams, "_begun_by_peer", begun_and_taken)
        for number in (0, 2, 4):
            (await ours.open_stream(number))[1].write(b"x")
            await asyncio.sleep(1)
        assert [number_of((await task)[1]) for task in waiting] == [2, 4]


@virtual_time
async def test_what_was_written_is_sent_before_a_shutdown() -> None:
    async with associated() as (_, ours, theirs):
        _, writer = await ours.open_stream()
        writer.write(bytes(3_000_000))
        ending = asyncio.create_task(ours.shutdown())
        reader, _ = await theirs.accept_stream()
        assert len(await reader.read()) == 3_000_000
        await ending


@virtual_time
async def test_an_abort_is_an_exception_on_every_stream() -> None:
    async with associated() as (_, ours, theirs):
        (_, first), (their_first, _) = await conversation(ours, theirs)
        (second, _), (_, their_second) = await conversation(ours, theirs)
        reading = asyncio.create_task(their_first.read())
        await asyncio.sleep(0)
        ours.abort(b"enough")
        with pytest.raises(aiosctp.AssociationAborted):
            await reading
        with pytest.raises(aiosctp.AssociationAborted):
            await second.read()
        for writer in (first, their_second):
            with pytest.raises(aiosctp.AssociationAborted):
                await writer.wait_closed()


@pytest.mark.parametrize("has_accepted", [False, True])
def test_after_an_abort_nothing_is_accepted_that_had_begun(has_accepted: bool) -> None:
    """It would be read to an end that looks like EOF."""

    @virtual_time
    async def run() -> None:
        async with associated() as (_, ours, theirs):
            if has_accepted:
                await conversation(ours, theirs)
            _, writer = await ours.open_stream()
            writer.write(b"half of")
            await asyncio.sleep(1)
            ours.abort()
            await asyncio.sleep(1)
            for _ in range(2):
                with pytest.raises(aiosctp.AssociationAborted):
                    await theirs.accept_stream()

    run()


@virtual_time
async def test_what_a_protocol_takes_over_as_it_is_made_is_not_served_too() -> None:
    served: list[int] = []

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(number_of(writer))
        if served[-1] == 2:
            writer.get_extra_info("association").stream(4)

    async with TwoHosts() as hosts:
        await aiosctp.start_server(connected, None, 7777, stack=hosts.server)
        association = await hosts.connect()
        for number in (2, 4, 6):
            await association.send(b"to begin it", stream=number)
        await asyncio.sleep(1)
        assert served == [0, 2, 6]


@virtual_time
async def test_where_the_servers_factory_fails_the_client_reads_eof() -> None:
    unhandled: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(context["exception"]))
    error = ValueError("no protocol today")

    def fail() -> asyncio.Protocol:
        raise error

    async with TwoHosts() as hosts:
        await aiosctp.create_server(fail, None, 7777, stack=hosts.server)
        reader, writer = await aiosctp.open_connection("192.0.2.2", 7777, stack=hosts.client)
        assert await reader.read() == b""
        other_reader, other = await writer.get_extra_info("association").open_stream()
        other.write(b"is there anybody?")
        assert await other_reader.read() == b""
        for each in (other, writer):
            each.close()
            await each.wait_closed()
    assert unhandled == [error, error]


@virtual_time
async def test_a_server_is_not_given_a_stream_that_an_abort_came_with() -> None:
    readers: list[asyncio.StreamReader] = []
    async with TwoHosts() as hosts:
        await aiosctp.start_server(lambda reader, _: readers.append(reader), None, 7777, stack=hosts.server)
        association = await hosts.connect()
        _, writer = await association.open_stream(2)
        writer.write(b"half of")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        association.abort()
        await asyncio.sleep(1)
        (first,) = readers
        with pytest.raises(aiosctp.AssociationAborted):
            await first.read()


@virtual_time
async def test_a_connection_that_is_aborted_with_its_beginning_ends_with_an_exception() -> None:
    async def refuse(association: aiosctp.Association) -> None:
        association.abort(b"not you")

    async with TwoHosts() as hosts:
        await aiosctp.serve(refuse, None, 7777, stack=hosts.server)
        host = hosts.server_host.addresses[0]
        reader, writer = await aiosctp.open_connection(host, 7777, stack=hosts.client)
        with pytest.raises(aiosctp.AssociationAborted):
            await reader.read()
        writer.close()
        with pytest.raises(aiosctp.AssociationAborted):
            await writer.wait_closed()


@pytest.mark.parametrize("who", [0, 1])
def test_opening_does_not_wait_through_a_shutdown(who: int) -> None:
    """Which lasts as long as the peer's data does."""

    @virtual_time
    async def run() -> None:
        async with associated(config=aiosctp.Config(outbound_streams=2)) as (_, *both):
            ours = both[0]
            (_, writer), _ = await conversation(*both)
            writer.write(bytes(3_000_000))
            opening = asyncio.create_task(ours.open_stream())
            await asyncio.sleep(1)
            both[who].begin_shutdown()
            with pytest.raises(aiosctp.AssociationShutdown):
                async with asyncio.timeout(1):
                    await opening
            assert ours.engine.ending is None

    run()


@virtual_time
async def test_leaving_an_association_sends_what_was_written_and_ends_its_streams() -> None:
    async with associated() as (_, ours, theirs):
        async with ours:
            reader, writer = await ours.open_stream()
            writer.write(bytes(2_000_000))
            their_reader, their_writer = await theirs.accept_stream()
            reading = asyncio.create_task(their_reader.read())
        assert len(await reading) == 2_000_000
        for each in (writer, their_writer):
            await each.wait_closed()
        assert await reader.read() == b""
        with pytest.raises(aiosctp.AssociationShutdown):
            await ours.open_stream()


@virtual_time
async def test_streams_live_though_nobody_holds_them() -> None:
    async with associated() as (_, ours, theirs):
        _, accepted = await conversation(ours, theirs)
        gc.collect()
        accepted[1].write(b"still there")
        await asyncio.sleep(1)
        transport = ours.byte_streams().find(0)
        assert transport is not None
        assert not transport.is_closing()


@virtual_time
async def test_much_on_one_stream_keeps_none_of_the_others_waiting() -> None:
    async with associated() as (_, ours, theirs):
        _, bulk = await ours.open_stream()
        bulk.write(bytes(20_000_000))
        _, small = await ours.open_stream()
        small.write(b"small")
        accepting = theirs.accept_streams()
        assert number_of((await anext(accepting))[1]) == 0
        reader, writer = await anext(accepting)
        assert (await reader.read(10), number_of(writer)) == (b"small", 2)
        assert bulk.transport.get_write_buffer_size() > 15_000_000


@virtual_time
async def test_small_writes_of_one_turn_are_one_message() -> None:
    async with associated(config=aiosctp.Config(stream_ppid=51)) as (_, ours, theirs):
        _, writer = await ours.open_stream()
        for _ in range(100):
            writer.write(b"x")
        message = await theirs.receive()
        assert (message.data, message.ppid) == (b"x" * 100, 51)
        assert ours.statistics().oodchunks == 1


@virtual_time
async def test_a_writer_that_is_paused_does_not_wait_for_a_delayed_sack() -> None:
    """§6.1, the I bit: or one packet above the low-water mark would cost `drain` 200 ms."""
    async with associated() as (_, ours, theirs):
        (_, writer), _ = await conversation(ours, theirs)
        await asyncio.sleep(1)
        writer.transport.set_write_buffer_limits(high=0)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for _ in range(10):
            writer.write(b"one packet")
            await writer.drain()
        assert loop.time() - began_s == pytest.approx(10 * 2 * DELAY_S, rel=0.1)


@virtual_time
async def test_limits_that_are_lowered_as_writing_is_to_resume_leave_no_writer_waiting() -> None:
    async with associated() as (_, ours, _theirs):
        (_, first), (_, second) = await ours.open_stream(), await ours.open_stream()

        class LowersTheOther(asyncio.Protocol):
            def resume_writing(self) -> None:
                lowered.append(second.transport.get_write_buffer_size())
                second.transport.set_write_buffer_limits(high=0)

        lowered: list[int] = []
        first.transport.set_protocol(LowersTheOther())
        first.transport.set_write_buffer_limits(high=0)
        second.transport.set_write_buffer_limits(high=199_999, low=199_999)
        first.write(b"acknowledged with the beginning of the other")
        second.write(bytes(200_000))
        async with asyncio.timeout(60):
            await second.drain()
        assert 0 < lowered[0] < 199_999
        assert second.transport.get_write_buffer_size() == 0


@virtual_time
async def test_a_thousand_streams_echo() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async def ask(association: aiosctp.Association, number: int) -> None:
        reader, writer = await association.open_stream()
        writer.write(b"%04d" % number * 500)
        writer.write_eof()
        assert await reader.read() == b"%04d" % number * 500
        writer.close()
        await writer.wait_closed()

    async with (
        TwoHosts(config=aiosctp.Config(outbound_streams=2000)) as hosts,
        await aiosctp.start_server(echo, None, 7777, stack=hosts.server),
        await hosts.connect() as association,
        asyncio.TaskGroup() as group,
    ):
        for number in range(1000):
            group.create_task(ask(association, number))


# -- ends, and peers that will not --


@virtual_time
async def test_what_has_one_direction_only_is_not_reset_in_the_other() -> None:
    """A peer refuses to reset what is not there, and with it the others that the same request names."""
    few, many = aiosctp.Config(outbound_streams=4), aiosctp.Config(outbound_streams=256)
    async with associated(config=few, server_config=many) as (_, ours, theirs):
        resets = ours.events(StreamReset)
        for _ in range(3):
            (_, first), (their_first, _) = await conversation(ours, theirs)
            _, their_writer = await theirs.open_stream(20)
            their_writer.write(b"one way")
            reader, writer = await ours.accept_stream()
            assert await reader.readexactly(7) == b"one way"
            for each in (first, writer, their_writer):
                each.close()
            async with asyncio.timeout(60):
                assert await their_first.read() == b""
                for each in (first, writer, their_writer):
                    await each.wait_closed()
            await asyncio.sleep(1)
            assert not ours.byte_streams()._by_number
        ours.abort()
        await asyncio.sleep(1)
        assert not [event async for event in resets if not isinstance(event, StreamReset) or event.failed]


@virtual_time
async def test_a_stream_opened_behind_a_reset_of_its_number_ends_by_another() -> None:
    async with associated() as (_, ours, theirs), asyncio.timeout(60):
        await ours.send(b"before", stream=2)
        assert (await theirs.receive()).data == b"before"
        resetting = asyncio.create_task(ours.reset_streams(outgoing=(2,)))
        await asyncio.sleep(0)
        reader, writer = await ours.open_stream(2)
        writer.write(b"after")
        writer.write_eof()
        their_reader, their_writer = await theirs.accept_stream()
        await resetting
        assert await their_reader.read() == b"after"
        their_writer.write(b"answer")
        their_writer.close()
        assert await reader.read() == b"answer"
        writer.close()
        await writer.wait_closed()
        await their_writer.wait_closed()


@virtual_time
async def test_what_comes_late_is_discarded_and_opens_the_window_again() -> None:
    async with associated() as (_, ours, theirs):
        (_, writer), (_, their_writer) = await conversation(ours, theirs)
        their_writer.write(bytes(5_000_000))
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ConnectionResetError):
            await their_writer.wait_closed()
        await asyncio.sleep(1)
        assert ours.engine.receiver.held_bytes == 0
        again, _ = await conversation(ours, theirs)
        assert number_of(again[1]) == 0


@virtual_time
async def test_what_is_discarded_with_a_reset_opens_the_window_at_once() -> None:
    config = aiosctp.Config(receive_window_bytes=3000)
    async with associated(config=config) as (_, ours, theirs):
        (_, writer), (_, their_writer) = await conversation(ours, theirs)
        assert isinstance(writer.transport, aiosctp.StreamTransport)
        writer.transport.pause_reading()
        # The last of it comes together with the reset.
        their_writer.write(bytes(9000))
        await asyncio.sleep(1)
        writer.close()
        for _ in range(200):
            await asyncio.sleep(0.001)
            # What is due at one instant takes some turns of the loop.
            for _ in range(5):
                await asyncio.sleep(0)
            assert not ours.engine.receiver.sack_is_due
        assert writer.transport.is_closing()
        assert theirs.engine.sender.is_drained


@virtual_time
async def test_a_stream_begun_anew_waits_until_the_one_before_was_read() -> None:
    """What is not read to its end is not mixed with what the peer has begun since under the same number."""
    async with associated(config=aiosctp.Config(outbound_streams=1)) as (_, ours, theirs):
        for word in (b"one", b"two", b"three"):
            _, writer = await ours.open_stream()
            writer.write(word)
            writer.close()
            await writer.wait_closed()
        for word in (b"one", b"two", b"three"):
            reader, writer = await theirs.accept_stream()
            assert await reader.read() == word
            writer.close()
            await writer.wait_closed()
        assert not theirs.byte_streams()._by_number


@pytest.mark.parametrize("lacks", [{"reconfig": False}, {"peer_may_reset_streams": False}])
def test_where_there_is_no_reset_close_stops_sending_and_the_number_is_not_used_again(lacks: dict[str, bool]) -> None:
    @virtual_time
    async def run() -> None:
        async with associated(server_config=aiosctp.Config(**lacks)) as (_, ours, theirs):  # type: ignore[arg-type]  # bools
            (_, writer), (reader, their_writer) = await conversation(ours, theirs)
            assert writer.can_write_eof() is ours.supports_stream_reset
            writer.write(b"the last\n")
            writer.close()
            await writer.wait_closed()
            assert not writer.can_write_eof()
            assert await reader.readline() == b"the last\n"
            their_writer.write(bytes(3_000_000))
            await asyncio.sleep(5)
            assert their_writer.transport.get_write_buffer_size() == 0, "it is discarded, not left to fill the window"
            _, again = await ours.open_stream()
            assert number_of(again) == 2
            with pytest.raises(NotImplementedError):
                again.write_eof()
            with pytest.raises(aiosctp.InvalidStream):
                await ours.open_stream(0)
            with pytest.raises(aiosctp.NotSupported if "reconfig" in lacks else aiosctp.RequestDenied):
                await ours.stream(50).reset()

    run()


@virtual_time
async def test_where_there_is_no_reset_opening_does_not_wait_for_a_number_that_will_never_be_free() -> None:
    config = aiosctp.Config(outbound_streams=4, reconfig=False)
    async with associated(config=config) as (_, ours, theirs):
        (_, first), _ = await conversation(ours, theirs)
        _, second = await ours.open_stream()
        waiting = [asyncio.create_task(ours.open_stream()) for _ in range(2)]
        await asyncio.sleep(1)
        first.close()
        await first.wait_closed()
        await asyncio.sleep(1)
        assert not any(task.done() for task in waiting), "the other one may be closed before it was used"
        second.write(b"it is used")
        second.close()
        await second.wait_closed()
        for task in waiting:
            with pytest.raises(aiosctp.InvalidStream):
                async with asyncio.timeout(60):
                    await task
        with pytest.raises(aiosctp.InvalidStream):
            await ours.open_stream()


@virtual_time
async def test_a_restart_ends_all_streams_with_an_exception() -> None:
    async with associated() as (hosts, ours, theirs):
        (_, _), (their_reader, _) = await conversation(ours, theirs)
        reading = asyncio.create_task(their_reader.read())
        local_port = ours.engine.local_port
        hosts.drop = lambda packet: True
        ours.abort()
        await asyncio.sleep(0.1)
        hosts.drop = lambda packet: False
        again = await hosts.connect(local_port=local_port)
        with pytest.raises(ConnectionResetError):
            await reading
        await conversation(again, theirs)
        again.abort()


# -- streams of messages --


@virtual_time
async def test_a_reset_ends_the_iteration_and_receive_once() -> None:
    async with associated() as (_, ours, theirs):
        stream = theirs.stream(3)
        await ours.send(b"before", stream=3)
        await ours.stream(3).reset()
        await ours.send(b"after", stream=3)
        assert [message.data async for message in stream] == [b"before"]
        assert (await stream.receive()).data == b"after"
        await ours.reset_streams(outgoing=[3])
        with pytest.raises(aiosctp.StreamEnded):
            await stream.receive()
        await theirs.reset_streams(incoming=[3], outgoing=range(theirs.outbound_streams))
        with pytest.raises(ValueError, match="name"):
            await ours.reset_streams()
        with pytest.raises(aiosctp.InvalidStream):
            await ours.reset_streams(outgoing=[ours.outbound_streams])


@virtual_time
async def test_streams_are_added_and_the_association_is_reset() -> None:
    config = aiosctp.Config(outbound_streams=2, peer_may_reset_association=True)
    async with associated(config=config) as (_, ours, theirs):
        events = theirs.events(aiosctp.events.StreamChange, aiosctp.events.AssociationReset)
        await ours.add_streams(outgoing=3, incoming=1)
        assert (ours.outbound_streams, ours.inbound_streams) == (5, 3)
        await ours.send(b"there", stream=4)
        assert (await theirs.receive()).stream == 4
        await ours.reset_association()
        await ours.send(b"goes on", stream=4)
        assert (await theirs.receive()).ssn == 0
        assert isinstance(await anext(events), aiosctp.events.StreamChange)
        for wrong in ({}, {"outgoing": 65535}, {"incoming": -1}):
            with pytest.raises(ValueError, match=r"outgoing|incoming"):
                await ours.add_streams(**wrong)


class Sipping(asyncio.BufferedProtocol):
    """Takes one byte, and reads no more until it is told to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, StreamTransport)
        self.transport = transport
        self.received = b""
        self.buffer = bytearray(1)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self.buffer
        self.transport.pause_reading()


@virtual_time
async def test_what_waits_for_a_buffered_protocol_is_not_copied_at_each_of_its_sips() -> None:
    async with TwoHosts() as hosts:
        protocol = Sipping()
        await aiosctp.create_server(lambda: protocol, None, 7777, stack=hosts.server)
        association = await hosts.connect()
        await association.send(b"a whole message")
        await asyncio.sleep(1)
        waits = protocol.transport._unread
        assert isinstance(waits, memoryview)
        for _ in range(3):
            protocol.transport.resume_reading()
            await asyncio.sleep(0)
            still = protocol.transport._unread
            assert isinstance(still, memoryview)
            assert still.obj is waits.obj
        await association.send(b", and more")
        while len(protocol.received) < len(b"a whole message, and more"):
            protocol.transport.resume_reading()
            await asyncio.sleep(0.01)
        assert protocol.received == b"a whole message, and more"
        assert not protocol.transport.owes_input


@virtual_time
async def test_what_a_buffered_protocol_has_left_is_its_successors() -> None:
    async with TwoHosts() as hosts:
        protocol = Sipping()
        await aiosctp.create_server(lambda: protocol, None, 7777, stack=hosts.server)
        association = await hosts.connect()
        await association.send(b"a whole message")
        await asyncio.sleep(1)
        reader = asyncio.StreamReader()
        protocol.transport.set_protocol(asyncio.StreamReaderProtocol(reader))
        reader.set_transport(protocol.transport)
        protocol.transport.resume_reading()
        await association.send(b", and more")
        async with asyncio.timeout(5):
            assert protocol.received + await reader.readexactly(24) == b"a whole message, and more"


# -- all together --


@pytest.mark.parametrize("seed", range(1, 9))
def test_whatever_is_opened_and_closed_no_byte_is_of_another_stream(seed: int) -> None:
    """Both sides open, half close, close early and open again under the same numbers, on a bad network."""

    @virtual_time
    async def run() -> None:
        await Storm(seed).run()

    run()


class Storm:
    """Each conversation is a request, with its name and size in front, and its answer, in which it is turned around."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        loss = self.random.choice([0, 0.1, 0.2])
        self.network = Network(seed=seed, link=Link(delay_s=0.02, loss=RandomLoss(loss) if loss else Link().loss))
        self.answering: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        config = aiosctp.Config(outbound_streams=8, rto_min_s=0.1, rto_initial_s=0.2)
        accepted: asyncio.Queue[aiosctp.Association] = asyncio.Queue()

        async def keep(association: aiosctp.Association) -> None:
            accepted.put_nowait(association)
            await association.wait_closed()

        client = aiosctp.Stack(network=self.network.host("client"), config=config)
        server_host = self.network.host("server")
        async with client, aiosctp.Stack(network=server_host, config=config) as stack:
            await aiosctp.serve(keep, None, 7777, stack=stack)
            ours = await aiosctp.connect(server_host.addresses[0], 7777, stack=client)
            theirs = await accepted.get()
            accepting = [asyncio.create_task(self.accept(each)) for each in (ours, theirs)]
            async with asyncio.TaskGroup() as group:
                for number in range(60):
                    group.create_task(self.ask(ours, b"ours%04d" % number))
                    group.create_task(self.ask(theirs, b"them%04d" % number))
            for result in await asyncio.gather(*self.answering, return_exceptions=True):
                assert result is None or isinstance(result, ConnectionResetError), result
            await asyncio.sleep(30)
            for association in (ours, theirs):
                assert not association.byte_streams()._by_number
            await ours.shutdown()
            await asyncio.gather(*accepting)

    async def ask(self, association: aiosctp.Association, name: bytes) -> None:
        reader, writer = await association.open_stream()
        body = self.random.randbytes(self.random.choice([1, 10, 1000, 20000]))
        writer.write(name + len(body).to_bytes(4) + body)
        if body[0] % 4 == 0:
            writer.write_eof()
        if body[0] % 4 != 3 or self.random.random() < 0.7:
            assert await reader.readexactly(len(name + body)) == name + body[::-1]
            if self.random.random() < 0.5:
                assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    async def accept(self, association: aiosctp.Association) -> None:
        async for reader, writer in association.accept_streams():
            self.answering.append(asyncio.create_task(self.answer(reader, writer)))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(12)
        body = await reader.readexactly(int.from_bytes(head[8:]))
        if body[0] % 4 == 0:
            assert await reader.read() == b""
        writer.write(head[:8] + body[::-1])
        if body[0] % 4 == 1:
            writer.write_eof()
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def call_each_other(hosts: TwoHosts, later_s: float) -> tuple[aiosctp.Association, aiosctp.Association]:
    """Neither listens (§5.2.1)."""

    async def call(stack: aiosctp.Stack, name: str, local_port: int, port: int) -> aiosctp.Association:
        return await aiosctp.connect(name, port, stack=stack, local_port=local_port, remote_udp_port=9899)

    async def call_later() -> aiosctp.Association:
        await asyncio.sleep(later_s)
        return await call(hosts.server, "client", 7002, 7001)

    ours, theirs = await asyncio.gather(call(hosts.client, "server", 7001, 7002), call_later())
    return ours, theirs


async def check_both_open_and_accept(ours: aiosctp.Association, theirs: aiosctp.Association) -> list[int]:
    """The numbers that each takes in turn: no two are the same."""
    pairs = [await each.open_stream() for each in (ours, theirs, ours, theirs)]
    for _, writer in pairs:
        writer.write(b"%d" % number_of(writer))
    async with asyncio.timeout(10):
        for each in (ours, theirs):
            for _ in range(2):
                reader, writer = await each.accept_stream()
                assert await reader.read(10) == b"%d" % number_of(writer)
    return [number_of(writer) for _, writer in pairs]


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("later_s", [0.0, 0.5 * DELAY_S, 0.9 * DELAY_S])
def test_where_both_have_sent_an_init_they_do_not_open_the_same_numbers(seed: int, later_s: float) -> None:
    """§5.2.1: two that call each other at once; who opens odd ones differs from association to association."""

    @virtual_time
    async def run() -> None:
        async with TwoHosts(seed=seed) as hosts:
            ours, theirs = await call_each_other(hosts, later_s)
            is_odd = ours.engine.tcb.local_tag > ours.engine.tcb.peer_tag
            assert await check_both_open_and_accept(ours, theirs) == ([1, 0, 3, 2] if is_odd else [0, 1, 2, 3])
            ours.abort()

    run()


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("lost", [ChunkType.INIT, ChunkType.INIT_ACK])
@pytest.mark.parametrize("sender", ["192.0.2.1", "192.0.2.2"])
def test_where_one_init_is_lost_they_do_not_open_the_same_numbers(seed: int, lost: ChunkType, sender: str) -> None:
    """Only one side knows of the other's INIT, and opens odd numbers: the other's alone has opened the association."""

    @virtual_time
    async def run() -> None:
        async with TwoHosts(seed=seed) as hosts:
            hosts.drop = lambda packet: packet.data[12] == lost and packet.source == sender
            ours, theirs = await call_each_other(hosts, 0.0)
            numbers = await check_both_open_and_accept(ours, theirs)
            assert numbers in ([1, 0, 3, 2], [0, 1, 2, 3])
            ours.abort()

    run()


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("later_s", [1.1 * DELAY_S, 1.5 * DELAY_S, 1.9 * DELAY_S, 2.5 * DELAY_S, 2.9 * DELAY_S])
def test_where_one_has_answered_before_it_called_they_do_not_open_the_same_numbers(seed: int, later_s: float) -> None:
    """It knows nothing of the INIT that it has answered, as it kept nothing of it (§5.1.3)."""

    @virtual_time
    async def run() -> None:
        async with TwoHosts(seed=seed) as hosts, await aiosctp.serve(hosts.keep, None, 7002, stack=hosts.server):
            ours, theirs = await call_each_other(hosts, later_s)
            await check_both_open_and_accept(ours, theirs)
            ours.abort()

    run()


@virtual_time
async def test_a_number_that_both_open_at_once_is_one_stream_between_them() -> None:
    async with associated() as (_, ours, theirs):
        for round_ in range(3):
            pairs = [await each.open_stream(6) for each in (ours, theirs)]
            for index, (_, writer) in enumerate(pairs):
                writer.write(b"%d from %d" % (round_, index))
                writer.write_eof()
            assert [await reader.read() for reader, _ in pairs] == [b"%d from 1" % round_, b"%d from 0" % round_]
            for _, writer in pairs:
                writer.close()
            async with asyncio.timeout(10):
                for _, writer in pairs:
                    await writer.wait_closed()
            await asyncio.sleep(1)
        for each in (ours, theirs):
            assert not each.byte_streams()._by_number
            assert not each.byte_streams()._unaccepted
