"""Every wait that byte streams and the changes of streams brought, cancelled wherever it can be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

import aiosctp
from aiosctp.events import AssociationReset, StreamChange
from tests.surface.cancelling import LIMIT_S, Trial, cancel_everywhere, cancels, talk
from tests.surface.test_cancellation import meanwhile
from tests.surface.test_cancellation_of_endpoints import slow_stack
from tests.surface.two_hosts import PORT, TwoHosts

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ONE_EACH = aiosctp.Config(outbound_streams=2)


def number_of(writer: asyncio.StreamWriter) -> int:
    number = writer.get_extra_info("stream_id")
    assert isinstance(number, int)
    return number


async def end(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
    async with asyncio.timeout(LIMIT_S):
        for writer in writers:
            await writer.wait_closed()


async def converse(ours: aiosctp.Association, theirs: aiosctp.Association) -> int:
    """A stream is opened, accepted and ended, and carries what was written. Returns its number."""
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await ours.open_stream()
        writer.write(b"question")
        writer.write_eof()
        their_reader, their_writer = await theirs.accept_stream()
        assert await their_reader.read() == b"question"
        their_writer.write(b"answer")
        their_writer.close()
        assert await reader.read() == b"answer"
        await end(writer, their_writer)
    return number_of(writer)


async def check_no_stream_is_left(*associations: aiosctp.Association) -> None:
    await asyncio.sleep(10)
    for association in associations:
        streams = association.byte_streams()
        assert not streams._by_number
        assert not streams._alive
        assert not streams._acceptors
        assert not streams.numbers._waiting
        assert association.engine.receiver.held_bytes == 0


# -- opening and accepting --


@cancels("Association.open_stream", "StreamNumbers.next", "WaitingLine.wait")
def test_a_cancelled_open_stream_gives_its_number_back() -> None:
    """X28: those behind it in the line get what it would have got."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=ONE_EACH) as (ours, theirs):
            _, writer = await ours.open_stream()
            writer.write(b"the only one")
            _, their_writer = await theirs.accept_stream()
            behind: list[asyncio.Task[Pair]] = []

            def begin_behind() -> None:
                behind.append(asyncio.create_task(ours.open_stream()))

            async with meanwhile((0.0, begin_behind), (0.05, writer.close), (0.05, their_writer.close)):
                outcome = await trial.cancel(ours.open_stream())
            if not outcome.was_cancelled:
                assert number_of(outcome.value[1]) == 0
                await end(outcome.value[1])
            async with asyncio.timeout(LIMIT_S):
                _, opened = await behind[0]
            assert number_of(opened) == 0
            await end(opened, writer, their_writer)
            assert await converse(ours, theirs) == 0
            await check_no_stream_is_left(ours, theirs)

    assert cancel_everywhere(scenario) == 1


def test_opening_a_stream_with_a_number_left_never_waits() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            outcome = await trial.cancel(ours.open_stream())
            assert outcome.was_cancelled is trial.was_cancelled_before_it_began
            if not outcome.was_cancelled:
                await end(outcome.value[1])
            await converse(ours, theirs)
            await check_no_stream_is_left(ours, theirs)

    cancel_everywhere(scenario, waits=False)


WORDS = [b"%d" % number for number in range(5)]


async def begin_streams(association: aiosctp.Association, writers: list[asyncio.StreamWriter]) -> None:
    """Some alone, some together in one packet; each says its word."""
    for number, word in enumerate(WORDS):
        _, writer = await association.open_stream(2 * number)
        writer.write(word)
        writer.write_eof()
        writers.append(writer)
        if number % 3:
            await asyncio.sleep(0.05)


Accept = Callable[[aiosctp.Association], Awaitable[Pair]]


