"""The errno of every row of the error list, and what is refused in bad input."""

from __future__ import annotations

import asyncio
import errno
import socket as standard
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import Data, IData
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    fill,
    ids,
    never_ends,
    one_to_many_pair,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

STYLES = [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET]

# -- making a socket --


@pytest.mark.parametrize(
    ("family", "type", "proto", "number"),
    [
        (sctp.AF_INET, standard.SOCK_DGRAM, sctp.IPPROTO_SCTP, errno.EPROTONOSUPPORT),
        (sctp.AF_INET, standard.SOCK_RAW, sctp.IPPROTO_SCTP, errno.EPROTONOSUPPORT),
        (sctp.AF_INET6, 0, sctp.IPPROTO_SCTP, errno.EPROTONOSUPPORT),
        (sctp.AF_INET, sctp.SOCK_STREAM, standard.IPPROTO_TCP, errno.EPROTONOSUPPORT),
        (standard.AF_UNIX, sctp.SOCK_STREAM, sctp.IPPROTO_SCTP, errno.EAFNOSUPPORT),
        (12345, sctp.SOCK_STREAM, sctp.IPPROTO_SCTP, errno.EAFNOSUPPORT),
        ("AF_INET", sctp.SOCK_STREAM, sctp.IPPROTO_SCTP, errno.EAFNOSUPPORT),
        (sctp.AF_INET, "SOCK_STREAM", sctp.IPPROTO_SCTP, errno.EPROTONOSUPPORT),
        (sctp.AF_INET, sctp.SOCK_STREAM, None, errno.EPROTONOSUPPORT),
    ],
)
def test_a_socket_of_another_kind_is_refused(family: int, type: int, proto: int, number: int) -> None:
    """A04, I01: "anything but STREAM or SEQPACKET is EPROTONOSUPPORT"; without a loop, and nothing is left to close."""
    with refused(number):
        SCTPSocket(family, type, proto)


def test_a_socket_can_be_made_and_set_before_there_is_a_loop() -> None:
    """A04, A24: the constructor and options need none; what was set holds when it connects."""
    client = SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, sctp.IPPROTO_SCTP)
    client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=5))

    @virtual_time
    async def run() -> None:
        async with SocketHosts() as hosts:
            listener = hosts.listening()
            with hosts.client_host:
                await hosts.own(client).connect(SERVER)
            server = await hosts.accept(listener)
            await client.sendv(b"the last", sndinfo=sctp.sctp_sndinfo(snd_sid=4))
            assert await server.recv(100) == b"the last"
            with refused(errno.EINVAL):
                await client.sendv(b"one too far", sndinfo=sctp.sctp_sndinfo(snd_sid=5))
            await client.close()
            await asyncio.sleep(1)

    run()


# -- the peer is gone --


@virtual_time
async def test_an_association_that_is_lost_is_etimedout() -> None:
    """I02: "association dropped after too many retransmissions", for whoever waits and for whoever comes later."""
    config = aiosctp.Config(association_max_retrans=2, path_max_retrans=2)
    async with one_to_one_pair(config=config) as pair:
        reading = asyncio.create_task(pair.client.recv(10))
        await asyncio.sleep(1)
        pair.hosts.drop = lambda packet: True
        await pair.client.send(b"lost")
        with refused(errno.ETIMEDOUT):
            await reading
        for call in (lambda: pair.client.recv(10), lambda: pair.client.send(b"x")):
            with refused(errno.ETIMEDOUT):
                await call()


@virtual_time
async def test_an_abort_is_econnreset() -> None:
    """I03, D13: for every call from then on; what had not been read is gone with the association."""
    async with one_to_one_pair() as pair:
        await pair.server.send(b"before")
        pair.server.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        await asyncio.sleep(1)
        await pair.server.close()
        await asyncio.sleep(1)
        for call in (lambda: pair.client.recv(10), lambda: pair.client.send(b"x"), lambda: pair.client.recvv(10)):
            with refused(errno.ECONNRESET):
                await call()


@virtual_time
async def test_the_end_of_one_association_is_no_error_of_a_one_to_many_socket() -> None:
    """A14, I03: who reads goes on waiting; sending by the old id is EINVAL."""
    async with one_to_many_pair() as pair:
        reading = asyncio.create_task(pair.server.recvv(ENOUGH))
        await asyncio.sleep(1)
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT, snd_assoc_id=pair.client_id))
        await never_ends(reading)
        assert ids(pair.server) == ()
        with refused(errno.EINVAL):
            await pair.server.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=pair.server_id))
        other = pair.hosts.one_to_one()
        await other.connect(SERVER)
        await other.send(b"from another")
        assert (await reading).data == b"from another"


