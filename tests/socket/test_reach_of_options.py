"""Whom an option reaches (RFC 6458 §7.2, §8): an address, an association, those to come, those that live, or all."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import Heartbeat, Init
from tests.socket.hosts import (
    CLIENT_HOST,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    ids,
    one_to_many_pair,
    one_to_one_pair,
    refused,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

LEVEL = sctp.IPPROTO_SCTP


def heartbeats_to(hosts: SocketHosts, destination: str) -> int:
    return sum(
        packet.source == CLIENT_HOST and packet.destination == destination and brings(packet, Heartbeat)
        for packet in hosts.log
    )


def beat_every(socket: SCTPSocket, milliseconds: int, *, assoc_id: int = 0, address: str | None = None) -> None:
    params = sctp.sctp_paddrparams(
        spp_assoc_id=assoc_id,
        spp_address=None if address is None else (address, PORT),
        spp_hbinterval=milliseconds,
        spp_flags=sctp.SPP_HB_ENABLE,
    )
    socket.setsockopt(LEVEL, sctp.SCTP_PEER_ADDR_PARAMS, params)


@virtual_time
async def test_an_address_wins_over_the_association() -> None:
    """A25: SCTP_PEER_ADDR_PARAMS with an address changes that path, as its HEARTBEATs show, and no other."""
    async with one_to_one_pair(server_addresses=("192.0.2.2", "192.0.2.12")) as pair:
        await asyncio.sleep(2)
        beat_every(pair.client, 1000, address="192.0.2.12")
        pair.hosts.log.clear()
        await asyncio.sleep(28)
        assert heartbeats_to(pair.hosts, "192.0.2.12") > 8
        assert heartbeats_to(pair.hosts, "192.0.2.2") <= 1


@virtual_time
async def test_an_association_wins_over_the_endpoint() -> None:
    """A25: with an id all paths of that association, and not those of another."""
    async with SocketHosts() as hosts:
        hosts.listening()
        hosts.listening(port=PORT + 1)
        client = hosts.one_to_many()
        first = await client.connectx([SERVER])
        await client.connectx([(SERVER_HOST, PORT + 1)])
        await asyncio.sleep(2)
        beat_every(client, 1000, assoc_id=first)
        hosts.log.clear()
        await asyncio.sleep(28)
        beats = [packet.data[2:4] for packet in hosts.log if packet.source == CLIENT_HOST and brings(packet, Heartbeat)]
        assert beats.count(PORT.to_bytes(2)) > 8
        assert beats.count((PORT + 1).to_bytes(2)) <= 1


@virtual_time
async def test_without_either_the_default_of_those_to_come_is_meant() -> None:
    """A25: id 0 on a one-to-many socket is SCTP_FUTURE_ASSOC: what lives keeps what it has."""
    async with SocketHosts() as hosts:
        hosts.listening()
        hosts.listening(port=PORT + 1)
        client = hosts.one_to_many()
        await client.connectx([SERVER])
        beat_every(client, 1000)
        await client.connectx([(SERVER_HOST, PORT + 1)])
        await asyncio.sleep(2)
        hosts.log.clear()
        await asyncio.sleep(28)
        beats = [packet.data[2:4] for packet in hosts.log if packet.source == CLIENT_HOST and brings(packet, Heartbeat)]
        assert beats.count(PORT.to_bytes(2)) <= 1
        assert beats.count((PORT + 1).to_bytes(2)) > 8


@pytest.mark.parametrize(
    ("assoc_id", "reaches_the_living", "reaches_the_future"),
    [
        (sctp.SCTP_FUTURE_ASSOC, False, True),
        (sctp.SCTP_CURRENT_ASSOC, True, False),
        (sctp.SCTP_ALL_ASSOC, True, True),
    ],
)
@virtual_time
async def test_the_three_constants(assoc_id: int, reaches_the_living: bool, reaches_the_future: bool) -> None:
    """A24, A25: seen in the stream that the next message of each goes on by default."""
    async with SocketHosts() as hosts:
        hosts.listening()
        hosts.listening(port=PORT + 1)
        client = hosts.one_to_many()
        living = await client.connectx([SERVER])
        info = sctp.sctp_sndinfo(snd_assoc_id=assoc_id, snd_sid=9)
        client.setsockopt(LEVEL, sctp.SCTP_DEFAULT_SNDINFO, info)
        future = await client.connectx([(SERVER_HOST, PORT + 1)])
        assert list(ids(client)) == [living, future]
        for number in range(2):
            await client.sendto(b"x", 0, (SERVER_HOST, PORT + number))
        await asyncio.sleep(1)
        streams = [chunk.stream for chunk in hosts.user_data(CLIENT_HOST)]
        assert streams == [9 if reaches_the_living else 0, 9 if reaches_the_future else 0]


@virtual_time
async def test_socket_options_reach_every_association() -> None:
    """A24: "for one-to-many style sockets, the options will be applied to all associations": SO_LINGER 0 aborts
    both."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        client = hosts.one_to_many()
        await client.connect(SERVER)
        client.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        other = hosts.listening(port=PORT + 1)
        await client.connect((SERVER_HOST, PORT + 1))
        servers = [await hosts.accept(listener), await hosts.accept(other)]
        await client.close()
        for server in servers:
            with refused(errno.ECONNRESET):
                await server.recv(10)


