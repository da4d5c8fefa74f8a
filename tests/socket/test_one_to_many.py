"""The one-to-many style (RFC 6458 §3): one socket, many associations."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import Abort, CookieEcho, Data, IData, Init, Shutdown
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    both_ends_quiet,
    brings,
    fill,
    ids,
    notification,
    one_to_many_pair,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
    switch_on,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_a_server_and_its_clients_need_no_accept() -> None:
    """A02: socket, bind, listen, recvmsg, sendmsg; socket, sendmsg, recvmsg; one socket answers all by address."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = [hosts.one_to_many() for _ in range(4)]
        for number, client in enumerate(clients):
            assert await client.sendmsg([b"from ", b"%d" % number], address=SERVER) == 6
        for _ in clients:
            data, ancdata, flags, address = await server.recvmsg(ENOUGH)
            assert flags == sctp.MSG_EOR
            assert list(ancdata) == []
            assert isinstance(data, bytes)
            await server.sendmsg([data.replace(b"from", b"to")], address=address)
        for number, client in enumerate(clients):
            data, _, flags, address = await client.recvmsg(ENOUGH)
            assert (data, flags, address) == (b"to %d" % number, sctp.MSG_EOR, SERVER)
        assert len(ids(server)) == 4


@virtual_time
async def test_accept_is_not_for_one_to_many_sockets() -> None:
    """A02, A08, I07: "Calling accept() on a one-to-many style socket should return EOPNOTSUPP." """
    async with one_to_many_pair() as pair:
        with refused(errno.EOPNOTSUPP):
            await pair.server.accept()
        await pair.client.sendto(b"not taken away", 0, SERVER)
        assert await receive(pair.server) == b"not taken away"


# -- connect --


@virtual_time
async def test_connect_may_be_called_for_each_peer() -> None:
    """A10: "Multiple connect() calls can be made on the same socket to create multiple associations", without data."""
    async with SocketHosts() as hosts:
        servers = [hosts.listening(port=PORT + number) for number in range(3)]
        client = hosts.one_to_many()
        for number in range(3):
            await client.connect((SERVER_HOST, PORT + number))
        assert client.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_NUMBER) == 3
        assert not hosts.user_data()
        for number, listener in enumerate(servers):
            server = await hosts.accept(listener)
            await client.sendto(b"%d" % number, 0, (SERVER_HOST, PORT + number))
            assert await server.recv(10) == b"%d" % number
            assert server.getpeername() == (CLIENT_HOST, client.getsockname()[1])


@virtual_time
async def test_a_second_connect_to_the_same_peer_is_eisconn() -> None:
    """A10: there is one association between two endpoints."""
    async with one_to_many_pair() as pair:
        with refused(errno.EISCONN):
            await pair.client.connect(SERVER)
        assert ids(pair.client) == (pair.client_id,)
        assert len(pair.hosts.said(Init)) == 1


@virtual_time
async def test_a_refused_connect_leaves_the_other_associations() -> None:
    """A10, I03: ECONNREFUSED, and no id stays behind."""
    async with one_to_many_pair() as pair:
        with refused(errno.ECONNREFUSED):
            await pair.client.connect((SERVER_HOST, PORT + 1))
        assert ids(pair.client) == (pair.client_id,)
        await pair.client.sendto(b"as before", 0, SERVER)
        assert await receive(pair.server) == b"as before"


@virtual_time
async def test_a_socket_that_does_not_listen_still_initiates() -> None:
    """A07: listen(0) takes no new peers in, and sends to new ones all the same."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        other = hosts.listening(sctp.SOCK_SEQPACKET, port=PORT + 1)
        server.listen(0)
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect(SERVER)
        await server.sendto(b"to you", 0, (SERVER_HOST, PORT + 1))
        assert await receive(other) == b"to you"


@virtual_time
async def test_a_listening_socket_initiates_too() -> None:
    """A07: listen does not keep a one-to-many socket from opening associations of its own."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        peer = hosts.one_to_many()
        peer.bind((CLIENT_HOST, 5555))
        peer.listen(1)
        await server.sendto(b"from the server", 0, (CLIENT_HOST, 5555))
        received = await peer.recvv(ENOUGH)
        assert (received.data, received.address) == (b"from the server", SERVER)


