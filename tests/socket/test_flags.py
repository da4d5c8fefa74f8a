"""The flags of sends (RFC 6458 §5.3.4): UNORDERED, ADDR_OVER, ABORT, EOF, SENDALL."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Abort, Data, IData, Init, Shutdown
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SocketHosts,
    both_ends_quiet,
    brings,
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


def flagged(flags: int, assoc_id: int = 0) -> sctp.sctp_sndinfo:
    return sctp.sctp_sndinfo(snd_flags=flags, snd_assoc_id=assoc_id)


# -- UNORDERED --


@virtual_time
async def test_an_unordered_message_overtakes() -> None:
    """D11: it is delivered although an ordered one of its stream is missing; the receiver sees the flag."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        lost: list[Packet] = []

        def lose_the_first(packet: Packet) -> bool:
            if brings(packet, Data, IData) and not lost:
                lost.append(packet)
                return True
            return False

        pair.hosts.drop = lose_the_first
        await pair.client.send(b"ordered and lost once")
        await asyncio.sleep(0.1)
        await pair.client.send(b"ordered")
        await pair.client.sendv(b"unordered", sndinfo=flagged(sctp.SCTP_UNORDERED))
        got = []
        for _ in range(3):
            received = await pair.server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            got.append((received.data, received.rcvinfo.rcv_flags))
        assert got == [
            (b"unordered", sctp.SCTP_UNORDERED),
            (b"ordered and lost once", 0),
            (b"ordered", 0),
        ]


# -- ADDR_OVER --


@virtual_time
async def test_addr_over_sends_to_the_address_that_is_given() -> None:
    """D12: "override the primary destination address with the address found with the sendto/sendmsg call"; without it
    the address only names the association."""
    async with one_to_many_pair(server_addresses=("192.0.2.2", "192.0.2.12")) as pair:
        await asyncio.sleep(2)
        for flags, destination in ((0, "192.0.2.2"), (sctp.SCTP_ADDR_OVER, "192.0.2.12")):
            pair.hosts.log.clear()
            await pair.client.sendmsg(
                [b"x"], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, flagged(flags))], address=("192.0.2.12", PORT)
            )
            assert await receive(pair.server) == b"x"
            assert {packet.destination for packet in pair.hosts.log if brings(packet, Data, IData)} == {destination}


@virtual_time
async def test_addr_over_with_sendv_and_an_id() -> None:
    """D12, A36: "it can provide the specific address in the addrs parameter and ... SCTP_ADDR_OVER"."""
    async with one_to_many_pair(server_addresses=("192.0.2.2", "192.0.2.12")) as pair:
        await asyncio.sleep(2)
        pair.hosts.log.clear()
        await pair.client.sendv(b"x", [("192.0.2.12", PORT)], sndinfo=flagged(sctp.SCTP_ADDR_OVER, pair.client_id))
        assert await receive(pair.server) == b"x"
        assert {packet.destination for packet in pair.hosts.log if brings(packet, Data, IData)} == {"192.0.2.12"}


# -- ABORT --


@virtual_time
async def test_abort_carries_cause_12_and_the_users_bytes() -> None:
    """D13: of that association alone, on a one-to-many socket; the peer reads ECONNRESET."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = await hosts.clients(2)
        first, second = (client.getsockname() for client in clients)
        await server.sendmsg(
            [b"go ", b"away"], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, flagged(sctp.SCTP_ABORT))], address=first
        )
        with refused(errno.ECONNRESET):
            await clients[0].recv(100)
        (abort,) = hosts.said(Abort)
        assert [(int(cause.code), cause.data) for cause in abort.causes] == [(12, b"go away")]
        assert len(ids(server)) == 1
        await server.sendto(b"you stay", 0, second)
        assert await clients[1].recv(100) == b"you stay"


@virtual_time
async def test_abort_needs_no_bytes_and_works_on_a_one_to_one_socket() -> None:
    """D13: an empty cause 12; the socket is then dead: ECONNRESET for reads, nothing more on the wire."""
    async with one_to_one_pair() as pair:
        assert await pair.client.sendv(b"", sndinfo=flagged(sctp.SCTP_ABORT)) == 0
        with refused(errno.ECONNRESET):
            await pair.server.recv(100)
        (abort,) = pair.hosts.said(Abort)
        assert [(int(cause.code), cause.data) for cause in abort.causes] == [(12, b"")]
        assert both_ends_quiet(pair.hosts)
        with pytest.raises(OSError, match=r"."):
            await pair.client.send(b"x")


@virtual_time
async def test_abort_drops_what_was_queued() -> None:
    """D13: unlike EOF: messages that are not acknowledged come back as failed."""
    async with one_to_many_pair() as pair:
        subscribe(pair.client, sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: brings(packet, Data, IData)
        await pair.client.sendto(b"never delivered", 0, SERVER)
        await pair.client.sendv(b"", sndinfo=flagged(sctp.SCTP_ABORT, pair.client_id))
        change = await notification(pair.client, sctp.sctp_assoc_change)
        assert change.sac_state == sctp.SCTP_COMM_LOST
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        assert failed.ssfe_data == b"never delivered"


# -- EOF --


@virtual_time
async def test_eof_shuts_one_association_down() -> None:
    """D14: gracefully, with what was queued; the others of the socket go on; SHUTDOWN_COMP tells when it is over."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        subscribe(server, sctp.SCTP_ASSOC_CHANGE)
        clients = [hosts.one_to_one() for _ in range(2)]
        found = []
        for client in clients:
            await client.connect(SERVER)
            found.append((await notification(server, sctp.sctp_assoc_change)).sac_assoc_id)
        for number in range(10):
            await server.sendv(b"%d" % number, sndinfo=flagged(0, found[0]))
        assert await server.sendv(b"", sndinfo=flagged(sctp.SCTP_EOF, found[0])) == 0
        assert [await clients[0].recv(10) for _ in range(11)] == [b"%d" % number for number in range(10)] + [b""]
        change = await notification(server, sctp.sctp_assoc_change)
        assert (change.sac_state, change.sac_assoc_id) == (sctp.SCTP_SHUTDOWN_COMP, found[0])
        assert hosts.said(Shutdown)
        assert not hosts.said(Abort)
        await server.sendv(b"you stay", sndinfo=flagged(0, found[1]))
        assert await clients[1].recv(100) == b"you stay"