@virtual_time
async def test_a_one_to_one_socket_ignores_the_id() -> None:
    """A25: "For the one-to-one style sockets ... this association ID parameter is ignored." """
    async with one_to_one_pair() as pair:
        await asyncio.sleep(2)
        beat_every(pair.client, 1000, assoc_id=4711)
        pair.hosts.log.clear()
        await asyncio.sleep(28)
        assert heartbeats_to(pair.hosts, SERVER_HOST) > 8


@virtual_time
async def test_an_option_set_before_connect_holds_for_the_association() -> None:
    """A24: of a one-to-one socket: the INIT carries it."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_one()
        client.setsockopt(LEVEL, sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=3, sinit_max_instreams=4))
        await client.connect(SERVER)
        (init,) = hosts.said(Init)
        assert (init.outbound_streams, init.inbound_streams) == (3, 4)


# -- opt_info --


@virtual_time
async def test_opt_info_asks_about_the_association_that_it_is_given() -> None:
    """A26: "any association identifier in the structure provided as arg is ignored, and id takes precedence"."""
    async with SocketHosts() as hosts:
        hosts.listening()
        hosts.listening(port=PORT + 1)
        client = hosts.one_to_many()
        first = await client.connectx([SERVER])
        second = await client.connectx([(SERVER_HOST, PORT + 1)])
        for assoc_id, port in ((first, PORT), (second, PORT + 1)):
            status = client.opt_info(assoc_id, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=first + second))
            assert status.sstat_assoc_id == assoc_id
            assert status.sstat_state == sctp.SCTP_ESTABLISHED
            assert status.sstat_primary.spinfo_address == (SERVER_HOST, port)


@virtual_time
async def test_opt_info_sets_nothing_and_refuses_what_it_cannot_tell() -> None:
    """A26: "SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC cannot be used with sctp_opt_info() or in getsockopt() calls"."""
    async with one_to_many_pair() as pair:
        asked = sctp.sctp_rtoinfo(srto_initial=7777)
        told = pair.client.opt_info(pair.client_id, sctp.SCTP_RTOINFO, asked)
        assert told.srto_initial == 1000
        for assoc_id in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            with refused(errno.EINVAL):
                pair.client.opt_info(assoc_id, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo())
            with refused(errno.EINVAL):
                pair.client.getsockopt(LEVEL, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_assoc_id=assoc_id))
        with refused(errno.ENOPROTOOPT):
            pair.client.opt_info(pair.client_id, 99999, None)


@virtual_time
async def test_opt_info_about_those_to_come() -> None:
    """A26: "SCTP_FUTURE_ASSOC can be used to query information for future associations": what the next one has."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_many()
        client.setsockopt(LEVEL, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_initial=2000))
        future = client.opt_info(sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo())
        assert future.srto_initial == 2000
        assoc_id = await client.connectx([SERVER])
        told = client.opt_info(assoc_id, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo())
        assert (told.srto_assoc_id, told.srto_initial) == (assoc_id, 2000)


@virtual_time
async def test_opt_info_by_address() -> None:
    """A26: "this call can be used to translate an address into an association identifier"."""
    async with SocketHosts() as hosts:
        hosts.listening()
        hosts.listening(port=PORT + 1)
        client = hosts.one_to_many()
        found = [await client.connectx([(SERVER_HOST, PORT + number)]) for number in range(2)]
        for number, assoc_id in enumerate(found):
            asked = sctp.sctp_paddrinfo(spinfo_address=(SERVER_HOST, PORT + number))
            told = client.getsockopt(LEVEL, sctp.SCTP_GET_PEER_ADDR_INFO, asked)
            assert told.spinfo_assoc_id == assoc_id
        with refused(errno.EINVAL):
            client.getsockopt(
                LEVEL, sctp.SCTP_GET_PEER_ADDR_INFO, sctp.sctp_paddrinfo(spinfo_address=("192.0.2.99", PORT))
            )


# -- who may do what --


@virtual_time
async def test_the_rto_is_not_loosened_beyond_50_ms() -> None:
    """A45: "should not be able to set protocol parameters that could result in the congestion control algorithm being
    more aggressive": 50 ms is taken, and retransmits then; less is EINVAL, and changes nothing."""
    async with one_to_one_pair() as pair:
        for refused_ms in (49, 1):
            with refused(errno.EINVAL):
                pair.client.setsockopt(LEVEL, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_min=refused_ms))
        assert pair.client.getsockopt(LEVEL, sctp.SCTP_RTOINFO).srto_min == 1000
        pair.client.setsockopt(LEVEL, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_min=50))
        for number in range(40):  # until the round trips are measured
            await pair.client.send(b"%d" % number)
            await asyncio.sleep(1)
        pair.hosts.log.clear()
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        await pair.client.send(b"lost")
        await asyncio.sleep(0.5)
        assert len(pair.hosts.user_data(CLIENT_HOST)) >= 2
