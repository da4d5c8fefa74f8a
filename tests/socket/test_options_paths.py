"""Options of paths: SCTP_PRIMARY_ADDR, SCTP_PEER_ADDR_PARAMS, SCTP_GET_PEER_ADDR_INFO, SCTP_REMOTE_UDP_ENCAPS_PORT."""

from __future__ import annotations

import asyncio
import errno
from itertools import pairwise
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Link
from aiosctp.wire.chunks import Heartbeat, Init
from tests.socket.on_the_wire import USER_DATA, chunk_bytes, forget, sent
from tests.socket.pairs import (
    SERVER,
    TWO_ADDRESSES,
    Prepare,
    connected,
    data,
    ids,
    many,
    notification,
    one_to_many,
    one_to_one,
    setting,
    subscribed,
)
from tests.socket.refusals import get_is_refused, refused, set_is_refused
from tests.surface.two_hosts import DELAY_S, PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
SECOND = ("192.0.2.3", PORT)


def params(**fields: Any) -> sctp.sctp_paddrparams:
    return sctp.sctp_paddrparams(**{f"spp_{name}": value for name, value in fields.items()})


def path_params(**fields: Any) -> Prepare:
    return setting(sctp.SCTP_PEER_ADDR_PARAMS, params(**fields))


def read_params(sock: SCTPSocket, address: tuple[str, int] | None = None, assoc_id: int = 0) -> sctp.sctp_paddrparams:
    value = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, params(address=address, assoc_id=assoc_id))
    assert isinstance(value, sctp.sctp_paddrparams)
    return value


def info(sock: SCTPSocket, address: tuple[str, int] = SERVER, assoc_id: int = 0) -> sctp.sctp_paddrinfo:
    value = sctp.sctp_paddrinfo(spinfo_address=address, spinfo_assoc_id=assoc_id)
    read = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_GET_PEER_ADDR_INFO, value)
    assert isinstance(read, sctp.sctp_paddrinfo)
    return read


def heartbeats(hosts: TwoHosts, host: str = "192.0.2.2") -> list[float]:
    """When the client has sent one to this address of the server."""
    return [each.at_s for each in sent(hosts, "client", Heartbeat) if each.destination == host]


def gaps(at_s: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(at_s)]


# -- SCTP_PRIMARY_ADDR --


def setprim(address: Any, assoc_id: int = 0) -> sctp.sctp_setprim:
    return sctp.sctp_setprim(ssp_assoc_id=assoc_id, ssp_addr=address)


async def confirmed(sock: SCTPSocket) -> None:
    """Wait until the second address has answered, too."""
    await asyncio.sleep(10)
    assert info(sock, SECOND).spinfo_state == sctp.SCTP_ACTIVE


@virtual_time
async def test_data_goes_to_the_primary_address_that_was_chosen() -> None:
    """B10, C09: SCTP_PRIMARY_ADDR (RFC 6458 §8.1.9), told by SCTP_ADDR_MADE_PRIM."""
    events = subscribed(sctp.SCTP_PEER_ADDR_CHANGE)
    async with connected(client=events, server_addresses=TWO_ADDRESSES) as (hosts, ours, theirs):
        await confirmed(ours)
        assert (await notification(ours)).spc_state == sctp.SCTP_ADDR_CONFIRMED
        for chosen in (SECOND, SERVER):
            forget(hosts)
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PRIMARY_ADDR, setprim(chosen))
            change = await notification(ours)
            assert (change.spc_state, change.spc_aaddr) == (sctp.SCTP_ADDR_MADE_PRIM, chosen)
            await ours.send(b"hello")
            assert await data(theirs) == b"hello"
            assert {each.destination for each in sent(hosts, "client", *USER_DATA)} == {chosen[0]}
            assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_PRIMARY_ADDR).ssp_addr == chosen
            status = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS)
            assert status.sstat_primary.spinfo_address == ours.getpeername() == chosen


