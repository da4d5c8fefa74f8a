"""The calls that `sendv` and `recvv` replace (RFC 6458 §9.7, §9.8, §9.10, §9.11)."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import CookieEcho, Data, IData, Init, Shutdown
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
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

DATA_IO = sctp.sctp_event_subscribe(sctp_data_io_event=1)


# -- sctp_sendmsg --


@virtual_time
async def test_sctp_sendmsg_says_all_in_its_arguments() -> None:
    """A32: address, ppid, flags and stream are in the chunk."""
    async with one_to_many_pair() as pair:
        assert await pair.client.sctp_sendmsg(b"old", SERVER, 46, sctp.SCTP_UNORDERED, 7, 0, 0) == 3
        assert await receive(pair.server) == b"old"
        (chunk,) = pair.hosts.user_data(CLIENT_HOST)
        assert (chunk.ppid, chunk.unordered, chunk.stream) == (46, True, 7)


@virtual_time
async def test_sctp_sendmsg_opens_an_association() -> None:
    """A32, A12: with the data on the third leg, on sockets of both styles."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        for client in (hosts.one_to_many(), hosts.one_to_one()):
            hosts.log.clear()
            await client.sctp_sendmsg(b"first", SERVER, 0, 0, 0, 0, 0)
            assert await receive(server) == b"first"
            assert any(brings(packet, CookieEcho) and brings(packet, Data, IData) for packet in hosts.log)


@virtual_time
async def test_time_to_live_and_context_of_sctp_sendmsg() -> None:
    """A32, D07, D08: milliseconds, after which the message comes back with its context."""
    async with one_to_many_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        began = asyncio.get_running_loop().time()
        await pair.client.sctp_sendmsg(b"stale", SERVER, 0, 0, 0, 400, 99)
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        assert 0.4 <= asyncio.get_running_loop().time() - began < 2
        assert (failed.ssfe_data, failed.ssfe_info.snd_context) == (b"stale", 99)


@virtual_time
async def test_a_policy_may_be_ored_into_the_flags_of_sctp_sendmsg() -> None:
    """A32: as with FreeBSD: SCTP_PR_SCTP_RTX and the number of retransmissions."""
    async with one_to_many_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        await pair.client.sctp_sendmsg(b"twice", SERVER, 0, sctp.SCTP_PR_SCTP_RTX, 0, 1, 0)
        await notification(pair.client, sctp.sctp_send_failed_event)
        assert len(pair.hosts.user_data(CLIENT_HOST)) == 2


# -- sctp_recvmsg --


@virtual_time
async def test_sctp_recvmsg_fills_sinfo_when_data_io_events_are_on() -> None:
    """A33: "the caller must enable the sctp_data_io_event"; sinfo is None before."""
    async with one_to_many_pair(config=aiosctp.Config(interleaving=False)) as pair:
        address = (CLIENT_HOST, pair.client.getsockname()[1])
        for number, on in enumerate((False, True)):
            if on:
                pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENTS, DATA_IO)
            await pair.client.sctp_sendmsg(b"x", SERVER, 46, 0, 7, 0, 0)
            data, source, sinfo, flags = await pair.server.sctp_recvmsg(ENOUGH)
            assert (data, source, flags) == (b"x", address, sctp.MSG_EOR)
            assert (sinfo is not None) is on
            if sinfo is not None:
                chunk = pair.hosts.user_data(CLIENT_HOST)[-1]
                assert (sinfo.sinfo_stream, sinfo.sinfo_ssn, sinfo.sinfo_ppid) == (7, number, 46)
                assert (sinfo.sinfo_tsn, sinfo.sinfo_assoc_id) == (chunk.tsn, pair.server_id)


@virtual_time
async def test_sctp_recvmsg_reads_in_parts_and_notifications() -> None:
    """A33, D17: msg_flags says which."""
    async with one_to_one_pair() as pair:
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT)
        await pair.client.send(b"0123456789")
        await pair.client.close()
        got = [await pair.server.sctp_recvmsg(6) for _ in range(2)]
        assert [(data, flags) for data, _, _, flags in got] == [(b"012345", 0), (b"6789", sctp.MSG_EOR)]
        data, _, sinfo, flags = await pair.server.sctp_recvmsg(ENOUGH)
        assert isinstance(data, sctp.sctp_shutdown_event)
        assert (sinfo, flags) == (None, sctp.MSG_NOTIFICATION | sctp.MSG_EOR)
        data, _, _, flags = await pair.server.sctp_recvmsg(ENOUGH)
        assert (data, flags) == (b"", 0)


# -- sctp_send --