@cancels("Association.accept_stream", "AcceptedStreams.__anext__", "ByteStreams.accept")
@pytest.mark.parametrize(
    "accept",
    [
        lambda association: association.accept_stream(),
        lambda association: anext(association.accept_streams()),
    ],
)
def test_a_cancelled_accept_loses_no_stream(accept: Accept) -> None:
    """X28: the next accept gets it, in the order in which they came."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            accepted: list[Pair] = []
            writers: list[asyncio.StreamWriter] = []

            async def consume() -> None:
                while len(accepted) < len(WORDS):
                    accepted.append(await accept(theirs))

            async with meanwhile((0.02, lambda: begin_streams(ours, writers))):
                await trial.cancel(consume())
            async with asyncio.timeout(LIMIT_S):
                await consume()
                assert [await reader.read() for reader, _ in accepted] == WORDS
            await end(*(writer for _, writer in accepted), *writers)
            await converse(ours, theirs)
            await check_no_stream_is_left(ours, theirs)

    assert cancel_everywhere(scenario) >= 2


def test_a_cancelled_accept_passes_its_turn_on() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            behind: list[asyncio.Task[Pair]] = []
            writers: list[asyncio.StreamWriter] = []

            def begin_behind() -> None:
                behind.extend(asyncio.create_task(theirs.accept_stream()) for _ in WORDS)

            async with meanwhile((0.0, begin_behind), (0.02, lambda: begin_streams(ours, writers))):
                outcome = await trial.cancel(theirs.accept_stream(), theirs.accept_stream())
            found = [each.value for each in (outcome, *outcome.companions) if not each.was_cancelled]
            async with asyncio.timeout(LIMIT_S):
                left = len(WORDS) - len(found)
                done: set[asyncio.Task[Pair]] = set()
                while len(done) < left:
                    done, _ = await asyncio.wait(behind, return_when=asyncio.FIRST_COMPLETED)
                    await asyncio.sleep(0.01)
                found += [task.result() for task in done]
                assert sorted([await reader.read() for reader, _ in found]) == WORDS
            for task in behind:
                task.cancel()
            await asyncio.wait(behind)
            await end(*(writer for _, writer in found), *writers)
            await converse(ours, theirs)
            await check_no_stream_is_left(ours, theirs)

    assert cancel_everywhere(scenario) >= 1


def test_who_opens_or_accepts_is_cancelled_against_the_end() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=ONE_EACH) as (ours, theirs):
            _, writer = await ours.open_stream()
            writer.write(b"the only one")
            _, their_writer = await theirs.accept_stream()
            async with meanwhile((0.05, theirs.abort)):
                outcome = await trial.cancel(ours.open_stream(), theirs.accept_stream(), ours.accept_stream())
            for each in (outcome, *outcome.companions):
                assert each.was_cancelled or isinstance(each.error, aiosctp.AssociationAborted)
            await ours.wait_closed()
            for each_writer in (writer, their_writer):
                with suppress(aiosctp.AssociationAborted):
                    await each_writer.wait_closed()

    cancel_everywhere(scenario)


# -- within a stream --


def test_a_cancelled_program_of_streams_leaves_the_others_as_they_are() -> None:
    """One that reads, drains and ends in `finally`, as those for TCP do: no byte of it gets into another stream."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=ONE_EACH) as (ours, theirs):
            got: list[bytes] = []

            async def answer() -> None:
                reader, writer = await theirs.accept_stream()
                try:
                    while data := await reader.read(10_000):
                        writer.write(data)
                        await writer.drain()
                finally:
                    writer.close()
                with suppress(ConnectionResetError):
                    await writer.wait_closed()

            async def ask() -> None:
                reader, writer = await ours.open_stream()
                try:
                    writer.transport.set_write_buffer_limits(high=1000)
                    for number in range(3):
                        writer.write(b"%d" % number * 2000)
                        await writer.drain()
                        got.append(await reader.readexactly(2000))
                    writer.write_eof()
                    got.append(await reader.read())
                finally:
                    writer.close()
                await writer.wait_closed()

            answering = asyncio.create_task(answer())
            outcome = await trial.cancel(ask())
            assert got == [b"0" * 2000, b"1" * 2000, b"2" * 2000, b""][: len(got)]
            assert outcome.was_cancelled or (outcome.error is None and len(got) == 4)
            async with asyncio.timeout(LIMIT_S):
                if trial.was_cancelled_before_it_began:
                    (await ours.open_stream())[1].close()
                await asyncio.sleep(1)
                if not answering.done() and not theirs.byte_streams()._alive:
                    answering.cancel()  # cancelled before its first byte: there was never a stream for the peer
                with suppress(ConnectionResetError, asyncio.CancelledError):
                    await answering
            assert await converse(ours, theirs) == 0
            await check_no_stream_is_left(ours, theirs)

    assert cancel_everywhere(scenario) >= 5


# -- changing the streams --

Reset = Callable[[aiosctp.Association], Coroutine[Any, Any, None]]


@cancels("Association.reset_streams", "Stream.reset", "reset")
@pytest.mark.parametrize(
    "reset",
    [
        lambda association: association.stream(3).reset(),
        lambda association: association.reset_streams(outgoing=[3], incoming=[3]),
    ],
)
def test_a_cancelled_reset_stays_under_way(reset: Reset) -> None:
    """What was sent before is read before, what is sent meanwhile after, and the next reset does not wait for ever."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            stream = theirs.stream(3)
            ours.send_nowait(b"b" * 20_000, stream=3)
            outcome = await trial.cancel(reset(ours))
            assert outcome.error is None
            ours.send_nowait(b"after", stream=3)
            async with asyncio.timeout(LIMIT_S):
                assert len((await stream.receive()).data) == 20_000
                if not trial.was_cancelled_before_it_began:
                    with pytest.raises(aiosctp.StreamEnded):
                        await stream.receive()
                message = await stream.receive()
                assert (message.data, message.ssn) == (b"after", int(trial.was_cancelled_before_it_began))
                await ours.stream(3).reset()
                with pytest.raises(aiosctp.StreamEnded):
                    await stream.receive()
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(scenario) >= 1


@cancels("Association.add_streams", "add")
def test_streams_are_added_though_nobody_waits_for_them() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=aiosctp.Config(outbound_streams=150)) as (ours, theirs):
            events = theirs.events(StreamChange)
            outcome = await trial.cancel(ours.add_streams(outgoing=3, incoming=4))
            assert outcome.error is None
            await asyncio.sleep(1)
            added = not trial.was_cancelled_before_it_began
            assert (ours.outbound_streams, ours.inbound_streams) == (150 + 3 * added, 150 + 4 * added)
            assert (theirs.inbound_streams, theirs.outbound_streams) == (150 + 3 * added, 150 + 4 * added)
            async with asyncio.timeout(LIMIT_S):
                await ours.add_streams(outgoing=1)
                assert isinstance(await anext(events), StreamChange)
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(scenario) >= 1


@cancels("Association.reset_association", "reset_all")
def test_an_association_is_reset_though_nobody_waits_for_it() -> None:
    config = aiosctp.Config(peer_may_reset_association=True)

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=config) as (ours, theirs):
            events = theirs.events(AssociationReset)
            ours.send_nowait(b"b" * 20_000)
            outcome = await trial.cancel(ours.reset_association())
            assert outcome.error is None
            async with asyncio.timeout(LIMIT_S):
                await ours.send(b"after")
                before, after = await theirs.receive(), await theirs.receive()
                assert (len(before.data), after.data) == (20_000, b"after")
                assert after.ssn == int(trial.was_cancelled_before_it_began)
                if not trial.was_cancelled_before_it_began:
                    assert isinstance(await anext(events), AssociationReset)
                await ours.reset_association()
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(scenario) >= 1


# -- asyncio's own names --


class Noting(asyncio.Protocol):
    """What a transport calls, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")