@virtual_time
async def test_only_a_confirmed_address_of_the_peer_can_be_the_primary() -> None:
    """B10, I05: "The enclosed address must be one of the association peer's addresses"; "No wildcard"."""
    async with connected(server_addresses=TWO_ADDRESSES) as (_, ours, _):
        assert info(ours, SECOND).spinfo_state == sctp.SCTP_UNCONFIRMED
        for wrong in (SECOND, ("192.0.2.9", PORT), ("192.0.2.2", PORT + 1), None, ("0.0.0.0", 0), 7, "nowhere"):
            set_is_refused(ours, sctp.SCTP_PRIMARY_ADDR, setprim(wrong))
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_PRIMARY_ADDR).ssp_addr == SERVER


@virtual_time
async def test_the_primary_address_is_of_one_association() -> None:
    """B10, A25: "the special sctp_assoc_t SCTP_{FUTURE|ALL|CURRENT}_ASSOC are not allowed"."""
    async with many(server_addresses=TWO_ADDRESSES) as (_, ours, _, assoc_id):
        await asyncio.sleep(10)
        for wrong in (sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            set_is_refused(ours, sctp.SCTP_PRIMARY_ADDR, setprim(SECOND, wrong))
            get_is_refused(ours, sctp.SCTP_PRIMARY_ADDR, setprim(None, wrong))
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PRIMARY_ADDR, setprim(SECOND, assoc_id))
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_PRIMARY_ADDR, setprim(None, assoc_id)).ssp_addr == SECOND


# -- SCTP_PEER_ADDR_PARAMS: heartbeats --


@virtual_time
async def test_heartbeats_come_at_the_interval_that_was_said() -> None:
    """B13: spp_hbinterval in milliseconds, besides the RTO, which has a jitter of half of it (RFC 9260 §8.3)."""
    enable = path_params(flags=sctp.SPP_HB_ENABLE, hbinterval=5000)
    async with connected(client=enable) as (hosts, ours, _):
        await asyncio.sleep(60)
        found = gaps(heartbeats(hosts))
        assert len(found) >= 8
        assert all(5.5 <= gap <= 6.6 for gap in found)
        assert read_params(ours).spp_hbinterval == 5000


@virtual_time
async def test_heartbeats_are_disabled_and_enabled() -> None:
    """B13, D19: SPP_HB_DISABLE and SPP_HB_ENABLE; both together are refused, and so is a word."""
    async with connected(client=path_params(flags=sctp.SPP_HB_DISABLE)) as (hosts, ours, _):
        await asyncio.sleep(200)
        assert heartbeats(hosts) == []
        assert read_params(ours).spp_flags & sctp.SPP_HB_DISABLE
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, params(flags=sctp.SPP_HB_ENABLE))
        await asyncio.sleep(100)
        assert len(heartbeats(hosts)) >= 2
        assert read_params(ours).spp_flags & sctp.SPP_HB_ENABLE
        both = sctp.SPP_HB_ENABLE | sctp.SPP_HB_DISABLE
        set_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, params(flags=both))
        set_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, params(flags="SPP_HB_ENABLE"))


@virtual_time
async def test_an_interval_of_0_needs_its_flag() -> None:
    """B13: 0 is "left unchanged"; "To set an actual value of zero, the SPP_HB_TIME_IS_ZERO flag should be used"."""
    async with connected(client=path_params(flags=sctp.SPP_HB_ENABLE, hbinterval=0)) as (hosts, ours, _):
        assert read_params(ours).spp_hbinterval == 30_000
        flags = sctp.SPP_HB_ENABLE | sctp.SPP_HB_TIME_IS_ZERO
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, params(flags=flags))
        await asyncio.sleep(60)
        forget(hosts)
        await asyncio.sleep(20)
        assert 13 <= len(heartbeats(hosts)) <= 40  # an RTO of one second apart, half more or less


