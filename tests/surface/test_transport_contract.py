"""What asyncio asks of a transport and of a server, by its documentation: of TCP's, and of our streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.surface.transports import WORLDS, World

KIB = 1024
MIB = 1024 * KIB

Test = Callable[[World], Awaitable[None]]


def everywhere(test: Test) -> Callable[[type[World]], None]:
    """Run it in every world."""

    def run(kind: type[World]) -> None:
        kind().run(test)

    run.__doc__ = test.__doc__
    return pytest.mark.parametrize("kind", WORLDS)(run)


def pattern(size: int) -> bytes:
    """Bytes of which no two places are alike that a mistake might swap."""
    return b"".join(number.to_bytes(4) for number in range(size // 4 + 1))[:size]


# -- writing --


@everywhere
async def test_bytes_arrive_in_order_however_they_were_cut(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    data = pattern(900 * KIB)
    start = 0
    for size in [1, 2, 3, 1000, 65535, 65536, 65537, 300_000, len(data)]:
        ours.transport.write(data[start : start + size])
        start += size
    await theirs.until_received(len(data))
    assert theirs.received == data
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_a_buffer_that_was_written_belongs_to_the_caller_again(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    buffer = bytearray(b"first")
    ours.transport.write(buffer)
    buffer[:] = b"other"
    ours.transport.write(memoryview(b"-second")[1:])
    await theirs.until_received(11)
    assert theirs.received == b"firstsecond"
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_what_is_no_buffer_is_a_type_error_and_nothing_is_nothing(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    wrong: Any = "text"
    with pytest.raises(TypeError):
        ours.transport.write(wrong)
    ours.transport.write(b"")
    ours.transport.writelines([b"", b"a", bytearray(b"b"), memoryview(b"c")])
    ours.transport.writelines([])
    await theirs.until_received(3)
    assert theirs.received == b"abc"
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_what_is_written_in_a_callback_goes_out(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    theirs_received = theirs.data_received

    def answer(data: bytes) -> None:
        theirs_received(data)
        theirs.transport.write(bytes(data).upper())

    theirs.data_received = answer  # type: ignore[method-assign]  # one recorder that answers
    for _ in range(20):
        count = len(ours.received)
        ours.transport.write(b"ping")
        await ours.until_received(count + 4)
    assert ours.received == b"PING" * 20
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_the_limits_of_the_write_buffer(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    transport = ours.transport
    assert transport.get_write_buffer_limits() == (16 * KIB, 64 * KIB)
    assert transport.get_write_buffer_size() == 0
    transport.set_write_buffer_limits(high=1000)
    assert transport.get_write_buffer_limits() == (250, 1000)
    transport.set_write_buffer_limits(low=100)
    assert transport.get_write_buffer_limits() == (100, 400)
    transport.set_write_buffer_limits(high=10, low=10)
    assert transport.get_write_buffer_limits() == (10, 10)
    for high, low in [(1, 2), (1, -1)]:
        with pytest.raises(ValueError, match="high"):
            transport.set_write_buffer_limits(high=high, low=low)
    transport.set_write_buffer_limits()
    assert transport.get_write_buffer_limits() == (16 * KIB, 64 * KIB)
    transport.close()
    await ours.until_lost()


@everywhere
async def test_a_writer_that_heeds_pause_writing_is_bounded_by_a_reader_that_reads_nothing(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder(is_paused=True)
    await world.pair(ours, theirs)
    chunk, written, most = pattern(64 * KIB), 0, 64 * MIB

    async def write() -> None:
        nonlocal written
        while written < most:
            await ours.until_writable()
            ours.transport.write(chunk)
            written += len(chunk)

    writing = asyncio.create_task(write())
    done, _ = await asyncio.wait([writing], timeout=1)
    assert not done, "nobody has stopped the writer"
    assert ours.may_not_write
    assert ours.transport.get_write_buffer_size() > 16 * KIB
    writing.cancel()
    theirs.transport.resume_reading()
    await theirs.until_received(written)
    assert theirs.received == chunk * (written // len(chunk))
    await ours.until_writable()
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_writing_is_paused_above_high_and_resumed_at_low(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    ours.transport.set_write_buffer_limits(high=0)
    for _ in range(3):
        ours.transport.write(pattern(8 * MIB))
        assert ours.calls[-1] == "pause", "more than the network takes at once"
        assert ours.transport.get_write_buffer_size() > 0
        await ours.until_writable()
        assert ours.transport.get_write_buffer_size() == 0
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_writing_is_resumed_at_a_low_mark_above_what_the_network_takes(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    ours.transport.set_write_buffer_limits(high=12 * MIB, low=11 * MIB)
    ours.transport.write(bytes(16 * MIB))
    assert ours.calls[-1] == "pause"
    await theirs.until_received(6 * MIB)
    theirs.transport.pause_reading()
    await ours.until_writable()
    assert ours.transport.get_write_buffer_size() <= 11 * MIB
    ours.transport.abort()
    await ours.until_lost()


@everywhere
async def test_the_end_does_not_leave_a_writer_waiting(world: World) -> None:
    """asyncio's streams rely on `connection_lost` to wake who waits in `drain`."""
    ours, theirs = world.recorder(), world.recorder(is_paused=True)
    await world.pair(ours, theirs)
    while not ours.may_not_write:
        ours.transport.write(bytes(MIB))
        await asyncio.sleep(0)
    ours.transport.abort()
    await ours.until_lost()
    assert ours.error is None
    world.reset(theirs.transport)
    await theirs.until_lost()