# -- implicit set-up --


@pytest.mark.parametrize("how", ["sendto", "sendmsg", "sendv"])
@virtual_time
async def test_the_first_message_to_a_peer_opens_the_association(how: str) -> None:
    """A11, A12: and it rides with the COOKIE ECHO; the second goes to the same association."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        calls: dict[str, Callable[[bytes], Awaitable[int]]] = {
            "sendto": lambda data: client.sendto(data, 0, SERVER),
            "sendmsg": lambda data: client.sendmsg([data], address=SERVER),
            "sendv": lambda data: client.sendv(data, [SERVER]),
        }
        assert await calls[how](b"first") == 5
        assert await receive(server) == b"first"
        third = [packet for packet in hosts.log if brings(packet, CookieEcho)]
        assert len(third) == 1
        assert brings(third[0], Data, IData)
        await client.sendto(b"second", 0, SERVER)
        assert await receive(server) == b"second"
        assert len(hosts.said(Init)) == 1


@virtual_time
async def test_both_sides_hear_of_an_implicit_set_up() -> None:
    """A11: "an SCTP_COMM_UP notification will be dispatched to the socket at both the sender and receiver side"."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        for socket in (server, client):
            subscribe(socket, sctp.SCTP_ASSOC_CHANGE)
        await client.sendto(b"x", 0, SERVER)
        for socket in (server, client):
            change = await notification(socket, sctp.sctp_assoc_change)
            assert change.sac_state == sctp.SCTP_COMM_UP
            assert (change.sac_assoc_id,) == ids(socket)
        assert await receive(server) == b"x"


@virtual_time
async def test_send_and_recv_open_nothing() -> None:
    """A11: "Implicit association setup cannot be initiated by send() calls", nor may they be used in this style."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        for call in (lambda: client.send(b"x"), lambda: client.recv(10)):
            with refused(errno.EOPNOTSUPP):
                await call()
        assert not hosts.log


@virtual_time
async def test_a_message_for_nobody_is_refused() -> None:
    """A11, A14: without an address or an association id there is no peer, and no association is opened."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        with refused(errno.ENOTCONN):
            await client.sendmsg([b"x"])
        with refused(errno.EINVAL):
            await client.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=77))
        assert not hosts.log


@virtual_time
async def test_sendmsg_without_data_opens_an_association() -> None:
    """A11: "If sendmsg() is called with no data and there is no existing association, a new one will be
    established." """
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        assert await client.sendmsg([], address=SERVER) == 0
        await asyncio.sleep(1)
        assert len(ids(client)) == len(ids(server)) == 1
        assert not hosts.user_data()