@virtual_time
async def test_the_end_is_empty_data_and_no_flags() -> None:
    """A01: after a graceful end `recv` returns b"", and recvv, recvmsg and sctp_recvmsg empty data with msg_flags 0."""
    async with one_to_one_pair() as pair:
        await pair.server.close()
        assert await pair.client.recv(10) == b""
        assert (await pair.client.recvfrom(10))[0] == b""
        data, ancdata, flags, _ = await pair.client.recvmsg(10)
        assert (data, list(ancdata), flags) == (b"", [], 0)
        received = await pair.client.recvv(10)
        assert (received.data, received.msg_flags) == (b"", 0)
        data, _, sinfo, flags = await pair.client.sctp_recvmsg(10)
        assert (data, sinfo, flags) == (b"", None, 0)


@virtual_time
async def test_sending_after_the_peers_shutdown_is_eshutdown() -> None:
    """I08: of a one-to-one socket, while the association lives and when it has ended."""
    async with one_to_one_pair() as pair:
        pair.hosts.drop = lambda packet: packet.source == SERVER_HOST and brings(packet, Data, IData)
        await pair.server.send(b"keeps it alive")
        pair.client.shutdown(sctp.SHUT_WR)
        await asyncio.sleep(1)
        for _ in range(2):
            with refused(errno.ESHUTDOWN):
                await pair.server.send(b"too late")
            pair.hosts.drop = lambda packet: False
            await asyncio.sleep(30)
        assert not pair.hosts.server.associations()


@virtual_time
async def test_a_send_that_waits_is_eshutdown_when_the_peer_shuts_down() -> None:
    """I08, X28: the waiting sender is woken and told, and its message is not half sent."""
    small = aiosctp.Config(send_buffer_bytes=3000, stream_send_buffer_bytes=3000)
    async with one_to_one_pair(config=small) as pair:
        pair.hosts.drop = lambda packet: packet.source == SERVER_HOST and brings(packet, Data, IData)
        taken = await fill(pair.server, pair.client.getsockname())
        waiting = asyncio.create_task(pair.server.send(b"waits"))
        await asyncio.sleep(0.5)
        pair.client.shutdown(sctp.SHUT_WR)
        with refused(errno.ESHUTDOWN):
            await waiting
        pair.hosts.drop = lambda packet: False
        for _ in range(taken):
            assert await pair.client.recv(ENOUGH) == bytes(1000)
        assert await pair.client.recv(ENOUGH) == b""


# -- addresses and ports --


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_a_taken_port_is_eaddrinuse(type: int) -> None:
    """I04: on the same address or a wildcard; free again after close, and another address's own."""
    async with SocketHosts(server_addresses=("192.0.2.2", "192.0.2.12")) as hosts:
        first, second = hosts.socket(type, hosts.server), hosts.socket(type, hosts.server)
        first.bind(("192.0.2.2", PORT))
        for host in ("192.0.2.2", "0.0.0.0"):
            with refused(errno.EADDRINUSE):
                second.bind((host, PORT))
        await first.close()
        second.bind(("192.0.2.2", PORT))
        second.listen(1)
        await hosts.one_to_one().connect(SERVER)


@virtual_time
async def test_an_address_that_is_not_ours_is_eaddrnotavail() -> None:
    """A05, I05: nothing is bound, and the socket can be bound rightly."""
    async with SocketHosts() as hosts:
        socket = hosts.one_to_one(hosts.server)
        with refused(errno.EADDRNOTAVAIL):
            socket.bind(("192.0.2.99", PORT))
        socket.bind(SERVER)
        socket.listen(1)
        await hosts.one_to_one().connect(SERVER)


WRONG_ADDRESSES: list[Any] = [
    None,
    7,
    b"192.0.2.2",
    ("192.0.2.2",),
    ("192.0.2.2", "7777"),
    ("192.0.2.2", -1),
    ("192.0.2.2", 65536),
    ("192.0.2.2", True),
    ("192.0.2.2", PORT, 0, 0, 0),
    (None, PORT),
]


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_a_wrong_peer_address_is_einval(address: Any, type: int) -> None:
    """I05: never ValueError or TypeError; nothing is sent or bound."""
    async with SocketHosts() as hosts:
        hosts.listening()
        socket = hosts.socket(type)
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: socket.connect(address),
            lambda: socket.connectx([address]),
            lambda: socket.sendto(b"x", 0, address),
        ]
        for call in calls:
            with refused(errno.EINVAL):
                await call()
        assert not hosts.log
        assert socket.getsockname()[1] == 0


