"""Sockets that come of others, by accept and peel-off: what they take along, and what is theirs alone."""

from __future__ import annotations

import asyncio
import errno

import aiosctp.socket as sctp
from tests.socket.hosts import (
    ENOUGH,
    SERVER,
    SocketHosts,
    one_to_many_pair,
    receive,
    refused,
    switch_on,
)
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_what_waited_is_read_from_the_peeled_off_socket_alone() -> None:
    """A29: the original socket has the association no more, and nothing of what it had not read."""
    async with one_to_many_pair() as pair:
        await pair.client.sendto(b"waits", 0, SERVER)
        await pair.client.sendto(b"too", 0, SERVER)
        assert await receive(pair.server, 5) == b"waits"
        peeled = pair.hosts.own(pair.server.peeloff(pair.server_id))
        pair.server.setblocking(False)
        with refused(errno.EAGAIN):
            await pair.server.recvv(ENOUGH)
        assert await receive(peeled) == b"too"


@virtual_time
async def test_a_message_amid_which_it_is_peeled_off_goes_on_there() -> None:
    """A29, A41: and the original socket reads what others send."""
    async with one_to_many_pair() as pair:
        other = pair.hosts.one_to_one()
        await other.connect(SERVER)
        await pair.client.sendto(b"0123456789", 0, SERVER)
        await asyncio.sleep(1)
        assert (await pair.server.recvv(4)).data == b"0123"
        peeled = pair.hosts.own(pair.server.peeloff(pair.server_id))
        await other.send(b"other")
        assert await receive(pair.server) == b"other"
        assert await receive(peeled) == b"456789"


@virtual_time
async def test_accepted_sockets_are_set_apart_from_each_other_and_the_listener() -> None:
    """A24: what one sets is not the other's, nor that of those to come."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        accepted, clients = [], []
        for _ in range(2):
            client = hosts.one_to_one()
            await client.connect(SERVER)
            clients.append(client)
            accepted.append(await hosts.accept(listener))
        accepted[0].setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO, sctp.sctp_sndinfo(snd_sid=5))
        third = hosts.one_to_one()
        await third.connect(SERVER)
        clients.append(third)
        accepted.append(await hosts.accept(listener))
        streams = []
        for client, socket in zip(clients, accepted, strict=True):
            switch_on(client, sctp.SCTP_RECVRCVINFO)
            await socket.send(b"x")
            rcvinfo = (await client.recvv(ENOUGH)).rcvinfo
            assert rcvinfo is not None
            streams.append(rcvinfo.rcv_sid)
        assert streams == [5, 0, 0]


@virtual_time
async def test_explicit_eor_is_the_accepted_sockets_too() -> None:
    """B32, A24: what is set on the socket that listens applies to all that it accepts."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        switch_on(listener, sctp.SCTP_EXPLICIT_EOR)
        client = hosts.one_to_one()
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        await server.send(b"one ")
        await server.send(b"two", sctp.MSG_EOR)
        assert await receive(client) == b"one two"


# -- ends of waiting --


@virtual_time
async def test_who_waits_to_accept_hears_that_it_listens_no_more() -> None:
    """A07, A08: listen(0) ends it with EINVAL; and the socket may listen again."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        accepting = asyncio.create_task(listener.accept())
        await asyncio.sleep(1)
        listener.listen(0)
        with refused(errno.EINVAL):
            async with asyncio.timeout(1):
                await accepting
        listener.listen(1)
        await hosts.one_to_one().connect(SERVER)
        await hosts.accept(listener)


@virtual_time
async def test_what_connect_has_told_is_told_once() -> None:
    """A09, I03: SO_ERROR is 0 after a connect that raised, and reading is ENOTCONN."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_one()
        with refused(errno.ECONNREFUSED):
            await client.connect(SERVER)
        with refused(errno.ENOTCONN):
            await client.recv(ENOUGH)
        assert client.getsockopt(sctp.SOL_SOCKET, sctp.SO_ERROR) == 0
