"""States of associations and paths, the flags of SCTP_PEER_ADDR_PARAMS, and the fields of the option structures."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import (
    CookieEcho,
    Data,
    Heartbeat,
    HeartbeatAck,
    IData,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
)
from tests.socket.hosts import (
    CLIENT_HOST,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    one_to_one_pair,
    receive,
    refused,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

LEVEL = sctp.IPPROTO_SCTP


def state(socket: SCTPSocket) -> int:
    return int(socket.getsockopt(LEVEL, sctp.SCTP_STATUS).sstat_state)


# -- states of associations --


@virtual_time
async def test_a_socket_without_an_association_is_closed_bound_or_listening() -> None:
    """D23: what SCTP_STATUS tells of a one-to-one socket before it has a peer, and what it then takes in."""
    async with SocketHosts() as hosts:
        socket = hosts.one_to_one(hosts.server)
        assert state(socket) == sctp.SCTP_CLOSED
        socket.bind(SERVER)
        assert state(socket) == sctp.SCTP_BOUND
        socket.listen(1)
        assert state(socket) == sctp.SCTP_LISTEN
        await hosts.one_to_one().connect(SERVER)


@virtual_time
async def test_the_states_of_an_association_as_it_opens() -> None:
    """D23: COOKIE_WAIT until the INIT ACK, COOKIE_ECHOED until the COOKIE ACK, then ESTABLISHED."""
    async with SocketHosts() as hosts:
        hosts.listening()
        client = hosts.one_to_one()
        client.setblocking(False)
        hosts.drop = lambda packet: brings(packet, InitAck)
        with pytest.raises(BlockingIOError):
            await client.connect(SERVER)
        assert state(client) == sctp.SCTP_COOKIE_WAIT
        hosts.drop = lambda packet: brings(packet, CookieEcho)
        await asyncio.sleep(2)
        assert state(client) == sctp.SCTP_COOKIE_ECHOED
        hosts.drop = lambda packet: False
        await asyncio.sleep(10)
        assert state(client) == sctp.SCTP_ESTABLISHED


@virtual_time
async def test_the_states_of_an_association_as_it_shuts_down() -> None:
    """D23: PENDING while data is outstanding, SENT; RECEIVED and ACK_SENT at the peer; BOUND and CLOSED at the end."""
    async with one_to_one_pair() as pair:
        pair.hosts.drop = lambda packet: brings(packet, Data, IData)
        await pair.client.send(b"outstanding")
        await pair.server.send(b"outstanding too")
        pair.client.shutdown(sctp.SHUT_WR)
        assert state(pair.client) == sctp.SCTP_SHUTDOWN_PENDING
        pair.hosts.drop = lambda packet: brings(packet, Data, IData) and packet.source == SERVER_HOST
        await asyncio.sleep(5)
        assert state(pair.client) == sctp.SCTP_SHUTDOWN_SENT
        assert state(pair.server) == sctp.SCTP_SHUTDOWN_RECEIVED
        pair.hosts.drop = lambda packet: brings(packet, ShutdownAck)
        await asyncio.sleep(20)
        assert state(pair.server) == sctp.SCTP_SHUTDOWN_ACK_SENT
        pair.hosts.drop = lambda packet: False
        await asyncio.sleep(60)
        assert not pair.hosts.server.associations()
        assert pair.hosts.said(Shutdown)
        assert pair.hosts.said(ShutdownComplete)
        assert (state(pair.client), state(pair.server)) == (sctp.SCTP_BOUND, sctp.SCTP_CLOSED)


# -- states of paths --


@virtual_time
async def test_the_states_of_a_path() -> None:
    """D24: UNCONFIRMED until its HEARTBEAT is answered, ACTIVE, INACTIVE when nothing is any more, and ACTIVE again."""
    config = aiosctp.Config(path_max_retrans=1, hb_interval_s=1)
    async with one_to_one_pair(server_addresses=("192.0.2.2", "192.0.2.12"), config=config) as pair:

        def path_state(host: str) -> int:
            asked = sctp.sctp_paddrinfo(spinfo_address=(host, PORT))
            return int(pair.client.getsockopt(LEVEL, sctp.SCTP_GET_PEER_ADDR_INFO, asked).spinfo_state)

        assert path_state("192.0.2.2") == sctp.SCTP_ACTIVE
        assert path_state("192.0.2.12") == sctp.SCTP_UNCONFIRMED
        await asyncio.sleep(2)
        assert path_state("192.0.2.12") == sctp.SCTP_ACTIVE
        pair.hosts.network.partition(pair.hosts.client_host, "192.0.2.12")
        await asyncio.sleep(30)
        assert path_state("192.0.2.12") == sctp.SCTP_INACTIVE
        pair.hosts.log.clear()
        await pair.client.sendmsg([b"x"], address=("192.0.2.12", PORT))
        assert await receive(pair.server) == b"x"
        pair.hosts.network.heal()
        await asyncio.sleep(60)
        assert path_state("192.0.2.12") == sctp.SCTP_ACTIVE


# -- the flags of a path --


def set_path(socket: SCTPSocket, flags: int, address: tuple[str, int] | None = None, **more: int) -> None:
    params = sctp.sctp_paddrparams(spp_flags=flags, spp_address=address, **more)
    socket.setsockopt(LEVEL, sctp.SCTP_PEER_ADDR_PARAMS, params)


def heartbeats(hosts: SocketHosts) -> dict[str, int]:
    """By where the client sent them."""
    found = {"192.0.2.2": 0, "192.0.2.12": 0}
    for packet in hosts.log:
        if packet.source == CLIENT_HOST and brings(packet, Heartbeat):
            found[packet.destination] += 1
    return found


@virtual_time
async def test_heartbeats_are_switched_off_and_on() -> None:
    """D19: SPP_HB_DISABLE and SPP_HB_ENABLE, of one path or of all; SPP_HB_DEMAND sends one now."""
    config = aiosctp.Config(hb_interval_s=1)
    async with one_to_one_pair(server_addresses=("192.0.2.2", "192.0.2.12"), config=config) as pair:
        hosts, client = pair.hosts, pair.client
        await asyncio.sleep(5)
        set_path(client, sctp.SPP_HB_DISABLE, ("192.0.2.12", PORT))
        await asyncio.sleep(5)
        hosts.log.clear()
        await asyncio.sleep(20)
        beats = heartbeats(hosts)
        assert beats["192.0.2.2"] > 3
        assert beats["192.0.2.12"] == 0
        set_path(client, sctp.SPP_HB_DISABLE)
        await asyncio.sleep(5)
        hosts.log.clear()
        await asyncio.sleep(20)
        assert heartbeats(hosts) == {"192.0.2.2": 0, "192.0.2.12": 0}
        set_path(client, sctp.SPP_HB_DEMAND, ("192.0.2.12", PORT))
        await asyncio.sleep(0.5)
        assert heartbeats(hosts) == {"192.0.2.2": 0, "192.0.2.12": 1}
        set_path(client, sctp.SPP_HB_ENABLE)
        await asyncio.sleep(5)
        hosts.log.clear()
        await asyncio.sleep(20)
        assert min(heartbeats(hosts).values()) > 3


@virtual_time
async def test_a_heartbeat_interval_of_zero_needs_its_flag() -> None:
    """D19: "To set an actual value of zero, the SPP_HB_TIME_IS_ZERO flag should be used"; 0 alone changes nothing."""
    async with one_to_one_pair() as pair:
        await asyncio.sleep(5)
        set_path(pair.client, sctp.SPP_HB_ENABLE, spp_hbinterval=0)
        pair.hosts.log.clear()
        await asyncio.sleep(20)
        assert heartbeats(pair.hosts)["192.0.2.2"] <= 1
        set_path(pair.client, sctp.SPP_HB_ENABLE | sctp.SPP_HB_TIME_IS_ZERO)
        await asyncio.sleep(31)
        pair.hosts.log.clear()
        await asyncio.sleep(20)
        assert heartbeats(pair.hosts)["192.0.2.2"] > 8


@virtual_time
async def test_path_mtu_discovery_is_switched_off_and_on() -> None:
    """D20: SPP_PMTUD_DISABLE with spp_pathmtu: no packet is larger; SPP_PMTUD_ENABLE: they grow again."""
    async with one_to_one_pair() as pair:

        async def largest() -> int:
            pair.hosts.log.clear()
            await pair.client.send(bytes(200_000))
            assert len(await receive(pair.server)) == 200_000
            await asyncio.sleep(1)
            return max(len(packet.data) for packet in pair.hosts.log if brings(packet, Data, IData))

        set_path(pair.client, sctp.SPP_PMTUD_DISABLE, spp_pathmtu=1000)
        assert await largest() <= 1012
        assert pair.client.getsockopt(LEVEL, sctp.SCTP_STATUS).sstat_primary.spinfo_mtu == 1000
        set_path(pair.client, sctp.SPP_PMTUD_ENABLE, spp_pathmtu=999)
        await asyncio.sleep(60)
        await largest()
        assert await largest() > 1012


@virtual_time
async def test_the_sack_delay_is_switched_off() -> None:
    """D21: SPP_SACKDELAY_* is gone, SCTP_DELAYED_SACK has taken its place: a frequency of 1 acknowledges at once."""
    async with one_to_one_pair() as pair:

        async def acknowledged_after_s() -> float:
            pair.hosts.network.passages.clear()
            await pair.client.send(b"x")
            await asyncio.sleep(1)
            sent, answered = pair.hosts.network.passages
            assert brings(answered.packet, Sack)
            return round(answered.sent_at_s - sent.sent_at_s, 3)

        assert await acknowledged_after_s() == 0.01  # the first is, in any case
        assert await acknowledged_after_s() == 0.21
        pair.server.setsockopt(LEVEL, sctp.SCTP_DELAYED_SACK, sctp.sctp_sack_info(sack_freq=1))
        assert await acknowledged_after_s() == 0.01


# -- the structures --

STRUCTURES = {
    "sctp_rtoinfo": "srto_assoc_id srto_initial srto_max srto_min",
    "sctp_assocparams": "sasoc_assoc_id sasoc_asocmaxrxt sasoc_number_peer_destinations sasoc_peer_rwnd"
    " sasoc_local_rwnd sasoc_cookie_life",
    "sctp_initmsg": "sinit_num_ostreams sinit_max_instreams sinit_max_attempts sinit_max_init_timeo",
    "sctp_setprim": "ssp_assoc_id ssp_addr",
    "sctp_setpeerprim": "sspp_assoc_id sspp_addr",
    "sctp_setadaptation": "ssb_adaptation_ind",
    "sctp_paddrparams": "spp_assoc_id spp_address spp_hbinterval spp_pathmaxrxt spp_pathmtu spp_flags"
    " spp_ipv6_flowlabel spp_dscp",
    "sctp_paddrinfo": "spinfo_assoc_id spinfo_address spinfo_state spinfo_cwnd spinfo_srtt spinfo_rto spinfo_mtu",
    "sctp_status": "sstat_assoc_id sstat_state sstat_rwnd sstat_unackdata sstat_penddata sstat_instrms sstat_outstrms"
    " sstat_fragmentation_point sstat_primary",
    "sctp_authchunks": "gauth_assoc_id gauth_number_of_chunks gauth_chunks",
    "sctp_authkey": "sca_assoc_id sca_keynumber sca_keylength sca_key",
    "linger": "l_onoff l_linger",
    "sctp_event_subscribe": "sctp_data_io_event sctp_association_event sctp_address_event sctp_send_failure_event"
    " sctp_peer_error_event sctp_shutdown_event sctp_partial_delivery_event sctp_adaptation_layer_event"
    " sctp_authentication_event sctp_sender_dry_event",
    "sctp_sndinfo": "snd_sid snd_flags snd_ppid snd_context snd_assoc_id",
    "sctp_rcvinfo": "rcv_sid rcv_ssn rcv_flags rcv_ppid rcv_tsn rcv_cumtsn rcv_context rcv_assoc_id",
    "sctp_nxtinfo": "nxt_sid nxt_flags nxt_ppid nxt_length nxt_assoc_id",
    "sctp_prinfo": "pr_policy pr_value",
    "sctp_authinfo": "auth_keynumber",
    "sctp_sndrcvinfo": "sinfo_stream sinfo_ssn sinfo_flags sinfo_ppid sinfo_context sinfo_timetolive sinfo_tsn"
    " sinfo_cumtsn sinfo_assoc_id",
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_has_the_fields_of_the_rfc_each_with_a_default(name: str) -> None:
    """D22: by name and by position as in C, mutable, and made from nothing or from any of its fields."""
    structure: Callable[[], Any] = getattr(sctp, name)
    names = STRUCTURES[name].split()
    assert [field.name for field in fields(structure())][: len(names)] == names
    empty = structure()
    for field in names:
        default = getattr(empty, field)
        assert default in (0, None, (), b"") or is_dataclass(default), field
        setattr(empty, field, default)
    assert replace(empty) == structure()


@virtual_time
async def test_the_structures_set_what_the_wire_then_shows() -> None:
    """D22: several of them on one socket: streams, timeouts, adaptation and heartbeats as they said."""
    async with SocketHosts(server_addresses=("192.0.2.2", "192.0.2.12")) as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        for option, value in (
            (sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo(srto_initial=500, srto_max=2000, srto_min=500)),
            (sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_asocmaxrxt=3)),
            (sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=9)),
            (sctp.SCTP_ADAPTATION_LAYER, sctp.sctp_setadaptation(ssb_adaptation_ind=77)),
            (sctp.SCTP_PEER_ADDR_PARAMS, sctp.sctp_paddrparams(spp_pathmaxrxt=1, spp_flags=sctp.SPP_HB_DISABLE)),
        ):
            client.setsockopt(LEVEL, option, value)
        listener.setsockopt(LEVEL, sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_adaptation_layer_event=1))
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        event = (await server.recvv(1000)).data
        assert isinstance(event, sctp.sctp_adaptation_event)
        assert event.sai_adaptation_ind == 77
        status = client.getsockopt(LEVEL, sctp.SCTP_STATUS)
        assert (status.sstat_outstrms, status.sstat_state) == (9, sctp.SCTP_ESTABLISHED)
        assert status.sstat_primary.spinfo_address == SERVER
        await asyncio.sleep(3)
        client.setsockopt(LEVEL, sctp.SCTP_PRIMARY_ADDR, sctp.sctp_setprim(ssp_addr=("192.0.2.12", PORT)))
        hosts.log.clear()
        await client.send(b"x")
        assert await receive(server) == b"x"
        assert hosts.log[0].destination == "192.0.2.12"
        hosts.log.clear()
        await asyncio.sleep(100)
        assert not hosts.said(HeartbeatAck, SERVER_HOST)
        hosts.drop = lambda packet: packet.source == CLIENT_HOST
        began = asyncio.get_running_loop().time()
        await client.send(b"lost")
        with refused(errno.ETIMEDOUT):
            await client.recv(10)
        # Four timeouts of 0.5, 1, 2 and 2 s at most: three retransmissions were not acknowledged.
        assert asyncio.get_running_loop().time() - began < 6
