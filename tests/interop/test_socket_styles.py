"""Both styles of aiosctp.socket and usrsctp, each side connecting (RFC 6458 §3, §4)."""

from __future__ import annotations

import asyncio
import errno

import pytest

from aiosctp.socket import (
    AF_INET6,
    IPPROTO_SCTP,
    MSG_EOR,
    SCTP_ABORT,
    SCTP_ASSOC_CHANGE,
    SCTP_AUTOCLOSE,
    SCTP_COMM_LOST,
    SCTP_COMM_UP,
    SCTP_EOF,
    SCTP_I_WANT_MAPPED_V4_ADDR,
    SCTP_SENDALL,
    SCTP_SHUTDOWN_COMP,
    SCTP_SHUTDOWN_EVENT,
    SCTP_STATUS,
    SCTP_UNORDERED,
    SHUT_WR,
    Received,
    SCTPSocket,
    sctp_assoc_change,
    sctp_shutdown_event,
    sctp_sndinfo,
    sctp_status,
)
from tests.interop.pairs import CONNECTORS
from tests.interop.socket_pairs import (
    HOST,
    connected,
    message,
    notification,
    one_to_many,
    peer_is_at,
    set_up,
)
from tests.interop.usrsctp import SCTP_PORT, Usrsctp, free_udp_port


def _errno(number: int) -> str:
    """What an OSError with this number says first."""
    return rf"^\[Errno {number}\]"


def with_association_events(sock: SCTPSocket) -> None:
    set_up(sock, SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT)