@virtual_time
async def test_eof_may_come_with_the_last_message() -> None:
    """D14: it is sent, and then the association ends; afterwards sending is ESHUTDOWN."""
    async with one_to_many_pair() as pair:
        pair.hosts.drop = lambda packet: brings(packet, Shutdown)
        assert await pair.client.sendv(b"last", sndinfo=flagged(sctp.SCTP_EOF, pair.client_id)) == 4
        with refused(errno.ESHUTDOWN):
            await pair.client.sendv(b"one more", sndinfo=flagged(0, pair.client_id))
        assert await receive(pair.server) == b"last"
        pair.hosts.drop = lambda packet: False
        await asyncio.sleep(30)
        assert both_ends_quiet(pair.hosts)


@virtual_time
async def test_eof_is_not_for_opening() -> None:
    """D14, L04: "should not be set ... when the call is used to initiate a connection": EINVAL, and nothing is sent."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        with refused(errno.EINVAL):
            await client.sendv(b"x", [SERVER], sndinfo=flagged(sctp.SCTP_EOF))
        assert not hosts.log


# -- SENDALL --


async def some_clients(hosts: SocketHosts, number: int) -> list[SCTPSocket]:
    clients = await hosts.clients(number)
    await asyncio.sleep(1)
    return clients


@virtual_time
async def test_sendall_sends_to_every_association() -> None:
    """D15: "send the message to all associations that are currently established on this socket", and to no other."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = await some_clients(hosts, 4)
        peeled = hosts.own(server.peeloff(ids(server)[3]))
        info = sctp.sctp_sndinfo(snd_sid=3, snd_ppid=46, snd_flags=sctp.SCTP_SENDALL)
        assert await server.sendv(b"to all", sndinfo=info) == 6
        for client in clients[:3]:
            switch_on(client, sctp.SCTP_RECVRCVINFO)
            received = await client.recvv(ENOUGH)
            assert received.rcvinfo is not None
            assert (received.data, received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (b"to all", 3, 46)
        clients[3].setblocking(False)
        await asyncio.sleep(1)
        with refused(errno.EAGAIN):
            await clients[3].recv(10)
        await peeled.send(b"for you")


@virtual_time
async def test_sendall_skips_what_is_shutting_down() -> None:
    """D15: only established associations get it; none is no error."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = await some_clients(hosts, 2)
        hosts.drop = lambda packet: brings(packet, Shutdown)
        await server.sendv(b"", sndinfo=flagged(sctp.SCTP_EOF, ids(server)[0]))
        await asyncio.sleep(0.1)
        await server.sendv(b"to all", sndinfo=flagged(sctp.SCTP_SENDALL))
        assert await clients[1].recv(100) == b"to all"
        hosts.drop = lambda packet: False
        assert await clients[0].recv(100) == b""


@virtual_time
async def test_sendall_has_no_effect_on_a_one_to_one_socket() -> None:
    """D15: "For the one-to-one style socket, this flag has no effect": the message goes to the one peer."""
    async with one_to_one_pair() as pair:
        await pair.client.sendv(b"to one", sndinfo=flagged(sctp.SCTP_SENDALL))
        assert await receive(pair.server) == b"to one"


@virtual_time
async def test_the_old_names_of_the_flags_do_the_same() -> None:
    """D11, D13-D15: MSG_UNORDERED, MSG_ADDR_OVER, MSG_ABORT, MSG_EOF and MSG_SENDALL in the old structure."""
    async with one_to_many_pair(config=aiosctp.Config(interleaving=False)) as pair:

        def old(flags: int) -> list[tuple[int, int, sctp.sctp_sndrcvinfo]]:
            info = sctp.sctp_sndrcvinfo(sinfo_flags=flags, sinfo_assoc_id=pair.client_id)
            return [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDRCV, info)]

        await pair.client.sendmsg([b"u"], old(sctp.MSG_UNORDERED))
        await pair.client.sendmsg([b"s"], old(sctp.MSG_SENDALL))
        assert [await receive(pair.server) for _ in range(2)] == [b"u", b"s"]
        assert [chunk.unordered for chunk in pair.hosts.user_data(CLIENT_HOST)] == [True, False]
        await pair.client.sendmsg([], old(sctp.MSG_EOF))
        await asyncio.sleep(1)
        assert both_ends_quiet(pair.hosts)
        assert not pair.hosts.said(Abort)


@pytest.mark.parametrize("flags", [0x8000, 0x10000, -1, "flags", None])
@virtual_time
async def test_unknown_flags_are_einval_and_send_nothing(flags: int) -> None:
    """D04, I05: rather than ignored."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_flags=flags))
        await pair.client.send(b"first")
        assert await receive(pair.server) == b"first"
        assert len(pair.hosts.said(Init)) == 1
