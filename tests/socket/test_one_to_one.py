"""The one-to-one style (RFC 6458 §4): calls that look like TCP's, and keep message edges."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import Abort, CookieEcho, Data, IData, Init
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    never_ends,
    notification,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
    switch_on,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

# -- the calls of a server and of a client --


@virtual_time
async def test_a_server_and_a_client_exchange_messages() -> None:
    """A01: socket, bind, listen, accept; socket, connect; and two sends are two messages."""
    async with SocketHosts() as hosts:
        listener = hosts.one_to_one(hosts.server)
        listener.bind(SERVER)
        listener.listen(5)
        client = hosts.one_to_one(hosts.client)
        await client.connect(SERVER)
        server, address = await listener.accept()
        async with server:
            assert address == (CLIENT_HOST, client.getsockname()[1])
            assert await client.send(b"one") == 3
            assert await client.send(b"twenty") == 6
            assert await server.recv(100) == b"one"
            assert await server.recv(100) == b"twenty"
            await server.send(b"answer")
            assert await client.recv(100) == b"answer"


@virtual_time
async def test_each_accept_gives_a_socket_of_its_own() -> None:
    """A01, A08: what one accepted socket reads and sends is its own association's."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        clients = [hosts.one_to_one() for _ in range(3)]
        for number, client in enumerate(clients):
            await client.connect(SERVER)
            await client.send(b"%d" % number)
        for number, client in enumerate(clients):
            server = await hosts.accept(listener)
            assert await server.recv(10) == b"%d" % number
            await server.send(b"to %d" % number)
            assert await client.recv(10) == b"to %d" % number


# -- bind --


@virtual_time
async def test_a_socket_shows_its_style_its_port_and_how_many_associations_it_has() -> None:
    async with one_to_one_pair() as pair:
        assert repr(pair.server) == f"<SCTPSocket one-to-one, SCTP port {PORT}, 1 association>"
    assert repr(pair.server) == "<SCTPSocket one-to-one, closed>"
    async with SocketHosts() as hosts:
        assert repr(hosts.one_to_one()) == "<SCTPSocket one-to-one, unbound, 0 associations>"


@virtual_time
async def test_a_second_bind_is_refused_and_the_first_holds() -> None:
    """A05: "After the first call to bind(), all subsequent calls will return an error." """
    async with SocketHosts() as hosts:
        socket = hosts.one_to_one(hosts.server)
        socket.bind((SERVER_HOST, PORT))
        with refused(errno.EINVAL):
            socket.bind((SERVER_HOST, PORT + 1))
        socket.listen(1)
        await hosts.one_to_one().connect(SERVER)
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect((SERVER_HOST, PORT + 1))


@virtual_time
async def test_port_0_is_an_ephemeral_one() -> None:
    """A05: two sockets that ask for none get one each, and the peer sees it."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        ports = set()
        for _ in range(2):
            client = hosts.one_to_one()
            client.bind(("0.0.0.0", 0))
            ports.add(client.getsockname()[1])
            await client.connect(SERVER)
            server = await hosts.accept(listener)
            assert server.getpeername()[1] == client.getsockname()[1]
        assert len(ports) == 2
        assert 0 not in ports


@virtual_time
async def test_an_unbound_socket_connects_from_all_addresses() -> None:
    """A05: "the system picks an ephemeral port and will choose an address set equivalent to ... INADDR_ANY"."""
    async with SocketHosts(client_addresses=("192.0.2.1", "192.0.2.11")) as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        port = client.getsockname()[1]
        assert sorted(server.getpaddrs()) == [("192.0.2.1", port), ("192.0.2.11", port)]


@virtual_time
async def test_a_socket_bound_to_one_address_has_that_one_alone() -> None:
    """A05: only the address that was bound is told to the peer and answered at."""
    async with SocketHosts(
        client_addresses=("192.0.2.1", "192.0.2.11"), server_addresses=("192.0.2.2", "192.0.2.12")
    ) as hosts:
        listener = hosts.one_to_one(hosts.server)
        listener.bind(("192.0.2.12", PORT))
        listener.listen(1)
        client = hosts.one_to_one()
        client.bind(("192.0.2.11", 5555))
        with refused(errno.ECONNREFUSED):
            await client.connect(("192.0.2.2", PORT))
        await client.connect(("192.0.2.12", PORT))
        server = await hosts.accept(listener)
        assert list(server.getpaddrs()) == [("192.0.2.11", 5555)]
        assert list(client.getpaddrs()) == [("192.0.2.12", PORT)]


@virtual_time
async def test_a_host_string_is_an_address_with_any_port() -> None:
    """A05: an address argument may be a host alone."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_one()
        client.bind(CLIENT_HOST)
        assert client.getsockname()[0] == CLIENT_HOST
        assert client.getsockname()[1] != 0
        await client.connect(SERVER)


