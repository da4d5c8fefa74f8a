"""Sockets that do not wait (RFC 6458 §3.2): EINPROGRESS, EAGAIN, SO_ERROR, and the notifications that tell the rest."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import Init
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    ids,
    notification,
    one_to_many_pair,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time


def pending_error(socket: SCTPSocket) -> int:
    return int(socket.getsockopt(sctp.SOL_SOCKET, sctp.SO_ERROR))


async def would_block(call: Awaitable[Any], number: int = errno.EAGAIN) -> None:
    """The call ends without waiting, with BlockingIOError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(BlockingIOError) as caught:
        await call
    assert caught.value.errno == number
    assert loop.time() == began


# -- connect --


@virtual_time
async def test_connect_sends_the_init_and_is_in_progress() -> None:
    """A37, I09: EINPROGRESS; once it is connected SO_ERROR is 0 and the socket works."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        client.setblocking(False)
        await would_block(client.connect(SERVER), errno.EINPROGRESS)
        assert len(hosts.said(Init)) == 1
        await would_block(client.recv(10))
        await asyncio.sleep(1)
        assert pending_error(client) == 0
        with refused(errno.EISCONN):
            await client.connect(SERVER)
        server = await hosts.accept(listener)
        await client.send(b"x")
        assert await server.recv(10) == b"x"


@virtual_time
async def test_connect_while_it_is_in_progress_is_ealready() -> None:
    """A37: and the first one goes on."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_one()
        client.setblocking(False)
        await would_block(client.connect(SERVER), errno.EINPROGRESS)
        with refused(errno.EALREADY):
            await client.connect(SERVER)
        await asyncio.sleep(1)
        assert client.getpeername() == SERVER
        assert len(hosts.said(Init)) == 1


@virtual_time
async def test_a_refusal_is_the_pending_error_which_reading_clears() -> None:
    """A37, I03: SO_ERROR is ECONNREFUSED once, then 0; the socket may try again."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_one()
        client.setblocking(False)
        await would_block(client.connect(SERVER), errno.EINPROGRESS)
        assert pending_error(client) == 0
        await asyncio.sleep(1)
        assert pending_error(client) == errno.ECONNREFUSED
        assert pending_error(client) == 0
        hosts.listening()
        await would_block(client.connect(SERVER), errno.EINPROGRESS)
        await asyncio.sleep(1)
        assert pending_error(client) == 0
        assert client.getpeername() == SERVER


@virtual_time
async def test_silence_becomes_etimedout() -> None:
    """A37, I02: after Max.Init.Retransmits."""
    async with SocketHosts(config=aiosctp.Config(max_init_retransmits=2)) as hosts:
        hosts.network.partition(hosts.client_host)
        client = hosts.one_to_one()
        client.setblocking(False)
        await would_block(client.connect(SERVER), errno.EINPROGRESS)
        await asyncio.sleep(60)
        assert len(hosts.said(Init)) == 3
        assert pending_error(client) == errno.ETIMEDOUT
        assert pending_error(client) == 0


@virtual_time
async def test_an_abort_becomes_econnreset() -> None:
    """A37: of an established association; recv tells it, or SO_ERROR does."""
    async with one_to_one_pair() as pair:
        pair.client.setblocking(False)
        pair.server.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        await pair.server.close()
        await asyncio.sleep(1)
        assert pending_error(pair.client) == errno.ECONNRESET
        assert pending_error(pair.client) == 0


@virtual_time
async def test_connectx_starts_the_association_and_returns_its_id() -> None:
    """A37, A28: of a one-to-many socket it raises nothing; COMM_UP names the same id."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        subscribe(client, sctp.SCTP_ASSOC_CHANGE)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assoc_id = await client.connectx([SERVER])
        assert loop.time() == began
        assert len(hosts.said(Init)) == 1
        client.setblocking(True)
        change = await notification(client, sctp.sctp_assoc_change)
        assert (change.sac_state, change.sac_assoc_id) == (sctp.SCTP_COMM_UP, assoc_id)


@virtual_time
async def test_the_failure_of_an_association_of_many_is_a_notification() -> None:
    """A37: CANT_STR_ASSOC with the id that connectx gave, and the socket has no error of its own."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_many()
        subscribe(client, sctp.SCTP_ASSOC_CHANGE)
        client.setblocking(False)
        assoc_id = await client.connectx([SERVER])
        await asyncio.sleep(1)
        change = await notification(client, sctp.sctp_assoc_change)
        assert (change.sac_state, change.sac_assoc_id) == (sctp.SCTP_CANT_STR_ASSOC, assoc_id)
        assert ids(client) == ()
        await would_block(client.recvv(ENOUGH))


# -- implicit set-up --


@virtual_time
async def test_a_send_that_opens_returns_at_once() -> None:
    """A37: "the sendmsg() function returns immediately", and the data follows when the association is up."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        for client in (hosts.one_to_many(), hosts.one_to_one()):
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert await client.sendmsg([b"x"], address=SERVER) == 1
            assert loop.time() == began
            assert await receive(server) == b"x"