@virtual_time
async def test_a_host_may_be_a_name_as_in_pythons_own_sockets() -> None:
    """A09, I05: it is looked up; a name that nobody knows is the look-up's error, and nothing is sent."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_one()
        for unknown in ("nowhere.example", "192.0.2.256"):
            with pytest.raises(standard.gaierror):
                await client.connect((unknown, PORT))
        assert not hosts.log
        await client.connect(("server", PORT))
        assert client.getpeername() == SERVER


@pytest.mark.parametrize("address", [("192.0.2.2", 0), ("0.0.0.0", PORT)])
@virtual_time
async def test_port_0_and_the_wildcard_are_no_peer(address: tuple[str, int]) -> None:
    """I05: "MUST NOT be used" as a port on the wire; a wildcard is no destination."""
    async with SocketHosts() as hosts:
        socket = hosts.one_to_one()
        with refused(errno.EINVAL):
            await socket.connect(address)
        assert not hosts.log


# -- sizes and streams --


@virtual_time
async def test_a_message_of_two_chunks_is_emsgsize_without_fragmentation() -> None:
    """I10: "send above PMTU fails instead of fragmenting"; nothing is queued, and what fits one chunk goes."""
    async with one_to_one_pair() as pair:
        pair.client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_DISABLE_FRAGMENTS, 1)
        point = pair.client.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_fragmentation_point
        with pytest.raises(OSError, match=f"{point} bytes, and has {point + 1}: .*SCTP_DISABLE_FRAGMENTS") as caught:
            await pair.client.send(bytes(point + 1))
        assert caught.value.errno == errno.EMSGSIZE
        await pair.client.send(bytes(point))
        assert len(await receive(pair.server)) == point
        assert len(pair.hosts.user_data()) == 1
        pair.client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_DISABLE_FRAGMENTS, 0)
        await pair.client.send(bytes(point + 1))
        assert len(await receive(pair.server)) == point + 1


@virtual_time
async def test_a_stream_out_of_range_is_einval() -> None:
    """I11: of every call that names one; nothing is queued."""
    async with one_to_one_pair(config=aiosctp.Config(outbound_streams=4)) as pair:
        client = pair.client
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: client.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_sid=4)),
            lambda: client.sctp_sendmsg(b"x", SERVER, 0, 0, 4, 0, 0),
            lambda: client.sctp_send(b"x", sctp.sctp_sndrcvinfo(sinfo_stream=4), 0),
            lambda: client.sctp_sendx(b"x", [SERVER], sctp.sctp_sndrcvinfo(sinfo_stream=4), 0),
        ]
        for call in calls:
            with refused(errno.EINVAL):
                await call()
        await asyncio.sleep(1)
        assert not pair.hosts.user_data()


@pytest.mark.parametrize("data", ["text", 7, None, [b"x"], {}])
@virtual_time
async def test_what_is_no_bytes_is_einval(data: Any) -> None:
    """I05: of send and sendto."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.send(data)
        with refused(errno.EINVAL):
            await pair.client.sendto(data, 0, SERVER)
        await asyncio.sleep(1)
        assert not pair.hosts.user_data()


@pytest.mark.parametrize("flags", [0x40000000, -1, "0", None])
@virtual_time
async def test_flags_that_mean_nothing_are_refused(flags: Any) -> None:
    """I05: of sends and reads: EINVAL or EOPNOTSUPP, rather than ignored."""
    async with one_to_one_pair() as pair:
        await pair.server.send(b"kept")
        await asyncio.sleep(1)
        for call in (
            lambda: pair.client.send(b"x", flags),
            lambda: pair.client.recv(10, flags),
            lambda: pair.client.recvv(10, flags),
        ):
            with pytest.raises(OSError, match=r".") as caught:
                await call()
            assert caught.value.errno in (errno.EINVAL, errno.EOPNOTSUPP)
        assert await receive(pair.client) == b"kept"
        assert not pair.hosts.user_data(CLIENT_HOST)


# -- options --


@virtual_time
async def test_bad_input_to_options() -> None:
    """I05: an unknown option is ENOPROTOOPT; a wrong type, an unknown association and a value out of range EINVAL; one
    that only tells ENOPROTOOPT."""
    async with one_to_many_pair() as pair:
        level = sctp.IPPROTO_SCTP
        for option in (99999, -1):
            with refused(errno.ENOPROTOOPT):
                pair.client.setsockopt(level, option, 1)
            with refused(errno.ENOPROTOOPT):
                pair.client.getsockopt(level, option)
        for option, value in (
            (sctp.SCTP_RTOINFO, 7),
            (sctp.SCTP_RTOINFO, b"\x00" * 16),
            (sctp.SCTP_RTOINFO, sctp.sctp_initmsg()),
            (sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_assoc_id=99, srto_min=100)),
            (sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_initial="1")),  # type: ignore[arg-type]  # wrong on purpose
            (sctp.SCTP_NODELAY, "1"),
            (sctp.SCTP_NODELAY, None),
            (sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=65536)),
            (sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, sctp.sctp_udpencaps(sue_port=0)),
            (sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, sctp.sctp_udpencaps(sue_port=65536)),
        ):
            with refused(errno.EINVAL):
                pair.client.setsockopt(level, option, value)
        with refused(errno.ENOPROTOOPT):
            pair.client.setsockopt(level, sctp.SCTP_STATUS, sctp.sctp_status())
        with refused(errno.ENOPROTOOPT):
            pair.client.setsockopt(12345, sctp.SCTP_NODELAY, 1)
        await pair.client.sendto(b"unharmed", 0, SERVER)
        assert await receive(pair.server) == b"unharmed"


