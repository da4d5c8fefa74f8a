"""§5.2.4 A, over byte streams: the peer has restarted, and what it says from then on is of other streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

import aiosctp
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Received
from aiosctp.events import AssociationChange, AssociationChangeKind
from aiosctp.wire.codepoints import ChunkType
from tests.surface.test_byte_streams import conversation, number_of
from tests.surface.two_hosts import PORT, USER_DATA, TwoHosts, associated
from tests.surface.virtual_time import virtual_time


async def vanish(hosts: TwoHosts, association: aiosctp.Association) -> int:
    """Its host forgets the association, and the peer does not hear of that. Returns its port."""
    kept, hosts.drop = hosts.drop, lambda packet: True
    association.abort()
    await asyncio.sleep(0.1)
    hosts.drop = kept
    return association.engine.local_port


def begin_again(hosts: TwoHosts, local_port: int, *data: tuple[int, bytes]) -> AssociationEngine:
    """A handshake from that port, with data that goes with the COOKIE ECHO."""
    stack = hosts.client
    now = stack.now()
    engine = stack.open().connect(
        stack.open_endpoint(local_port, stack.local_addresses, stack.config),
        hosts.server_host.addresses,
        PORT,
        udp_port=9899,
        config=stack.config,
        now=now,
    )
    for stream, each in data:
        engine.send((each, stream, 0, False, 0, False, None))
    stack.add(aiosctp.Association(stack, engine))
    stack.touch(engine)
    return engine


async def restart(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> AssociationEngine:
    """Of our side, until theirs has heard of it. Returns our new end."""
    changes = theirs.events(AssociationChange)
    again = begin_again(hosts, await vanish(hosts, ours))
    change = await anext(changes)
    assert isinstance(change, AssociationChange)
    assert change.change is AssociationChangeKind.RESTART
    return again


@asynccontextmanager
async def echoes_with_data(hosts: TwoHosts) -> AsyncIterator[None]:
    """That a COOKIE ECHO had DATA behind it, or the test would prove nothing."""
    hosts.log.clear()
    yield
    (echo,) = (packet.data for packet in hosts.log if packet.data[12] == ChunkType.COOKIE_ECHO)
    length = int.from_bytes(echo[14:16])
    assert echo[12 + (length + 3) // 4 * 4] in USER_DATA


@virtual_time
async def test_bytes_behind_the_cookie_echo_of_a_restart_are_of_the_streams_after_it() -> None:
    """Not dropped with what nobody had read before, and not behind it."""
    async with associated() as (hosts, ours, theirs):
        (_, writer), (reader, their_writer) = await conversation(ours, theirs)
        their_writer.transport.pause_reading()  # type: ignore[attr-defined]  # a StreamTransport
        writer.write(b"unread before")
        _, unaccepted = await ours.open_stream()
        unaccepted.write(b"unaccepted before")
        messages = theirs.stream(7)
        await ours.send(b"message before", stream=7)
        await asyncio.sleep(1)
        local_port = await vanish(hosts, ours)
        async with echoes_with_data(hosts):
            begin_again(hosts, local_port, (0, b"0 after"), (4, b"4 after"), (7, b"message after"))
            await asyncio.sleep(1)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        accepted = [await theirs.accept_stream() for _ in range(2)]
        found = {number_of(writer): await reader.read(100) for reader, writer in accepted}
        assert found == {0: b"0 after", 4: b"4 after"}
        assert [(await messages.receive()).data for _ in range(2)] == [b"message before", b"message after"]
        assert theirs.engine.receiver.held_bytes == 0


@virtual_time
async def test_what_is_written_in_the_turn_of_a_restart_is_not_sent_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The peer would take it for a stream of the association that it has just begun."""
    async with associated() as (hosts, ours, theirs):
        _, (_, their_writer) = await conversation(ours, theirs)
        local_port = await vanish(hosts, ours)
        receive = hosts.server.datagrams_received

        def write_and_receive(batch: Iterable[Received], local_host: str) -> None:
            batch = list(batch)
            if any(data[12] == ChunkType.COOKIE_ECHO for data, *_ in batch):
                their_writer.write(b"before")
                written.append(b"before")
            receive(batch, local_host)

        written: list[bytes] = []
        again = begin_again(hosts, local_port)
        monkeypatch.setattr(hosts.server, "datagrams_received", write_and_receive)
        await asyncio.sleep(1)
        assert again.state is aiosctp.AssociationState.ESTABLISHED
        assert written
        assert not again.receiver.has_message()
        with pytest.raises(ConnectionResetError):
            await their_writer.wait_closed()


@virtual_time
async def test_a_server_serves_the_streams_after_a_restart_with_data_and_without_resets() -> None:
    """Where there are no resets its association ends with its last stream: not with those that a restart has ended."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        try:
            while data := await reader.read(100):
                writer.write(data)
        except ConnectionResetError:
            lost.append(writer)

    lost: list[asyncio.StreamWriter] = []
    config = aiosctp.Config(reconfig=False)
    async with TwoHosts(config=config) as hosts, await aiosctp.start_server(greet, None, PORT, stack=hosts.server):
        reader, writer = await aiosctp.open_connection("server", PORT, stack=hosts.client)
        assert await reader.readexactly(7) == b"welcome"
        local_port = await vanish(hosts, writer.get_extra_info("association"))
        async with echoes_with_data(hosts):
            again = begin_again(hosts, local_port, (0, b"x"))
            await asyncio.sleep(1)
        assert len(lost) == 1
        assert again.state is aiosctp.AssociationState.ESTABLISHED
        got = b""
        while (message := again.receiver.read(None)) is not None:
            got += message.data
        assert got == b"welcomex"
        again.abort(b"")
        hosts.client.touch(again)
        await asyncio.sleep(0.1)


@virtual_time
async def test_after_a_restart_it_is_the_peer_who_sent_the_init() -> None:
    """So that both may open streams: whoever had sent it before."""
    async with associated() as (hosts, ours, theirs):
        await theirs.open_stream()
        kept, hosts.drop = hosts.drop, lambda packet: True
        theirs.abort()
        await asyncio.sleep(0.1)
        hosts.drop = kept
        _, writer = await ours.open_stream()
        stack = hosts.server
        again = await aiosctp.connect(
            "client",
            ours.engine.local_port,
            stack=stack,
            local_port=PORT,
            remote_udp_port=hosts.client.udp_port,
        )
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
        assert number_of((await again.open_stream())[1]) == 0
        assert number_of((await ours.open_stream())[1]) == 1
        again.abort()