@virtual_time
async def test_the_failure_of_a_send_that_opens_is_told_in_two_notifications() -> None:
    """A37: SCTP_CANT_STR_ASSOC, and for the message SCTP_SEND_FAILED_EVENT, unsent."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_many()
        subscribe(client, sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED_EVENT)
        client.setblocking(False)
        await client.sendto(b"for nobody", 0, SERVER)
        await would_block(client.recvv(ENOUGH))
        await asyncio.sleep(1)
        change = await notification(client, sctp.sctp_assoc_change)
        assert change.sac_state == sctp.SCTP_CANT_STR_ASSOC
        failed = await notification(client, sctp.sctp_send_failed_event)
        assert (failed.ssfe_data, failed.ssfe_flags) == (b"for nobody", sctp.SCTP_DATA_UNSENT)


# -- accept, recv, send --


@virtual_time
async def test_accept_without_an_association_is_eagain() -> None:
    """A37, I09: and with one it gives a socket that blocks."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        listener.setblocking(False)
        await would_block(listener.accept())
        client = hosts.one_to_one()
        await client.connect(SERVER)
        await asyncio.sleep(1)
        server = await hosts.accept(listener)
        reading = asyncio.create_task(server.recv(10))
        await asyncio.sleep(1)
        assert not reading.done()
        await client.send(b"x")
        assert await reading == b"x"


@pytest.mark.parametrize("name", ["recv", "recvfrom", "recvmsg", "recvv", "sctp_recvmsg"])
@virtual_time
async def test_reading_nothing_is_eagain(name: str) -> None:
    """A37, I09: each call; and what is there is read without waiting."""
    async with one_to_one_pair() as pair:
        pair.server.setblocking(False)
        call: Callable[[int], Awaitable[Any]] = getattr(pair.server, name)
        await would_block(call(10))
        await pair.client.send(b"x")
        await asyncio.sleep(1)
        assert b"x" in (read := await call(10)) or read[0] == b"x"
        await would_block(call(10))
        pair.server.setblocking(True)
        reading = asyncio.ensure_future(call(10))
        await asyncio.sleep(1)
        await pair.client.send(b"y")
        await reading


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@virtual_time
async def test_a_full_buffer_is_eagain_and_queues_nothing(type: int) -> None:
    """A37, I09: what was taken arrives, what was refused does not; with room again it goes on."""
    small = aiosctp.Config(send_buffer_bytes=10_000, stream_send_buffer_bytes=10_000, receive_window_bytes=10_000)
    async with SocketHosts(config=small) as hosts:
        listener = hosts.listening()
        client = hosts.socket(type)
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        client.setblocking(False)
        taken = 0
        with suppress(BlockingIOError):
            while taken < 1000:
                await client.sendto(b"%04d" % taken + bytes(1000), 0, SERVER)
                taken += 1
        await would_block(client.sendto(bytes(1000), 0, SERVER))
        assert taken > 3
        for number in range(taken):
            assert (await server.recv(ENOUGH))[:4] == b"%04d" % number
        await client.sendto(b"room again", 0, SERVER)
        assert await server.recv(ENOUGH) == b"room again"


@virtual_time
async def test_one_full_association_leaves_the_others_writable() -> None:
    """A37, A38, I09: EAGAIN is about one association: "the association that was writable is not the destination"."""
    small = aiosctp.Config(send_buffer_bytes=10_000, stream_send_buffer_bytes=10_000, receive_window_bytes=10_000)
    async with SocketHosts(config=small) as hosts:
        listeners = [hosts.listening(port=PORT + number) for number in range(2)]
        client = hosts.one_to_many()
        for number in range(2):
            await client.connect((SERVER_HOST, PORT + number))
        servers = [await hosts.accept(listener) for listener in listeners]
        client.setblocking(False)
        with refused(errno.EAGAIN):
            for _ in range(1000):
                await client.sendto(bytes(1000), 0, (SERVER_HOST, PORT))
        await client.sendto(b"not full", 0, (SERVER_HOST, PORT + 1))
        assert await servers[1].recv(100) == b"not full"


@virtual_time
async def test_eof_and_its_end_do_not_wait() -> None:
    """A37, D14: "The function returns immediately, and completion ... is indicated by ... SCTP_SHUTDOWN_COMP"."""
    async with one_to_many_pair() as pair:
        subscribe(pair.client, sctp.SCTP_ASSOC_CHANGE)
        pair.client.setblocking(False)
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF, snd_assoc_id=pair.client_id))
        await would_block(pair.client.recvv(ENOUGH))
        await asyncio.sleep(1)
        change = await notification(pair.client, sctp.sctp_assoc_change)
        assert change.sac_state == sctp.SCTP_SHUTDOWN_COMP


@virtual_time
async def test_switching_to_non_blocking_is_for_calls_to_come() -> None:
    """A37: one that waits already goes on waiting."""
    async with one_to_one_pair() as pair:
        reading = asyncio.create_task(pair.server.recv(10))
        await asyncio.sleep(1)
        pair.server.setblocking(False)
        await asyncio.sleep(1)
        assert not reading.done()
        await pair.client.send(b"x")
        assert await reading == b"x"


@virtual_time
async def test_a_non_blocking_read_does_not_lose_the_association_that_is_in_progress() -> None:
    """A37: polling by EAGAIN until the data is there, as a program without a loop of its own would."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_one()
        client.setblocking(False)
        server.setblocking(False)
        await client.sendto(b"question", 0, SERVER)
        polls = 0
        while True:
            try:
                received = await server.recvv(ENOUGH)
                break
            except BlockingIOError:
                polls += 1
                await asyncio.sleep(0.005)
        assert polls > 1
        assert (received.data, received.address) == (b"question", (CLIENT_HOST, client.getsockname()[1]))
        assert brings(hosts.log[0], Init)