@pytest.mark.parametrize("flag", [sctp.SCTP_ABORT, sctp.SCTP_EOF])
@virtual_time
async def test_an_end_without_an_association_is_einval(flag: int) -> None:
    """A11, D13, D14: "called with NULL data, and there is no existing association but the SCTP_ABORT or SCTP_EOF flags
    are set"."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        with refused(errno.EINVAL):
            await client.sendmsg(
                [], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, sctp.sctp_sndinfo(snd_flags=flag))], address=SERVER
            )
        assert not hosts.log


# -- sending and receiving --


@virtual_time
async def test_an_association_is_addressed_by_id_or_by_address() -> None:
    """A14, D10: and what is read names its association in the same two ways."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        switch_on(server, sctp.SCTP_RECVRCVINFO)
        clients = [hosts.one_to_one() for _ in range(3)]
        found = []
        for client in clients:
            await client.connect(SERVER)
            await client.send(b"who am I?")
            received = await server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            assert received.address == (CLIENT_HOST, client.getsockname()[1])
            found.append((received.address, received.rcvinfo.rcv_assoc_id))
        for client, (address, assoc_id) in zip(clients, found, strict=True):
            await server.sendv(b"by id", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
            await server.sendto(b"by address", 0, address)
            assert await client.recv(100) == b"by id"
            assert await client.recv(100) == b"by address"


@virtual_time
async def test_an_address_that_has_an_association_is_sent_to() -> None:
    """A15: sendmsg by address without an id goes to the association there is, as RFC 6458 has it; no EADDRINUSE."""
    async with one_to_many_pair() as pair:
        for number in range(3):
            await pair.client.sendmsg([b"%d" % number], address=SERVER)
            assert await receive(pair.server) == b"%d" % number
        assert len(pair.hosts.said(Init)) == 1
        assert ids(pair.client) == (pair.client_id,)


@virtual_time
async def test_after_the_peers_shutdown_sending_is_eshutdown_and_reading_goes_on() -> None:
    """A14, I08: "no more data can be sent to that association ... the socket is still open for reading"."""
    async with one_to_many_pair() as pair:
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT)
        await pair.client.sendto(b"unread", 0, SERVER)
        await asyncio.sleep(1)
        pair.hosts.drop = lambda packet: packet.source == SERVER_HOST and brings(packet, Data, IData)
        by_id = sctp.sctp_sndinfo(snd_assoc_id=pair.server_id)
        await pair.server.sendv(b"keeps the association alive", sndinfo=by_id)
        await pair.client.sendmsg(
            [], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF))], address=SERVER
        )
        await asyncio.sleep(1)
        with refused(errno.ESHUTDOWN):
            await pair.server.sendv(b"too late", sndinfo=by_id)
        with refused(errno.ESHUTDOWN):
            await pair.server.sendto(b"too late", 0, (CLIENT_HOST, pair.client.getsockname()[1]))
        assert await receive(pair.server) == b"unread"
        event = await notification(pair.server, sctp.sctp_shutdown_event)
        assert event.sse_assoc_id == pair.server_id
        pair.hosts.drop = lambda packet: False
        assert await receive(pair.client) == b"keeps the association alive"
        await asyncio.sleep(30)
        assert both_ends_quiet(pair.hosts)


# -- closing --


@virtual_time
async def test_close_shuts_every_association_down() -> None:
    """A19: gracefully, what was queued is delivered first, and peers that are not on the socket notice nothing."""
    async with SocketHosts() as hosts:
        listeners = [hosts.listening(port=PORT + number) for number in range(3)]
        client, other = hosts.one_to_many(), hosts.one_to_one()
        await other.connect(SERVER)
        stays = await hosts.accept(listeners[0])
        servers = []
        for number, listener in enumerate(listeners):
            await client.sendto(b"last words", 0, (SERVER_HOST, PORT + number))
            servers.append(await hosts.accept(listener))
        await client.close()
        for server in servers:
            assert await server.recv(100) == b"last words"
            assert await server.recv(100) == b""
        await asyncio.sleep(1)
        assert len(hosts.said(Shutdown, CLIENT_HOST)) == 3
        assert not hosts.said(Abort)
        assert len(hosts.client.associations()) == 1
        await other.send(b"still here")
        assert await stays.recv(100) == b"still here"