@virtual_time
async def test_sctp_send_takes_a_sndrcvinfo() -> None:
    """A34: stream, ppid, flags and association id."""
    async with one_to_many_pair() as pair:
        sinfo = sctp.sctp_sndrcvinfo(
            sinfo_stream=3, sinfo_ppid=4, sinfo_flags=sctp.SCTP_UNORDERED, sinfo_assoc_id=pair.client_id
        )
        assert await pair.client.sctp_send(b"abc", sinfo, 0) == 3
        assert await receive(pair.server) == b"abc"
        (chunk,) = pair.hosts.user_data(CLIENT_HOST)
        assert (chunk.stream, chunk.ppid, chunk.unordered) == (3, 4, True)


@virtual_time
async def test_sctp_send_of_nothing_with_eof_closes() -> None:
    """A34, D14: "In such a case, len can be zero." """
    async with one_to_many_pair() as pair:
        sinfo = sctp.sctp_sndrcvinfo(sinfo_flags=sctp.SCTP_EOF, sinfo_assoc_id=pair.client_id)
        assert await pair.client.sctp_send(b"", sinfo, 0) == 0
        await asyncio.sleep(1)
        assert pair.hosts.said(Shutdown)
        assert ids(pair.client) == ids(pair.server) == ()


@virtual_time
async def test_sctp_send_of_nothing_without_eof_is_refused() -> None:
    """A34, I11: an empty message is one here too, and an unknown id is EINVAL."""
    async with one_to_many_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sctp_send(b"", sctp.sctp_sndrcvinfo(sinfo_assoc_id=pair.client_id), 0)
        with refused(errno.EINVAL):
            await pair.client.sctp_send(b"x", sctp.sctp_sndrcvinfo(sinfo_assoc_id=99), 0)
        assert not pair.hosts.user_data()


# -- sctp_sendx --


@virtual_time
async def test_sctp_sendx_opens_an_association_with_a_list() -> None:
    """A35: all addresses are tried, and the new id is in the structure afterwards."""
    async with SocketHosts(server_addresses=("192.0.2.2", "192.0.2.12")) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        hosts.network.partition(hosts.client_host, "192.0.2.2")
        client = hosts.one_to_many()
        sinfo = sctp.sctp_sndrcvinfo(sinfo_stream=2, sinfo_ppid=3)
        assert await client.sctp_sendx(b"x", [SERVER, ("192.0.2.12", PORT)], sinfo, 0) == 1
        assert await receive(server) == b"x"
        assert (sinfo.sinfo_assoc_id,) == ids(client)
        assert {packet.destination for packet in hosts.log if brings(packet, Init)} == {"192.0.2.2", "192.0.2.12"}
        assert [(chunk.stream, chunk.ppid) for chunk in hosts.user_data(CLIENT_HOST)][:1] == [(2, 3)]


@virtual_time
async def test_sctp_sendx_ends_an_association() -> None:
    """A35, D14: "sinfo_flags to SCTP_EOF and the sinfo.sinfo_assoc_id to the association"."""
    async with one_to_many_pair() as pair:
        sinfo = sctp.sctp_sndrcvinfo(sinfo_flags=sctp.SCTP_EOF, sinfo_assoc_id=pair.client_id)
        await pair.client.sctp_sendx(b"", [SERVER], sinfo, 0)
        await asyncio.sleep(1)
        assert ids(pair.client) == ids(pair.server) == ()


@pytest.mark.parametrize("sinfo", [7, sctp.sctp_sndinfo()])
@virtual_time
async def test_a_wrong_sinfo_is_einval(sinfo: sctp.sctp_sndrcvinfo) -> None:
    """A34, A35, I05: and nothing is sent."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sctp_send(b"x", sinfo, 0)
        with refused(errno.EINVAL):
            await pair.client.sctp_sendx(b"x", [SERVER], sinfo, 0)
        assert not pair.hosts.user_data()


@virtual_time
async def test_old_and_new_calls_mix() -> None:
    """A32-A36: the old calls are other spellings of the same sending and receiving."""
    async with one_to_many_pair() as pair:
        await pair.client.sctp_sendmsg(b"0", SERVER, 0, 0, 1, 0, 0)
        await pair.client.sendv(b"1", sndinfo=sctp.sctp_sndinfo(snd_sid=1, snd_assoc_id=pair.client_id))
        await pair.client.sctp_send(b"2", sctp.sctp_sndrcvinfo(sinfo_stream=1, sinfo_assoc_id=pair.client_id), 0)
        await pair.client.sendmsg([b"3"], address=SERVER)
        got = [(await pair.server.sctp_recvmsg(10))[0], await receive(pair.server)]
        got += [(await pair.server.recvmsg(10))[0], (await pair.server.recvfrom(10))[0]]
        assert got == [b"0", b"1", b"2", b"3"]
