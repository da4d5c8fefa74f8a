"""A call that waits against `close`, and two that end at once: one clear error each, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import Abort, Init
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    fill,
    ids,
    one_to_many_pair,
    one_to_one_pair,
    receive,
    refused,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

SMALL = aiosctp.Config(send_buffer_bytes=4000, stream_send_buffer_bytes=4000, receive_window_bytes=8000)
STYLES = [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET]


async def nothing_is_left(hosts: SocketHosts) -> None:
    """No association on the client's stack, no port taken, and no task but this one."""
    await asyncio.sleep(300)
    assert not hosts.client.associations()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    again = hosts.one_to_one()
    again.bind((CLIENT_HOST, 5555))
    await again.close()


async def ends_with(task: asyncio.Task[Any], number: int) -> None:
    """One clear error, soon."""
    async with asyncio.timeout(1):
        with refused(number):
            await task


def bound(hosts: SocketHosts, type: int) -> SCTPSocket:
    socket = hosts.socket(type)
    socket.bind((CLIENT_HOST, 5555))
    return socket


# -- close wakes whoever waits --


@pytest.mark.parametrize("type", STYLES)
@pytest.mark.parametrize("step", ["silence", "in the handshake"])
@virtual_time
async def test_connect_against_close(type: int, step: str) -> None:
    """X28: the connect that waits is EBADF, and no association comes of it."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        if step == "silence":
            hosts.drop = lambda packet: brings(packet, Init)
        client = bound(hosts, type)
        connecting = asyncio.create_task(client.connect(SERVER))
        await asyncio.sleep(0.5 if step == "silence" else 0.025)
        await client.close()
        await ends_with(connecting, errno.EBADF)
        await nothing_is_left(hosts)


@virtual_time
async def test_accept_against_close() -> None:
    """X28: all that wait are EBADF; what nobody had accepted is ended, and new INITs are refused."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        waiting = [asyncio.create_task(listener.accept()) for _ in range(3)]
        await asyncio.sleep(1)
        await listener.close()
        for task in waiting:
            await ends_with(task, errno.EBADF)
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect(SERVER)
        assert not hosts.server.associations()


@virtual_time
async def test_closing_a_listener_ends_what_nobody_accepted() -> None:
    """X28, A20: the peers learn it, and what had been accepted goes on."""
    async with one_to_one_pair() as pair:
        other = pair.hosts.one_to_one()
        await other.connect(SERVER)
        await asyncio.sleep(1)
        await pair.listener.close()
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await other.recv(10) == b""
        await pair.client.send(b"still here")
        assert await pair.server.recv(100) == b"still here"
        assert len(pair.hosts.server.associations()) == 1


@pytest.mark.parametrize("name", ["recv", "recvfrom", "recvmsg", "recvv", "sctp_recvmsg"])
@virtual_time
async def test_reading_against_close(name: str) -> None:
    """X28: the read that waits is EBADF, and the association shuts down gracefully."""
    async with one_to_one_pair() as pair:
        reading = asyncio.create_task(getattr(pair.client, name)(10))
        await asyncio.sleep(1)
        await pair.client.close()
        await ends_with(reading, errno.EBADF)
        assert await pair.server.recv(10) == b""
        assert not pair.hosts.said(Abort)
        await nothing_is_left(pair.hosts)


@virtual_time
async def test_reading_from_many_against_close() -> None:
    """X28: of a one-to-many socket as well."""
    async with one_to_many_pair() as pair:
        reading = asyncio.create_task(pair.client.recvv(10))
        await asyncio.sleep(1)
        await pair.client.close()
        await ends_with(reading, errno.EBADF)
        await nothing_is_left(pair.hosts)


async def read_all(socket: SCTPSocket) -> list[bytes]:
    messages = []
    while data := await socket.recv(ENOUGH):
        messages.append(data)
    return messages


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_sending_against_close(type: int) -> None:
    """X28: the send that waits is EBADF, its message is not sent, and all that were taken arrive."""
    async with SocketHosts(config=SMALL) as hosts:
        listener = hosts.listening()
        client = bound(hosts, type)
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        taken = await fill(client, SERVER)
        waiting = [asyncio.create_task(client.sendto(b"waits", 0, SERVER)) for _ in range(3)]
        await asyncio.sleep(1)
        await client.close()
        for task in waiting:
            await ends_with(task, errno.EBADF)
        assert await read_all(server) == [bytes(1000)] * taken
        await nothing_is_left(hosts)


@virtual_time
async def test_sending_to_all_against_close() -> None:
    """X28: SENDALL waits for one that is full; close ends it with one error, and nobody gets it twice or in part."""
    async with SocketHosts(config=SMALL) as hosts:
        listeners = [hosts.listening(port=PORT + number) for number in range(3)]
        client = bound(hosts, sctp.SOCK_SEQPACKET)
        for number in range(3):
            await client.connect((SERVER_HOST, PORT + number))
        servers = [await hosts.accept(listener) for listener in listeners]
        taken = await fill(client, (SERVER_HOST, PORT + 1))
        info = sctp.sctp_sndinfo(snd_flags=sctp.SCTP_SENDALL)
        sending = asyncio.create_task(client.sendv(b"to all", sndinfo=info))
        await asyncio.sleep(1)
        await client.close()
        if not sending.done():  # where it does not wait for those that are full, it has ended before
            await ends_with(sending, errno.EBADF)
        received = await asyncio.gather(*(read_all(server) for server in servers))
        assert received[1][:taken] == [bytes(1000)] * taken
        for messages in (received[0], received[1][taken:], received[2]):
            assert messages in ([], [b"to all"])
        await nothing_is_left(hosts)