# -- one to one --


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_one_to_one_echo(usrsctp: Usrsctp, connector: str) -> None:
    """A01, A36, D06, D11: stream, order, payload protocol identifier and edges go there and back."""
    async with connected(usrsctp, connector, echo=True) as (sock, peer):
        for stream, size, ppid, flags in ((0, 1, 0, 0), (3, 1000, 46, 0), (9, 50_000, 2**31, SCTP_UNORDERED)):
            data = bytes([stream]) * size
            info = sctp_sndinfo(snd_sid=stream, snd_ppid=ppid, snd_flags=flags)
            assert await sock.sendv(data, sndinfo=info) == size
            received = await message(sock)
            assert received.data == data
            assert received.msg_flags == MSG_EOR
            assert received.address is not None
            assert received.address[0] == HOST
            assert received.rcvinfo is not None
            assert (received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (stream, ppid)
            assert received.rcvinfo.rcv_flags & SCTP_UNORDERED == flags
        sock.shutdown(SHUT_WR)
        await peer.event("assoc_change", state="SHUTDOWN_COMP")
        assert await sock.recv(100) == b""


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_one_to_one_reads_what_came_before_the_peers_shutdown(usrsctp: Usrsctp, connector: str) -> None:
    """A21, C13, I08: then the end, and sending fails."""
    async with connected(usrsctp, connector, prepare=with_association_events) as (sock, peer):
        await peer.event("assoc_change", state="COMM_UP")
        for size in (10, 20_000):
            await peer.command("send", 1, size, 7)
        await peer.command("shutdown")
        assert [len((await message(sock)).data) for _ in range(2)] == [10, 20_000]
        await notification(sock, sctp_shutdown_event)
        assert (await notification(sock, sctp_assoc_change)).sac_state == SCTP_SHUTDOWN_COMP
        assert await sock.recv(100) == b""
        with pytest.raises(OSError, match=_errno(errno.ESHUTDOWN)):
            await sock.send(b"too late")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_one_to_one_reads_a_long_message_in_parts(usrsctp: Usrsctp, connector: str) -> None:
    """A41, D17: MSG_EOR comes with the last of them."""
    async with connected(usrsctp, connector, echo=True) as (sock, _):
        data = bytes(range(250)) * 400
        await sock.send(data)
        parts: list[Received] = []
        while not parts or not parts[-1].msg_flags & MSG_EOR:
            parts.append(await sock.recvv(1000))
        assert b"".join(part.data for part in parts) == data
        assert len(parts) >= 100
        assert [part.msg_flags for part in parts[:-1]] == [0] * (len(parts) - 1)


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_one_to_one_the_peers_abort_is_an_error(usrsctp: Usrsctp, connector: str) -> None:
    """C04, I02: COMM_LOST with its ABORT chunk, then ECONNRESET."""
    async with connected(usrsctp, connector, prepare=with_association_events) as (sock, peer):
        await peer.event("assoc_change", state="COMM_UP")
        await peer.command("abort", "enough")
        while (change := await notification(sock, sctp_assoc_change)).sac_state == SCTP_COMM_UP:
            pass
        assert change.sac_state == SCTP_COMM_LOST
        assert b"enough" in change.sac_info
        with pytest.raises(ConnectionResetError):
            await sock.recv(100)


# -- one to many --


async def test_one_to_many_opens_associations_by_sending(usrsctp: Usrsctp) -> None:
    """A02, A10, A11, D13, D14: to two peers from one socket; one is shut down by a flag, the other aborted."""
    async with one_to_many() as (sock, _):
        with_association_events(sock)
        peers, ids = [], []
        for number in range(2):
            peer_udp_port, port = free_udp_port(), SCTP_PORT + number
            peers.append(await usrsctp.server(udp_port=peer_udp_port, port=port, echo=True))
            peer_is_at(sock, peer_udp_port)
            question = b"to peer %d" % number
            await sock.sendv(question, [(HOST, port)], sndinfo=sctp_sndinfo(snd_sid=2, snd_ppid=46))
            up = await notification(sock, sctp_assoc_change)
            assert up.sac_state == SCTP_COMM_UP
            received = await message(sock)
            assert (received.data, received.address) == (question, (HOST, port))
            assert received.rcvinfo is not None
            assert received.rcvinfo.rcv_assoc_id == up.sac_assoc_id
            assert (received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (2, 46)
            ids.append(up.sac_assoc_id)
        assert len(set(ids)) == 2

        await sock.sendv(b"", sndinfo=sctp_sndinfo(snd_assoc_id=ids[0], snd_flags=SCTP_EOF))
        await peers[0].event("assoc_change", state="SHUTDOWN_COMP")
        end = await notification(sock, sctp_assoc_change)
        assert (end.sac_state, end.sac_assoc_id) == (SCTP_SHUTDOWN_COMP, ids[0])

        await sock.sendv(b"why", sndinfo=sctp_sndinfo(snd_assoc_id=ids[1], snd_flags=SCTP_ABORT))
        lost = await peers[1].event("assoc_change", state="COMM_LOST")
        assert b"why" in bytes.fromhex(lost["abort_chunk"])


async def test_one_to_many_takes_peers_without_accept(usrsctp: Usrsctp) -> None:
    """A02, D15, A29: one message to all of them, and one of them gets a socket of its own."""
    async with one_to_many() as (sock, udp_port):
        with_association_events(sock)
        sock.bind((HOST, SCTP_PORT))
        sock.listen(1)
        peers, ids = [], []
        for _ in range(3):
            peer = await usrsctp.client(udp_port=free_udp_port(), remote_udp_port=udp_port, echo=True)
            peers.append(peer)
            up = await notification(sock, sctp_assoc_change)
            assert up.sac_state == SCTP_COMM_UP
            ids.append(up.sac_assoc_id)

        await sock.sendv(b"to all", sndinfo=sctp_sndinfo(snd_sid=1, snd_flags=SCTP_SENDALL))
        answers = [await message(sock) for _ in peers]
        assert [answer.data for answer in answers] == [b"to all"] * 3
        assert sorted(answer.rcvinfo.rcv_assoc_id for answer in answers if answer.rcvinfo is not None) == ids

        async with sock.peeloff(ids[1]) as branch:
            await branch.send(b"to one")
            assert (await message(branch)).data == b"to one"
            with pytest.raises(OSError, match=_errno(errno.EINVAL)):
                sock.getsockopt(IPPROTO_SCTP, SCTP_STATUS, sctp_status(sstat_assoc_id=ids[1]))
        await peers[1].event("assoc_change", state="SHUTDOWN_COMP")
        await sock.sendv(b"", sndinfo=sctp_sndinfo(snd_assoc_id=ids[0], snd_flags=SCTP_EOF))
        await peers[0].event("assoc_change", state="SHUTDOWN_COMP")
    await peers[2].event("assoc_change", state="SHUTDOWN_COMP")  # the socket was closed


async def test_one_to_many_ends_who_is_idle(usrsctp: Usrsctp) -> None:
    """B08: by a graceful shutdown, a second after the last message."""
    async with one_to_many() as (sock, udp_port):
        with_association_events(sock)
        sock.setsockopt(IPPROTO_SCTP, SCTP_AUTOCLOSE, 1)
        sock.bind((HOST, SCTP_PORT))
        sock.listen(1)
        peer = await usrsctp.client(udp_port=free_udp_port(), remote_udp_port=udp_port)
        await peer.event("assoc_change", state="COMM_UP")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await peer.command("send", 0, 100, 0)
        await peer.event("assoc_change", state="SHUTDOWN_COMP")
        assert loop.time() - began >= 1


async def test_a_socket_of_ipv6_speaks_both_families(usrsctp: Usrsctp) -> None:
    """A03, B16, L01: an IPv4 peer has its own address, or a mapped one where the program wants that."""
    async with one_to_many(AF_INET6, HOST, "::1") as (sock, udp_port):
        with_association_events(sock)
        sock.bind(("::", SCTP_PORT))
        sock.listen(1)
        hosts = []
        for mapped, host in ((0, "::1"), (0, HOST), (1, HOST)):
            sock.setsockopt(IPPROTO_SCTP, SCTP_I_WANT_MAPPED_V4_ADDR, mapped)
            peer = await usrsctp.client(
                udp_port=free_udp_port(), remote_udp_port=udp_port, local=host, remote=host, echo=True
            )
            await peer.event("assoc_change", state="COMM_UP")
            await peer.command("send", 0, 100, 0)
            address = (await message(sock)).address
            assert address is not None
            hosts.append(address[0])
            await sock.sendv(b"hello", [address])
            assert (await message(sock)).data == b"hello"
            await peer.command("shutdown")
            await peer.event("assoc_change", state="SHUTDOWN_COMP")
        assert hosts == ["::1", HOST, f"::ffff:{HOST}"]