@virtual_time
async def test_an_interval_without_the_flag_is_ignored() -> None:
    """B13: "unless the spp_flags field is set to SPP_HB_ENABLE, the value of this field is ignored"."""
    async with connected(client=path_params(hbinterval=5000)) as (hosts, ours, _):
        assert read_params(ours).spp_hbinterval == 30_000
        await asyncio.sleep(100)
        assert len(heartbeats(hosts)) <= 4


@virtual_time
async def test_a_heartbeat_on_demand_goes_at_once() -> None:
    """B13: SPP_HB_DEMAND; "must not be used in conjunction with a wildcard address"."""
    async with connected() as (hosts, ours, _):
        await asyncio.sleep(3)
        demand = sctp.SPP_HB_DEMAND
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, params(flags=demand, address=SERVER))
        now = hosts.client.now()
        await asyncio.sleep(1)
        assert heartbeats(hosts) == [now]
        set_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, params(flags=demand))
        await asyncio.sleep(1)
        assert heartbeats(hosts) == [now]


@virtual_time
async def test_what_is_said_of_one_path_leaves_the_other() -> None:
    """B13, A25: an address names one path; it wins over the association, and that over the socket."""
    async with many(server_addresses=TWO_ADDRESSES) as (hosts, ours, _, assoc_id):
        await asyncio.sleep(10)
        of_path = params(flags=sctp.SPP_HB_ENABLE, hbinterval=5000, address=SECOND, assoc_id=assoc_id)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, of_path)
        future = params(flags=sctp.SPP_HB_ENABLE, hbinterval=7000)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, future)
        assert read_params(ours, SERVER, assoc_id).spp_hbinterval == 30_000
        assert read_params(ours, SECOND, assoc_id).spp_hbinterval == 5000
        assert read_params(ours, None, sctp.SCTP_FUTURE_ASSOC).spp_hbinterval == 7000
        await asyncio.sleep(40)
        forget(hosts)
        await asyncio.sleep(60)
        assert len(heartbeats(hosts)) <= 3
        assert len(heartbeats(hosts, SECOND[0])) >= 8
        for address, which in ((SECOND, 99), (("192.0.2.9", PORT), assoc_id), (None, sctp.SCTP_CURRENT_ASSOC)):
            wrong = params(flags=sctp.SPP_HB_DISABLE, address=address, assoc_id=which)
            set_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, wrong)
            get_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, wrong)


# -- SCTP_PEER_ADDR_PARAMS: retransmissions --


@pytest.mark.parametrize(("maxrxt", "is_inactive"), [(1, True), (0, False)])
@virtual_time
async def test_a_path_is_inactive_after_as_many_retransmissions_as_were_said(maxrxt: int, is_inactive: bool) -> None:
    """B13, C09: spp_pathmaxrxt is Path.Max.Retrans (RFC 9260 §8.2); 0 leaves it at 5; told by
    SCTP_ADDR_UNREACHABLE."""
    events = subscribed(sctp.SCTP_PEER_ADDR_CHANGE)
    async with connected(client=events) as (hosts, ours, _):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, params(pathmaxrxt=maxrxt, address=SERVER))
        assert read_params(ours, SERVER).spp_pathmaxrxt == maxrxt or 5
        hosts.drop = lambda packet: True
        await ours.send(b"lost")
        began = hosts.client.now()
        await asyncio.sleep(5)
        assert info(ours).spinfo_state == (sctp.SCTP_INACTIVE if is_inactive else sctp.SCTP_ACTIVE)
        if is_inactive:
            change = await notification(ours)
            assert (change.spc_state, change.spc_aaddr) == (sctp.SCTP_ADDR_UNREACHABLE, SERVER)
            assert hosts.client.now() - began == 5
            hosts.drop = lambda packet: False
            assert (await notification(ours)).spc_state == sctp.SCTP_ADDR_AVAILABLE


# -- SCTP_PEER_ADDR_PARAMS: the path MTU --


def fixed(size: int, **fields: Any) -> Prepare:
    return path_params(flags=sctp.SPP_PMTUD_DISABLE, pathmtu=size, **fields)