# -- listen and accept --


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@virtual_time
async def test_a_socket_that_does_not_listen_answers_an_init_with_abort(type: int) -> None:
    """A07, I03: "Until a listen() ... the SCTP endpoint will promptly reject an inbound SCTP INIT request with an SCTP
    ABORT"."""
    async with SocketHosts() as hosts:
        bound = hosts.socket(type, hosts.server)
        bound.bind(SERVER)
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect(SERVER)
        assert hosts.said(Abort, SERVER_HOST)
        assert len(hosts.said(Init, CLIENT_HOST)) == 1
        bound.listen(1)
        await hosts.one_to_one().connect(SERVER)


@virtual_time
async def test_listen_0_takes_no_more_and_leaves_what_there_is() -> None:
    """A07: "a backlog of '0' indicates that the caller no longer wishes to receive new associations"."""
    async with one_to_one_pair() as pair:
        pair.listener.listen(0)
        with refused(errno.ECONNREFUSED):
            await pair.hosts.one_to_one().connect(SERVER)
        await pair.client.send(b"still here")
        assert await pair.server.recv(100) == b"still here"
        pair.listener.listen(1)
        await pair.hosts.one_to_one().connect(SERVER)


@virtual_time
async def test_the_backlog_bounds_the_accept_queue() -> None:
    """A07: no more associations than `backlog` are established and not yet accepted; the next come as accept makes
    room."""
    async with SocketHosts() as hosts:
        listener = hosts.listening(backlog=2)
        connecting = [asyncio.create_task(hosts.one_to_one().connect(SERVER)) for _ in range(4)]
        await asyncio.sleep(15)
        assert sum(task.done() for task in connecting) == 2
        for established in (3, 4):
            await hosts.accept(listener)
            await asyncio.sleep(60)
            assert sum(task.done() for task in connecting) == established
        await asyncio.gather(*connecting)
        await hosts.accept(listener)
        await hosts.accept(listener)
        waiting = asyncio.create_task(listener.accept())
        await never_ends(waiting)
        waiting.cancel()


@virtual_time
async def test_listen_on_an_unbound_socket_binds_it() -> None:
    """A05, A07: to a port that the system picks, as POSIX systems do."""
    async with SocketHosts() as hosts:
        listener = hosts.one_to_one(hosts.server)
        listener.listen(1)
        _host, port = listener.getsockname()
        assert port != 0
        await hosts.one_to_one().connect((SERVER_HOST, port))
        await hosts.accept(listener)


@virtual_time
async def test_a_connected_socket_cannot_listen_and_a_listening_one_cannot_connect() -> None:
    """A07, A09: as POSIX has it, EINVAL and EOPNOTSUPP; and neither call has any effect."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            pair.client.listen(1)
        await pair.client.send(b"as before")
        assert await pair.server.recv(100) == b"as before"
        with refused(errno.EOPNOTSUPP):
            await pair.listener.connect(SERVER)
        await pair.hosts.one_to_one().connect(SERVER)


@virtual_time
async def test_accept_returns_the_peers_primary_address() -> None:
    """A08: "addr ... will contain the primary address of the peer endpoint"."""
    async with SocketHosts(client_addresses=("192.0.2.1", "192.0.2.11")) as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        await client.connect(SERVER)
        server, address = await listener.accept()
        hosts.own(server)
        assert address == server.getpeername()
        assert address in server.getpaddrs()
        hosts.log.clear()
        await server.send(b"to the primary")
        await receive(client)
        assert {packet.destination for packet in hosts.log if brings(packet, Data, IData)} == {address[0]}


@virtual_time
async def test_accept_waits_for_an_association_and_takes_the_oldest() -> None:
    """A08: accept blocks until there is one, and what came first is given first."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        waiting = asyncio.create_task(hosts.accept(listener))
        await never_ends(waiting)
        first, second = hosts.one_to_one(), hosts.one_to_one()
        await first.connect(SERVER)
        await second.connect(SERVER)
        assert (await waiting).getpeername()[1] == first.getsockname()[1]
        assert (await hosts.accept(listener)).getpeername()[1] == second.getsockname()[1]