@virtual_time
async def test_a_waiting_send_against_peeloff() -> None:
    """X28: peeling the association off while a send waits: its message arrives once, or it is an error and does not."""
    async with SocketHosts(config=SMALL) as hosts:
        listener = hosts.listening()
        client = bound(hosts, sctp.SOCK_SEQPACKET)
        assoc_id = await client.connectx([SERVER])
        server = await hosts.accept(listener)
        taken = await fill(client, SERVER)
        waiting = asyncio.create_task(client.sendto(b"waited", 0, SERVER))
        await asyncio.sleep(1)
        peeled = client.peeloff(assoc_id)
        await client.close()
        reading = asyncio.create_task(read_all(server))
        await asyncio.sleep(5)
        assert waiting.done()
        was_sent = waiting.exception() is None
        if not was_sent:
            assert isinstance(waiting.exception(), OSError)
        await peeled.send(b"by the peeled")
        await peeled.close()
        assert await reading == [bytes(1000)] * taken + [b"waited"] * was_sent + [b"by the peeled"]
        await nothing_is_left(hosts)


@virtual_time
async def test_a_waiting_read_against_peeloff() -> None:
    """X28: the reader of the one-to-many socket goes on with the others; the message goes to the new socket."""
    async with one_to_many_pair() as pair:
        reading = asyncio.create_task(pair.server.recvv(ENOUGH))
        await asyncio.sleep(1)
        peeled = pair.hosts.own(pair.server.peeloff(pair.server_id))
        await pair.client.sendto(b"for the peeled", 0, SERVER)
        assert await peeled.recv(100) == b"for the peeled"
        assert not reading.done()
        other = pair.hosts.one_to_one()
        await other.connect(SERVER)
        await other.send(b"for the many")
        assert (await reading).data == b"for the many"


@virtual_time
async def test_peeloff_against_close() -> None:
    """X28: in the same turn of the loop: whichever is first, the association has one owner."""
    async with one_to_many_pair() as pair:
        peeled = pair.hosts.own(pair.client.peeloff(pair.client_id))
        await pair.client.close()
        with refused(errno.EBADF):
            pair.client.peeloff(pair.client_id)
        await peeled.send(b"lives")
        assert await receive(pair.server) == b"lives"
    async with one_to_many_pair() as pair:
        closing = asyncio.create_task(pair.client.close())
        await closing
        with refused(errno.EBADF):
            pair.client.peeloff(pair.client_id)
        await asyncio.sleep(5)
        assert ids(pair.server) == ()


@virtual_time
async def test_close_against_close() -> None:
    """X28: many at once are one, whatever they wait for."""
    async with one_to_one_pair() as pair:
        pair.client.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 5))
        await pair.client.send(b"last")
        await asyncio.gather(*(pair.client.close() for _ in range(5)))
        assert await pair.server.recv(10) == b"last"
        assert await pair.server.recv(10) == b""
        assert not pair.hosts.said(Abort)
        await nothing_is_left(pair.hosts)


@virtual_time
async def test_both_peers_close_at_once() -> None:
    """X28: the shutdowns meet, and both associations end."""
    async with one_to_one_pair() as pair:
        await asyncio.gather(pair.client.close(), pair.server.close())
        await asyncio.sleep(1)
        assert not pair.hosts.server.associations()
        assert not pair.hosts.said(Abort)
        await nothing_is_left(pair.hosts)


@virtual_time
async def test_the_stack_ends_below_its_sockets() -> None:
    """X28: what waits ends with an OSError, and closing the sockets afterwards is no error."""
    async with one_to_one_pair() as pair:
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(pair.server.recv(10)),
            asyncio.create_task(pair.listener.accept()),
        ]
        await asyncio.sleep(1)
        await pair.hosts.server.__aexit__(None, None, None)
        for task in tasks:
            async with asyncio.timeout(5):
                with pytest.raises(OSError, match=r"."):
                    await task
        await pair.server.close()
        await pair.listener.close()


@virtual_time
async def test_a_second_reader_waits_its_turn_or_is_told() -> None:
    """X28: two reads at once: each message is read once, and neither read is lost."""
    async with one_to_one_pair() as pair:
        first, second = (asyncio.create_task(pair.server.recv(10)) for _ in range(2))
        await asyncio.sleep(1)
        await pair.client.send(b"one")
        await pair.client.send(b"two")
        await asyncio.sleep(1)
        assert [await first, await second] == [b"one", b"two"]


# -- an exception leaves the block --


@virtual_time
async def test_leaving_the_block_closes() -> None:
    """A20: `async with`: gracefully, and also when an exception leaves it the socket is closed."""

    async def client(hosts: SocketHosts, error: type[BaseException] | None) -> None:
        async with SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.client) as socket:
            await socket.connect(SERVER)
            await socket.send(b"said")
            if error is not None:
                raise error

    async with SocketHosts() as hosts:
        listener = hosts.listening()
        await client(hosts, None)
        server = await hosts.accept(listener)
        assert await server.recv(10) == b"said"
        assert await server.recv(10) == b""
        assert not hosts.said(Abort)
        with pytest.raises(ZeroDivisionError):
            await client(hosts, ZeroDivisionError)
        await nothing_is_left(hosts)


@pytest.mark.parametrize("delay_s", [0, 0.005, 0.015, 0.025, 0.035])
@virtual_time
async def test_cancelled_and_closed_in_the_same_turn(delay_s: float) -> None:
    """X28: a connect cancelled at any step, the socket closed with it: neither end keeps anything."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = bound(hosts, sctp.SOCK_STREAM)
        connecting = asyncio.create_task(client.connect(SERVER))
        await asyncio.sleep(delay_s)
        connecting.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await nothing_is_left(hosts)
        assert ids(server) == ()