async def largest(hosts: TwoHosts, by: str, sender: SCTPSocket, receiver: SCTPSocket) -> int:
    """How much the chunks of the largest packet take when there is a lot to send."""
    forget(hosts)
    await sender.send(bytes(50_000))
    assert len(await data(receiver)) == 50_000
    return max(chunk_bytes(each.packet) for each in sent(hosts, by, *USER_DATA))


@pytest.mark.parametrize("size", [1468, 1200, 600])
@virtual_time
async def test_a_fixed_path_mtu_is_exact_on_the_wire(size: int) -> None:
    """B13, D20: SPP_PMTUD_DISABLE and spp_pathmtu, "the number of bytes available in an SCTP packet for chunks"."""
    async with connected(client=fixed(size), server=fixed(size)) as (hosts, ours, theirs):
        # 1468 bytes of chunks, SCTP's header and UDP's and IP's are 1508.
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(delay_s=DELAY_S, mtu=9000))
        for by, sender, receiver in (("client", ours, theirs), ("server", theirs, ours)):
            assert await largest(hosts, by, sender, receiver) == size
            assert read_params(sender).spp_pathmtu == size
            assert read_params(sender).spp_flags & sctp.SPP_PMTUD_DISABLE
            status = sender.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS)
            assert status.sstat_primary.spinfo_mtu == size
            assert status.sstat_fragmentation_point == size - 16


@virtual_time
async def test_a_path_mtu_of_one_path_is_fixed_in_life() -> None:
    """B13, A25: by address, the other path keeps its own."""
    async with connected(server_addresses=TWO_ADDRESSES) as (hosts, ours, theirs):
        await confirmed(ours)
        before = info(ours, SECOND).spinfo_mtu
        fixed(1000, address=SERVER)(ours)
        assert await largest(hosts, "client", ours, theirs) == 1000
        assert (info(ours).spinfo_mtu, info(ours, SECOND).spinfo_mtu) == (1000, before)


@virtual_time
async def test_discovery_that_is_switched_on_again_finds_the_larger_mtu() -> None:
    """B13: "If SPP_PMTUD_ENABLE is set in the spp_flags field, the spp_pathmtu field is ignored"."""
    async with connected(client=fixed(600)) as (hosts, ours, theirs):
        assert await largest(hosts, "client", ours, theirs) == 600
        enable = params(flags=sctp.SPP_PMTUD_ENABLE, pathmtu=700, address=SERVER)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, enable)
        for _ in range(5):
            found = await largest(hosts, "client", ours, theirs)
            await asyncio.sleep(30)
        assert found > 1400


@virtual_time
async def test_parameters_that_are_set_as_they_were_read_leave_what_was_found_out() -> None:
    """B13: as programs do that read the structure, change one field and set it: the path MTU that was found stays, and
    no heartbeat is put off."""
    async with connected() as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        for _ in range(100):
            await ours.send(bytes(20_000))
            await data(theirs)
        found = info(ours).spinfo_mtu
        assert found > 8000
        forget(hosts)
        for address in (None, SERVER) * 10:
            read = read_params(ours, address)
            read.spp_pathmaxrxt += 1
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, read)
            assert info(ours).spinfo_mtu == found
            await asyncio.sleep(5)
        assert len(heartbeats(hosts)) >= 2


@virtual_time
async def test_a_path_mtu_that_cannot_be_or_contradicts_itself_changes_nothing() -> None:
    """B13, I05: EINVAL."""
    async with connected(client=fixed(1200)) as (_, ours, _):
        both = sctp.SPP_PMTUD_DISABLE | sctp.SPP_PMTUD_ENABLE
        for wrong in (
            params(flags=both, pathmtu=1000),
            params(flags=sctp.SPP_PMTUD_DISABLE, pathmtu=10),
            params(flags=sctp.SPP_PMTUD_DISABLE, pathmtu=70_000),
            params(flags=sctp.SPP_PMTUD_DISABLE, pathmtu=-1),
            params(flags=sctp.SPP_PMTUD_DISABLE, pathmtu="1000"),
            params(flags=sctp.SPP_HB_ENABLE, hbinterval=-1),
            params(flags=sctp.SPP_HB_ENABLE, hbinterval=2**32),
            params(pathmaxrxt=65536),
            params(flags=2**31),
            params(address="nowhere at all"),
            params(address=(7, "x")),
            # Half of it could be done, and nothing is.
            params(flags=sctp.SPP_PMTUD_DISABLE, pathmtu=1000, pathmaxrxt=-1),
        ):
            set_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, wrong)
        assert info(ours).spinfo_mtu == 1200
        assert read_params(ours).spp_pathmaxrxt == 5