async def echo_streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1000):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@cancels("create_connection")
def test_a_cancelled_create_connection_leaves_nothing_behind() -> None:
    """Neither an association, here or there, nor a protocol that was told of a connection and not of its end."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            server = await aiosctp.start_server(echo_streams, None, PORT, stack=hosts.server)
            made: list[Noting] = []

            def make() -> Noting:
                made.append(Noting())
                return made[-1]

            async with slow_stack(hosts.client_host) as stack:
                outcome = await trial.cancel(aiosctp.create_connection(make, "server", PORT, stack=stack))
                assert outcome.error is None
                if not outcome.was_cancelled:
                    assert made[0].calls == ["made"]
                    outcome.value[0].close()
                await asyncio.sleep(1)
                assert all(protocol.calls in ([], ["made", "lost"]) for protocol in made)
                assert not stack.owners
            assert not server.associations
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) >= 3


@cancels("open_connection")
def test_a_cancelled_client_of_open_connection_leaves_nothing_behind() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            server = await aiosctp.start_server(echo_streams, None, PORT, stack=hosts.server)
            echoed: list[bytes] = []

            async def client() -> None:
                reader, writer = await aiosctp.open_connection("server", PORT, stack=hosts.client)
                try:
                    for number in range(3):
                        writer.write(b"%d" % number)
                        await writer.drain()
                        echoed.append(await reader.readexactly(1))
                finally:
                    writer.close()
                await writer.wait_closed()

            outcome = await trial.cancel(client())
            assert outcome.error is None
            assert echoed == [b"0", b"1", b"2"][: len(echoed)]
            await asyncio.sleep(1)
            assert not hosts.client.owners
            assert not server.associations
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) >= 5


async def _create_server(**options: Any) -> aiosctp.Server:
    def make_protocol() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), echo_streams)

    return await aiosctp.create_server(make_protocol, ["server", "alias"], PORT, **options)


async def _start_server(**options: Any) -> aiosctp.Server:
    return await aiosctp.start_server(echo_streams, ["server", "alias"], PORT, **options)


@cancels("create_server", "start_server", "hosts_of")
@pytest.mark.parametrize("start", [_create_server, _start_server])
def test_a_cancelled_start_of_a_server_does_not_listen(start: Callable[..., Any]) -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts, slow_stack(hosts.server_host) as stack:
            hosts.network.names["alias"] = ["192.0.2.2"]
            outcome = await trial.cancel(start(stack=stack))
            assert outcome.error is None
            if outcome.was_cancelled:
                with pytest.raises(aiosctp.AssociationRefused):
                    await hosts.connect(remote_udp_port=9900)
                server = await start(stack=stack)
            else:
                server = outcome.value
            reader, writer = await aiosctp.open_connection("server", PORT, stack=hosts.client, remote_udp_port=9900)
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            await end(writer)
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) == 2


def test_a_client_cancelled_on_one_host_is_no_end_of_another() -> None:
    """Two connections of one stack: each is an association of its own."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            await _with_another(trial, hosts)

    assert cancel_everywhere(scenario) >= 2


async def _with_another(trial: Trial, hosts: TwoHosts) -> None:
    server = await aiosctp.start_server(echo_streams, None, PORT, stack=hosts.server)
    reader, writer = await aiosctp.open_connection("server", PORT, stack=hosts.client)
    outcome = await trial.cancel(aiosctp.open_connection("server", PORT, stack=hosts.client))
    writer.write(b"still there")
    assert await reader.readexactly(11) == b"still there"
    writer.close()
    if not outcome.was_cancelled:
        outcome.value[1].close()
    await asyncio.sleep(1)
    assert not hosts.client.owners
    assert not server.associations
    server.close()
    await server.wait_closed()