@virtual_time
async def test_ids_count_from_3_and_are_not_used_again() -> None:
    """A40: "that identifier will not be reused until the application explicitly terminates the use"."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_many()
        seen = []
        for _ in range(4):
            assoc_id = await client.connectx([SERVER])
            seen.append(assoc_id)
            await client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id, snd_flags=sctp.SCTP_EOF))
            await asyncio.sleep(1)
            assert ids(client) == ()
            with refused(errno.EINVAL):
                await client.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
        assert seen == [3, 4, 5, 6]


# -- one association stalls --


@virtual_time
async def test_a_stalled_association_stops_no_other() -> None:
    """A38, A39: "each association with its own allocation of outbound buffer space": one peer reads nothing, and the
    others are served; that one can be written to says nothing about another."""
    small = aiosctp.Config(send_buffer_bytes=10_000, stream_send_buffer_bytes=10_000, receive_window_bytes=10_000)
    async with SocketHosts(config=small) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = [hosts.one_to_one() for _ in range(10)]
        addresses = []
        for client in clients:
            await client.connect(SERVER)
            addresses.append((CLIENT_HOST, client.getsockname()[1]))
        assert await fill(server, addresses[0]) > 3
        stalled = asyncio.create_task(server.sendto(bytes(1000), 0, addresses[0]))
        for client, address in zip(clients[1:], addresses[1:], strict=True):
            for number in range(50):
                await server.sendto(b"%d" % number, 0, address)
                assert await client.recv(10) == b"%d" % number
        assert not stalled.done()
        while not stalled.done():
            await clients[0].recv(ENOUGH)
            await asyncio.sleep(0.1)
        assert await stalled == 1000


@virtual_time
async def test_a_peer_that_sends_and_is_not_read_stops_no_other() -> None:
    """A39: each association has a receive window of its own; reading goes round among those that have something."""
    small = aiosctp.Config(receive_window_bytes=20_000)
    async with SocketHosts(config=small) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        loud, quiet = hosts.one_to_one(), hosts.one_to_one()
        await loud.connect(SERVER)
        await quiet.connect(SERVER)
        loud.setblocking(False)
        for _ in range(20):
            await loud.send(b"l" * 900)
        await asyncio.sleep(1)
        await quiet.send(b"q")
        await asyncio.sleep(1)
        read = [await receive(server) for _ in range(21)]
        assert read.count(b"q") == 1


# -- peel-off --


@virtual_time
async def test_peeloff_branches_one_association_off() -> None:
    """A29: the new socket is a one-to-one one, with what had not been read; the old one no longer knows the id."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        switch_on(server, sctp.SCTP_RECVRCVINFO)
        clients = [hosts.one_to_one() for _ in range(2)]
        found = []
        for client in clients:
            await client.connect(SERVER)
            await client.send(b"read before")
            received = await server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            found.append(received.rcvinfo.rcv_assoc_id)
        for client in clients:
            await client.send(b"not read yet")
        await asyncio.sleep(1)
        peeled = hosts.own(server.peeloff(found[0]))
        assert ids(server) == (found[1],)
        assert await peeled.recv(100) == b"not read yet"
        await peeled.send(b"from the peeled")
        assert await clients[0].recv(100) == b"from the peeled"
        assert peeled.getpeername() == (CLIENT_HOST, clients[0].getsockname()[1])
        assert await receive(server) == b"not read yet"
        with refused(errno.EINVAL):
            await server.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=found[0]))
        with refused(errno.EINVAL):
            server.peeloff(found[0])


@virtual_time
async def test_closing_either_socket_leaves_the_other() -> None:
    """A29: "the close() operation on the original socket will not terminate any associations that have been branched
    off"; and the other way about."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = await hosts.clients(3)
        await asyncio.sleep(1)
        peeled = [hosts.own(server.peeloff(assoc_id)) for assoc_id in ids(server)[:2]]
        await peeled[0].close()
        assert await clients[0].recv(10) == b""
        await clients[2].send(b"to the server")
        assert await receive(server) == b"to the server"
        await server.close()
        assert await clients[2].recv(10) == b""
        await clients[1].send(b"to the peeled")
        assert await peeled[1].recv(100) == b"to the peeled"
        assert not hosts.said(Abort)
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect(SERVER)


@virtual_time
async def test_a_peeled_off_socket_takes_its_options_and_events_along() -> None:
    """A29: as W20 wishes: a defined type, and what was set for the association still holds."""
    async with one_to_many_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT)
        pair.server.setblocking(False)
        peeled = pair.hosts.own(pair.server.peeloff(pair.server_id))
        assert peeled.getsockopt(sctp.SOL_SOCKET, sctp.SO_TYPE) == sctp.SOCK_STREAM
        reading = asyncio.create_task(peeled.recvv(ENOUGH))
        await asyncio.sleep(1)
        assert not reading.done()  # it waits: a new socket is a blocking one
        await pair.client.sendto(b"x", 0, SERVER)
        assert (await reading).rcvinfo is not None
        await pair.client.close()
        await notification(peeled, sctp.sctp_shutdown_event)


@virtual_time
async def test_only_an_association_of_a_one_to_many_socket_is_peeled_off() -> None:
    """A29, I05: an unknown id is EINVAL; of a one-to-one socket it is EOPNOTSUPP."""
    async with one_to_many_pair() as pair:
        for wrong in (99, 0, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, -1, "3"):
            with refused(errno.EINVAL):
                pair.server.peeloff(wrong)  # type: ignore[arg-type]  # wrong on purpose
        assert ids(pair.server) == (pair.server_id,)
    async with one_to_one_pair() as pair_of_one:
        with refused(errno.EOPNOTSUPP):
            pair_of_one.client.peeloff(3)