@pytest.mark.parametrize(
    ("flag", "fields"),
    [("SPP_IPV6_FLOWLABEL", {"ipv6_flowlabel": 7}), ("SPP_DSCP", {"dscp": 0x20})],
)
@virtual_time
async def test_what_is_not_done_for_a_path_is_refused_and_not_ignored(flag: str, fields: dict[str, int]) -> None:
    """B13: no accepted-and-ignored parameters: a flow label or a DSCP is EOPNOTSUPP."""
    async with connected() as (_, ours, _):
        wrong = params(flags=getattr(sctp, flag), **fields)
        set_is_refused(ours, sctp.SCTP_PEER_ADDR_PARAMS, wrong, errno.EOPNOTSUPP)
        assert not read_params(ours).spp_flags & getattr(sctp, flag)


# -- SCTP_GET_PEER_ADDR_INFO --


@virtual_time
async def test_a_path_tells_its_state_its_times_and_its_mtu() -> None:
    """B34, D24: milliseconds, bytes, and bytes for chunks (RFC 6458 §8.2.2)."""
    async with connected(server_addresses=TWO_ADDRESSES) as (hosts, ours, theirs):
        assert info(ours, SECOND).spinfo_state == sctp.SCTP_UNCONFIRMED
        await ours.send(bytes(20_000))
        assert len(await data(theirs)) == 20_000
        await asyncio.sleep(1)
        first = info(ours)
        assert (first.spinfo_state, first.spinfo_address) == (sctp.SCTP_ACTIVE, SERVER)
        assert first.spinfo_srtt == pytest.approx(2000 * DELAY_S, abs=1)
        assert first.spinfo_rto == 1000
        assert first.spinfo_cwnd >= 4380
        assert first.spinfo_mtu == max(chunk_bytes(each.packet) for each in sent(hosts, "client", *USER_DATA)) == 1460
        hosts.drop = lambda packet: True
        await ours.send(b"lost")
        await asyncio.sleep(1.5)
        assert info(ours).spinfo_rto == 2000
        assert info(ours).spinfo_cwnd < first.spinfo_cwnd


@virtual_time
async def test_an_address_is_translated_into_an_association() -> None:
    """B34: "this call can be used to translate an address into an association identifier"."""
    async with many() as (hosts, ours, theirs, assoc_id):
        assert info(ours).spinfo_assoc_id == assoc_id
        assert info(ours, SERVER, assoc_id).spinfo_assoc_id == assoc_id
        async with one_to_many(hosts) as other:
            other_id = await other.connectx([SERVER])
            assert info(other).spinfo_assoc_id == other_id
            get_is_refused(ours, sctp.SCTP_GET_PEER_ADDR_INFO, sctp.sctp_paddrinfo(spinfo_address=("192.0.2.9", PORT)))
            for wrong in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
                value = sctp.sctp_paddrinfo(spinfo_address=SERVER, spinfo_assoc_id=wrong)
                get_is_refused(ours, sctp.SCTP_GET_PEER_ADDR_INFO, value)
            # "if the address does not belong to the association specified, then this call will fail"
            client = ids(theirs)[0]
            mixed = sctp.sctp_paddrinfo(spinfo_address=SERVER, spinfo_assoc_id=client)
            get_is_refused(theirs, sctp.SCTP_GET_PEER_ADDR_INFO, mixed)
        set_is_refused(ours, sctp.SCTP_GET_PEER_ADDR_INFO, info(ours), errno.ENOPROTOOPT)