@virtual_time
async def test_what_needs_asconf_is_eopnotsupp() -> None:
    """I07: SCTP_SET_PEER_PRIMARY_ADDR, as the peer does not speak it."""
    async with one_to_one_pair(client_addresses=("192.0.2.1", "192.0.2.11")) as pair:
        address = ("192.0.2.11", pair.client.getsockname()[1])
        with refused(errno.EOPNOTSUPP):
            pair.client.setsockopt(
                sctp.IPPROTO_SCTP, sctp.SCTP_SET_PEER_PRIMARY_ADDR, sctp.sctp_setpeerprim(sspp_addr=address)
            )


@pytest.mark.parametrize("wrong", ["3", 3.0, None, [], bytearray(b"3"), {}], ids=repr)
@virtual_time
async def test_an_association_id_that_is_no_int_is_einval(wrong: Any) -> None:
    """I05: whatever it equals, and whether it has a hash."""
    async with one_to_many_pair() as pair:
        calls: list[Callable[[], Any]] = [
            lambda: pair.client.getpaddrs(wrong),
            lambda: pair.client.getladdrs(wrong),
            lambda: pair.client.peeloff(wrong),
            lambda: pair.client.opt_info(wrong, sctp.SCTP_STATUS),
        ]
        for call in calls:
            with refused(errno.EINVAL):
                call()
        assert ids(pair.client) == (pair.client_id,)


@pytest.mark.parametrize("kind", [None, "2", [], {}], ids=repr)
@virtual_time
async def test_the_type_of_an_ancillary_item_is_an_int(kind: Any) -> None:
    """I05: else EINVAL, and nothing is sent."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, kind, sctp.sctp_sndinfo())])
        await asyncio.sleep(1)
        assert not pair.hosts.user_data()


# -- the stack is closed --


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_a_socket_of_a_closed_stack_raises_oserror_and_can_be_closed(type: int) -> None:
    """X28: no call opens or binds anything any more: ENETDOWN."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        fresh, connected = hosts.socket(type), hosts.socket(type)
        await connected.connect(SERVER)
        hosts.client.close()
        calls: list[Callable[[], Awaitable[Any] | None]] = [
            lambda: fresh.bind((CLIENT_HOST, 5555)),
            lambda: fresh.bindx([(CLIENT_HOST, 5555)], sctp.SCTP_BINDX_ADD_ADDR),
            lambda: fresh.listen(1),
            lambda: fresh.connect(SERVER),
            lambda: fresh.connectx([SERVER]),
            lambda: fresh.sendto(b"x", 0, SERVER),
            lambda: connected.sendto(b"x", 0, SERVER),
        ]
        for call in calls:
            with refused(errno.ENETDOWN):
                result = call()
                if result is not None:
                    await result
        for socket in (fresh, connected):
            await socket.close()
            with refused(errno.EBADF):
                await socket.recv(10)


@pytest.mark.parametrize("how", ["bound", "listening", "associated"])
@virtual_time
async def test_who_reads_a_one_to_many_socket_of_a_stack_that_is_closed_does_not_wait_for_ever(how: str) -> None:
    """X28: ENETDOWN, after all that was there to read."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        sock = hosts.socket(sctp.SOCK_SEQPACKET)
        if how == "associated":
            subscribe(sock, sctp.SCTP_ASSOC_CHANGE)
            await sock.connect(SERVER)
        else:
            sock.bind((CLIENT_HOST, 5555))
        if how == "listening":
            sock.listen()
        read: list[object] = []

        async def read_all() -> None:
            while True:
                read.append((await sock.recvv(100)).data)

        reading = asyncio.create_task(read_all())
        await asyncio.sleep(1)
        hosts.client.close()
        with refused(errno.ENETDOWN):
            await asyncio.wait_for(reading, 1)
        states = [told.sac_state for told in read if isinstance(told, sctp.sctp_assoc_change)]
        assert states == ([sctp.SCTP_COMM_UP, sctp.SCTP_COMM_LOST] if how == "associated" else [])
        with refused(errno.ENETDOWN):
            await sock.recvfrom(100)