@virtual_time
async def test_an_association_that_ended_in_the_queue_is_still_accepted() -> None:
    """A08: what it had sent is there to read, and then its end."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        await client.connect(SERVER)
        await client.send(b"and gone")
        await client.close()
        await asyncio.sleep(5)
        server = await hosts.accept(listener)
        assert await server.recv(100) == b"and gone"
        assert await server.recv(100) == b""


@virtual_time
async def test_accept_on_a_socket_that_does_not_listen_is_einval() -> None:
    """A08, I05: there is no queue to take from."""
    async with SocketHosts() as hosts:
        socket = hosts.one_to_one()
        with refused(errno.EINVAL):
            await socket.accept()
        socket.bind(("0.0.0.0", 0))
        with refused(errno.EINVAL):
            await socket.accept()


@virtual_time
async def test_options_of_the_listener_hold_for_accepted_sockets() -> None:
    """A24: "All socket options set on a one-to-one style listening socket also apply to all future accepted
    sockets." """
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        switch_on(listener, sctp.SCTP_RECVRCVINFO)
        subscribe(listener, sctp.SCTP_SHUTDOWN_EVENT)
        client = hosts.one_to_one()
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        await client.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_sid=4))
        received = await server.recvv(ENOUGH)
        assert received.rcvinfo is not None
        assert received.rcvinfo.rcv_sid == 4
        await client.close()
        await notification(server, sctp.sctp_shutdown_event)


# -- connect --


@virtual_time
async def test_connect_asks_for_the_streams_of_initmsg() -> None:
    """A09: the INIT carries what SCTP_INITMSG said, and without it the endpoint's default."""
    async with SocketHosts(config=aiosctp.Config(outbound_streams=7)) as hosts:
        listener = hosts.listening()
        plain, asking = hosts.one_to_one(), hosts.one_to_one()
        asking.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=23))
        for client, streams in ((plain, 7), (asking, 23)):
            hosts.log.clear()
            await client.connect(SERVER)
            assert [init.outbound_streams for init in hosts.said(Init)] == [streams]
            server = await hosts.accept(listener)
            await client.sendv(b"the last", sndinfo=sctp.sctp_sndinfo(snd_sid=streams - 1))
            assert await server.recv(100) == b"the last"
            with refused(errno.EINVAL):
                await client.sendv(b"one too far", sndinfo=sctp.sctp_sndinfo(snd_sid=streams))


@virtual_time
async def test_a_socket_connects_once() -> None:
    """A09: EISCONN on a connected socket, EALREADY while it connects; the association is not harmed."""
    async with one_to_one_pair() as pair:
        with refused(errno.EISCONN):
            await pair.client.connect(SERVER)
        await pair.client.send(b"as before")
        assert await pair.server.recv(100) == b"as before"
        pair.hosts.drop = lambda packet: brings(packet, Init)
        other = pair.hosts.one_to_one()
        connecting = asyncio.create_task(other.connect(SERVER))
        await asyncio.sleep(0.5)
        with refused(errno.EALREADY):
            await other.connect(SERVER)
        pair.hosts.drop = lambda packet: False
        await connecting


@virtual_time
async def test_a_refused_socket_may_try_again() -> None:
    """A09: a connect that failed leaves the socket as it was, still bound."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_one()
        client.bind((CLIENT_HOST, 5555))
        for _ in range(2):
            with refused(errno.ECONNREFUSED):
                await client.connect(SERVER)
        hosts.listening()
        await client.connect(SERVER)
        assert client.getsockname() == (CLIENT_HOST, 5555)


@virtual_time
async def test_calls_that_need_a_peer_are_enotconn_without_one() -> None:
    """A01: send, recv, getpeername and shutdown."""
    async with SocketHosts() as hosts:
        socket = hosts.one_to_one()
        for call in (lambda: socket.send(b"x"), lambda: socket.recv(10), lambda: socket.recvv(10)):
            with refused(errno.ENOTCONN):
                await call()
        with refused(errno.ENOTCONN):
            socket.getpeername()
        with refused(errno.ENOTCONN):
            socket.shutdown(sctp.SHUT_WR)
        assert not hosts.log


# -- implicit set-up --


@pytest.mark.parametrize("how", ["sendto", "sendmsg", "sendv"])
@virtual_time
async def test_the_first_message_opens_the_association_and_rides_on_the_third_leg(how: str) -> None:
    """A12, A13: sendto and sendmsg connect a one-to-one socket, and the data goes with the COOKIE ECHO."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        calls: dict[str, Callable[[bytes], Awaitable[int]]] = {
            "sendto": lambda data: client.sendto(data, 0, SERVER),
            "sendmsg": lambda data: client.sendmsg([data], address=SERVER),
            "sendv": lambda data: client.sendv(data, [SERVER]),
        }
        assert await calls[how](b"hello") == 5
        server = await hosts.accept(listener)
        assert await server.recv(100) == b"hello"
        third = [packet for packet in hosts.log if brings(packet, CookieEcho)]
        assert len(third) == 1
        assert brings(third[0], Data, IData)
        assert client.getpeername() == SERVER
        await client.send(b"and more")
        await client.sendto(b"to the same", 0, SERVER)
        assert await server.recv(100) == b"and more"
        assert await server.recv(100) == b"to the same"
        assert len(hosts.said(Init)) == 1