# -- reading --


@everywhere
async def test_reading_can_be_paused_before_anything_came_and_more_than_once(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder(is_paused=True)
    await world.pair(ours, theirs)
    assert not theirs.transport.is_reading()
    theirs.transport.pause_reading()
    ours.transport.write(b"early")
    await asyncio.sleep(0.1)
    assert theirs.calls == ["made"]
    theirs.call(theirs.transport.resume_reading)
    theirs.call(theirs.transport.resume_reading)
    assert theirs.transport.is_reading()
    await theirs.until_received(5)
    theirs.transport.pause_reading()
    theirs.transport.resume_reading()
    theirs.transport.pause_reading()
    ours.transport.write(b"late")
    await asyncio.sleep(0.1)
    assert theirs.received == b"early"
    theirs.transport.resume_reading()
    await theirs.until_received(9)
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_the_end_waits_until_reading_goes_on(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder(is_paused=True)
    await world.pair(ours, theirs)
    ours.transport.write(b"all there is")
    ours.transport.close()
    await asyncio.sleep(0.1)
    assert theirs.calls == ["made"]
    theirs.transport.resume_reading()
    await theirs.until_lost()
    assert theirs.received == b"all there is"
    assert theirs.calls[-2:] == ["eof", "lost"]
    assert theirs.error is None
    await ours.until_lost()


@everywhere
async def test_another_protocol_takes_over(world: World) -> None:
    ours, theirs, heir = world.recorder(), world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    assert theirs.transport.get_protocol() is theirs
    ours.transport.write(b"one")
    await theirs.until_received(3)
    heir.connection_made(theirs.transport)
    theirs.transport.set_protocol(heir)
    assert theirs.transport.get_protocol() is heir
    ours.transport.write(b"two")
    await heir.until_received(3)
    ours.transport.close()
    await heir.until_lost()
    await ours.until_lost()
    assert theirs.received == b"one"
    assert heir.received == b"two"
    assert theirs.calls == ["made", "data"]
    world.recorders.remove(theirs)


# -- the end --


@everywhere
async def test_close_sends_what_was_written_and_then_both_sides_end_once(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    data = pattern(2 * MIB)
    ours.transport.write(data)
    ours.call(ours.transport.close)
    assert ours.transport.is_closing()
    ours.call(ours.transport.close)
    ours.transport.write(b"ignored")
    if world.is_ours or sys.version_info < (3, 12):
        # From 3.12 on asyncio's own fails when it is closed (3.12.1, 3.13.0).
        ours.transport.writelines([b"ignored"])
    ours.transport.pause_reading()
    ours.transport.resume_reading()
    await ours.until_lost()
    await theirs.until_lost()
    assert theirs.received == data
    assert (ours.error, theirs.error) == (None, None)
    ours.transport.close()
    ours.transport.abort()
    ours.transport.write(b"ignored")
    await asyncio.sleep(0.1)
    assert ours.calls.count("lost") == theirs.calls.count("lost") == 1
    assert "eof" in theirs.calls
    assert "eof" not in ours.calls
    assert theirs.transport.is_closing()


@everywhere
async def test_abort_ends_at_once_and_once(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder(is_paused=True)
    await world.pair(ours, theirs)
    ours.transport.write(bytes(16 * MIB))
    ours.call(ours.transport.abort)
    assert ours.transport.is_closing()
    ours.call(ours.transport.abort)
    await ours.until_lost()
    assert ours.error is None
    assert ours.transport.get_write_buffer_size() == 0 or not world.is_ours
    theirs.transport.resume_reading()
    await theirs.until_lost()
    assert len(theirs.received) < 16 * MIB


@everywhere
async def test_abort_cuts_a_close_short(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder(is_paused=True)
    await world.pair(ours, theirs)
    ours.transport.write(bytes(16 * MIB))
    ours.transport.close()
    await asyncio.sleep(0.1)
    assert "lost" not in ours.calls
    ours.call(ours.transport.abort)
    await ours.until_lost()
    world.reset(theirs.transport)
    await theirs.until_lost()


@everywhere
async def test_after_write_eof_the_other_side_goes_on_writing(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder(keep_open=True)
    await world.pair(ours, theirs)
    assert ours.transport.can_write_eof()
    ours.transport.write(pattern(300 * KIB))
    ours.call(ours.transport.write_eof)
    ours.call(ours.transport.write_eof)
    with pytest.raises(RuntimeError):
        ours.transport.write(b"more")
    await theirs.until(lambda: "eof" in theirs.calls)
    assert theirs.received == pattern(300 * KIB)
    assert not ours.transport.is_closing()
    for _ in range(3):
        theirs.transport.write(b"answer")
        await asyncio.sleep(0.05)
    await ours.until_received(18)
    theirs.transport.close()
    await theirs.until_lost()
    await ours.until_lost()
    assert ours.received == b"answer" * 3
    assert (ours.error, theirs.error) == (None, None)


@everywhere
async def test_a_protocol_that_does_not_keep_it_open_closes_at_the_end_of_input(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    ours.transport.write_eof()
    await theirs.until_lost()
    assert theirs.calls == ["made", "eof", "lost"]
    await ours.until_lost()
    assert (ours.error, theirs.error) == (None, None)


@everywhere
async def test_both_sides_close_at_once(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    ours.transport.close()
    theirs.transport.close()
    await ours.until_lost()
    await theirs.until_lost()
    assert (ours.error, theirs.error) == (None, None)


@everywhere
async def test_a_reset_is_an_exception_and_never_the_end_of_input(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    ours.transport.write(b"hello")
    await theirs.until_received(5)
    world.reset(ours.transport)
    await theirs.until_lost()
    assert isinstance(theirs.error, ConnectionError)
    assert "eof" not in theirs.calls
    await ours.until_lost()


@everywhere
async def test_writing_against_a_peer_that_has_closed_ends_with_an_exception(world: World) -> None:
    ours, theirs = world.recorder(keep_open=True), world.recorder()
    await world.pair(ours, theirs)
    theirs.transport.close()
    await ours.until(lambda: "eof" in ours.calls)
    for _ in range(1000):
        ours.transport.write(bytes(1000))
        await asyncio.sleep(0.001)
        if "lost" in ours.calls:
            break
    assert isinstance(ours.error, ConnectionError)
    assert ours.transport.is_closing()
    await theirs.until_lost()


# -- what protocols raise --


@everywhere
async def test_what_data_received_raises_is_reported_and_ends_the_connection(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    theirs.fails_in["data"] = error = ZeroDivisionError("in data_received")
    ours.transport.write(b"x")
    await theirs.until_lost()
    assert theirs.error is error
    (context,) = world.take_unhandled()
    assert context["exception"] is error
    assert context["transport"] is theirs.transport
    assert context["protocol"] is theirs
    await ours.until_lost()


@everywhere
async def test_what_eof_received_raises_is_reported_and_ends_the_connection(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    theirs.fails_in["eof"] = error = ZeroDivisionError("in eof_received")
    ours.transport.write_eof()
    await theirs.until_lost()
    assert theirs.error is error
    assert [context["exception"] for context in world.take_unhandled()] == [error]
    await ours.until_lost()


@everywhere
async def test_what_the_flow_control_raises_is_reported_and_ends_nothing(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    ours.fails_in["pause"] = ours.fails_in["resume"] = error = ZeroDivisionError("in flow control")
    ours.transport.set_write_buffer_limits(high=0)
    ours.transport.write(bytes(8 * MIB))
    await ours.until(lambda: "resume" in ours.calls)
    await asyncio.sleep(0)
    assert [context["exception"] for context in world.take_unhandled()] == [error, error]
    ours.fails_in.clear()
    ours.transport.write(b"on it goes")
    await theirs.until_received(8 * MIB + 10)
    ours.transport.close()
    await ours.until_lost()


@everywhere
async def test_what_connection_made_raises_is_reported_and_ends_nothing(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    theirs.fails_in["made"] = error = ZeroDivisionError("in connection_made")
    await world.pair(ours, theirs)
    ours.transport.write(b"hello")
    await theirs.until_received(5)
    assert [context["exception"] for context in world.take_unhandled()] == [error]
    ours.transport.close()
    await ours.until_lost()


# -- looking --


@everywhere
async def test_what_can_be_asked(world: World) -> None:
    ours, theirs = world.recorder(), world.recorder()
    await world.pair(ours, theirs)
    mine, peers = (ours.transport.get_extra_info(name) for name in ("sockname", "peername"))
    assert (theirs.transport.get_extra_info("peername"), theirs.transport.get_extra_info("sockname")) == (mine, peers)
    assert all(isinstance(address, tuple) and isinstance(address[0], str) for address in (mine, peers))
    assert ours.transport.get_extra_info("no such thing") is None
    assert ours.transport.get_extra_info("no such thing", 5) == 5
    assert ours.transport.get_extra_info("sslcontext") is None
    assert not ours.transport.is_closing()
    ours.transport.close()
    await ours.until_lost()


# -- streams --


@everywhere
async def test_streams_echo_and_close(world: World) -> None:
    ended: asyncio.Queue[bytes] = asyncio.Queue()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(b"over")

    await world.start_server(echo)
    reader, writer = await world.open_connection()
    for number in range(50):
        writer.write(b"line %d\n" % number)
        assert await reader.readline() == b"line %d\n" % number
    assert writer.can_write_eof()
    writer.write_eof()
    assert await reader.read() == b""
    assert reader.at_eof()
    writer.close()
    await writer.wait_closed()
    assert await ended.get() == b"over"


@everywhere
async def test_the_server_speaks_first_from_a_plain_function(world: World) -> None:
    def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    await world.start_server(greet)
    reader, writer = await world.open_connection()
    assert await reader.readuntil(b"\r\n") == b"220 ready\r\n"
    with pytest.raises(asyncio.IncompleteReadError):
        await reader.readexactly(1)
    writer.close()
    await writer.wait_closed()


@everywhere
async def test_a_server_may_end_a_connection_at_once_without_a_byte(world: World) -> None:
    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    await world.start_server(refuse)
    reader, writer = await world.open_connection()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


@everywhere
async def test_drain_really_waits(world: World) -> None:
    may_read = asyncio.Event()
    received = asyncio.get_running_loop().create_future()
    chunk, written = pattern(64 * KIB), 0

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await may_read.wait()
        received.set_result(await reader.read())
        writer.close()

    async def write(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while written < 64 * MIB:
            writer.write(chunk)
            written += len(chunk)
            await writer.drain()

    await world.start_server(read_late)
    _, writer = await world.open_connection()
    writing = asyncio.create_task(write(writer))
    done, _ = await asyncio.wait([writing], timeout=1)
    assert not done
    may_read.set()
    writing.cancel()
    await asyncio.wait([writing])
    writer.write_eof()
    assert await received == chunk * (written // len(chunk))
    writer.close()
    await writer.wait_closed()


@everywhere
async def test_a_reset_wakes_readers_and_writers_with_an_exception(world: World) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(100_000)
        world.reset(writer.transport)

    async def write_on(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(bytes(100_000))
            await writer.drain()

    await world.start_server(reset)
    reader, writer = await world.open_connection()
    reading, writing = asyncio.create_task(reader.read(1)), asyncio.create_task(write_on(writer))
    results = await asyncio.gather(reading, writing, return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results), results
    writer.close()
    with pytest.raises(ConnectionError):
        await writer.wait_closed()


@everywhere
async def test_a_reader_that_does_not_read_holds_little(world: World) -> None:
    """`StreamReader` pauses the transport above twice its limit."""
    received = asyncio.get_running_loop().create_future()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        # All that it holds, as that can be had without waiting.
        held = await reader.read(4 * MIB)
        received.set_result((held, await reader.read()))
        writer.close()

    await world.start_server(hold)
    _, writer = await world.open_connection()
    data = pattern(4 * MIB)
    writer.write(data)
    writer.write_eof()
    held, rest = await received
    assert len(held) < MIB
    assert held + rest == data
    writer.close()
    await writer.wait_closed()


# -- servers --


@everywhere
async def test_a_server_serves_until_it_is_closed(world: World) -> None:
    theirs = world.recorder()
    server = await world.create_server(lambda: theirs)
    assert isinstance(server, asyncio.AbstractServer)
    assert server.get_loop() is asyncio.get_running_loop()
    assert server.is_serving()
    ours = world.recorder()
    await world.create_connection(lambda: ours)
    server.close()
    server.close()
    assert not server.is_serving()
    with pytest.raises(OSError):  # noqa: PT011 - refused, or no answer: whatever it is, an OSError
        await world.create_connection(world.recorder)
    ours.transport.write(b"goes on")
    await theirs.until_received(7)
    ours.transport.close()
    await ours.until_lost()
    await theirs.until_lost()
    await server.wait_closed()


@everywhere
async def test_a_server_may_start_later(world: World) -> None:
    server = await world.create_server(world.recorder, start_serving=False)
    assert not server.is_serving()
    with pytest.raises(OSError):  # noqa: PT011 - as above
        await world.create_connection(world.recorder)
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    ours = world.recorder()
    await world.create_connection(lambda: ours)
    ours.transport.close()
    await ours.until_lost()
    server.close()
    await server.wait_closed()


@everywhere
async def test_cancelling_serve_forever_closes_the_server(world: World) -> None:
    server = await world.create_server(world.recorder)
    serving = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0.01)
    assert not serving.done()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not server.is_serving()


@everywhere
async def test_a_server_is_a_context(world: World) -> None:
    async with await world.create_server(world.recorder) as server:
        assert server.is_serving()
    assert not server.is_serving()