# -- SCTP_REMOTE_UDP_ENCAPS_PORT --


def encaps(port: Any, address: tuple[str, int] | None = None, assoc_id: int = 0) -> sctp.sctp_udpencaps:
    return sctp.sctp_udpencaps(sue_assoc_id=assoc_id, sue_address=address, sue_port=port)


@virtual_time
async def test_the_remote_udp_port_is_where_the_first_packet_goes() -> None:
    """RFC 6951 §6.1: SCTP_REMOTE_UDP_ENCAPS_PORT before connect; 9899 where nothing was said; an int in host order."""
    async with TwoHosts() as hosts:
        for port in (None, 20_000):
            forget(hosts)
            async with one_to_one(hosts) as sock:
                if port is not None:
                    sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(port))
                    assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT).sue_port == port
                sock.setblocking(False)
                with refused(errno.EINPROGRESS):
                    await sock.connect(SERVER)
                await asyncio.sleep(0.005)
                (init,) = sent(hosts, "client", Init)
                assert init.packet.destination_port == (port or 9899)


@virtual_time
async def test_the_remote_udp_port_of_one_address_is_not_that_of_others() -> None:
    """RFC 6951 §6.1: sue_address: before connect, and for the INIT too."""
    async with TwoHosts(server_addresses=TWO_ADDRESSES) as hosts:
        for address in (SERVER, SECOND):
            forget(hosts)
            async with one_to_one(hosts) as sock:
                sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(20_000, SERVER))
                sock.setblocking(False)
                with refused(errno.EINPROGRESS):
                    await sock.connect(address)
                await asyncio.sleep(0.005)
                (init,) = sent(hosts, "client", Init)
                assert init.packet.destination_port == (20_000 if address == SERVER else 9899)


@virtual_time
async def test_the_remote_udp_port_of_one_path_is_changed_in_life() -> None:
    """RFC 6951 §6.1: per address after connect, and read per address."""
    async with connected(server_addresses=TWO_ADDRESSES) as (hosts, ours, _):
        await confirmed(ours)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(20_000, SECOND))
        ports = [
            ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(0, address)).sue_port
            for address in (SERVER, SECOND)
        ]
        assert ports == [9899, 20_000]
        forget(hosts)
        for address in (SERVER, SECOND):
            demand = params(flags=sctp.SPP_HB_DEMAND, address=address)
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, demand)
        await asyncio.sleep(0)
        went = {each.destination: each.packet.destination_port for each in sent(hosts, "client", Heartbeat)}
        assert went == {SERVER[0]: 9899, SECOND[0]: 20_000}


@virtual_time
async def test_a_remote_udp_port_that_is_learnt_is_told() -> None:
    """RFC 6951 §5.4: where nothing was said, the port is the one that the peer's packets come from."""
    async with TwoHosts() as hosts, aiosctp.Stack(udp_port=30_000, network=hosts.client_host) as stack:
        listening = SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.server)
        async with listening, SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=stack) as ours:
            listening.bind(("0.0.0.0", PORT))
            listening.listen(1)
            await ours.connect(SERVER)
            theirs, peer = await listening.accept()
            async with theirs:
                read = theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(0, peer))
                assert read.sue_port == 30_000


@virtual_time
async def test_a_remote_udp_port_of_0_is_refused() -> None:
    """I05: sue_port 0 is EINVAL: there is no SCTP without UDP here."""
    async with many() as (_, ours, _, assoc_id):
        for wrong in (encaps(0), encaps(65536), encaps(-1), encaps("9899"), encaps(None), encaps(20_000, None, 99)):
            set_is_refused(ours, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, wrong)
        for which in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC):
            set_is_refused(ours, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(20_000, None, which))
        set_is_refused(ours, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps(20_000, ("192.0.2.9", PORT), assoc_id))