@virtual_time
async def test_an_implicit_set_up_that_is_refused_says_so() -> None:
    """A13, I03: the error of connect comes to whoever waits for the socket."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_one()
        with refused(errno.ECONNREFUSED):
            await client.sendto(b"nobody is there", 0, SERVER)
            await client.recv(100)


# -- sendmsg and the address --


@virtual_time
async def test_an_address_of_the_peer_is_where_the_message_goes() -> None:
    """A16: msg_name "is used to indicate a preferred peer address"."""
    async with one_to_one_pair(server_addresses=("192.0.2.2", "192.0.2.12")) as pair:
        await asyncio.sleep(2)  # until both are confirmed
        for host in ("192.0.2.12", "192.0.2.2"):
            pair.hosts.log.clear()
            assert await pair.client.sendmsg([b"this ", b"way"], address=(host, PORT)) == 8
            assert await pair.server.recv(100) == b"this way"
            assert {packet.destination for packet in pair.hosts.log if brings(packet, Data, IData)} == {host}


@virtual_time
async def test_a_foreign_address_is_a_send_that_failed() -> None:
    """A16: "the data will not be sent, and an SCTP_SEND_FAILED_EVENT event will be delivered"."""
    async with one_to_one_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.log.clear()
        await pair.client.sendmsg([b"astray"], address=("192.0.2.99", PORT))
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        assert failed.ssfe_data == b"astray"
        assert failed.ssfe_flags == sctp.SCTP_DATA_UNSENT
        await asyncio.sleep(1)
        assert not pair.hosts.user_data()
        await pair.client.send(b"all is well")
        assert await pair.server.recv(100) == b"all is well"


# -- send, recv --


@virtual_time
async def test_send_and_sendto_use_stream_0_and_recv_reads_any() -> None:
    """A17: "The system uses stream 0 as the default stream"; recv gives no metadata."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"a")
        await pair.client.sendto(b"b", 0, SERVER)
        await pair.client.sendv(b"c", sndinfo=sctp.sctp_sndinfo(snd_sid=9))
        assert [await pair.server.recv(10) for _ in range(3)] == [b"a", b"b", b"c"]
        assert [chunk.stream for chunk in pair.hosts.user_data(CLIENT_HOST)] == [0, 0, 9]


@virtual_time
async def test_recv_acts_like_a_stream_when_the_buffer_is_short() -> None:
    """A17: it "returns as much data as will fit in the buffer"; the rest is next, and messages are not joined."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"0123456789")
        await pair.client.send(b"next")
        assert [await pair.server.recv(4) for _ in range(4)] == [b"0123", b"4567", b"89", b"next"]


@virtual_time
async def test_recvfrom_tells_the_peers_address() -> None:
    """A17: "the peer address used to send the received message"."""
    async with one_to_one_pair() as pair:
        await pair.server.send(b"x")
        assert await pair.client.recvfrom(10) == (b"x", SERVER)


@virtual_time
async def test_an_empty_message_is_refused() -> None:
    """A17, I11: "not allowed to send a DATA chunk with no user data"."""
    async with one_to_one_pair() as pair:
        calls: list[Callable[[], Awaitable[int]]] = [
            lambda: pair.client.send(b""),
            lambda: pair.client.sendto(b"", 0, SERVER),
            lambda: pair.client.sendmsg([b"", b""]),
            lambda: pair.client.sendmsg([]),
            lambda: pair.client.sendv(b""),
        ]
        for call in calls:
            with refused(errno.EINVAL):
                await call()
        await pair.client.send(b"the first there is")
        assert await pair.server.recv(100) == b"the first there is"


@virtual_time
async def test_read_and_write_are_recv_and_send_without_flags() -> None:
    """A18: a one-to-one socket and a peeled-off one read and write; a one-to-many socket does not."""
    async with SocketHosts() as hosts:
        many = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_one()
        await client.connect(SERVER)
        await client.send(b"written")
        await asyncio.sleep(1)
        for call in (lambda: many.send(b"x"), lambda: many.recv(10)):
            with refused(errno.EOPNOTSUPP):
                await call()
        (assoc_id,) = many.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_ID_LIST).gaids_assoc_id
        peeled = hosts.own(many.peeloff(assoc_id))
        assert await peeled.recv(100) == b"written"
        assert await peeled.send(b"read") == 4
        assert await client.recv(100) == b"read"
