"""SCTP_GET_ASSOC_STATS: each counter against what was on the wire."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Packet
from aiosctp.wire.chunks import CookieEcho, Heartbeat, HeartbeatAck, Sack
from tests.socket.on_the_wire import USER_DATA, forget, has, sent
from tests.socket.pairs import SERVER, TWO_ADDRESSES, connected, ids, listener, many, one_to_one
from tests.socket.refusals import get_is_refused, set_is_refused
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP

COUNTS = (
    "rtxchunks",
    "gapcnt",
    "outseqtsns",
    "osacks",
    "isacks",
    "octrlchunks",
    "ictrlchunks",
    "oodchunks",
    "iodchunks",
    "ouodchunks",
    "iuodchunks",
    "idupchunks",
)


def stats(sock: SCTPSocket, assoc_id: int = 0) -> sctp.sctp_assoc_stats:
    value = sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_STATS, sctp.sctp_assoc_stats(sas_assoc_id=assoc_id))
    assert isinstance(value, sctp.sctp_assoc_stats)
    return value


def risen(before: sctp.sctp_assoc_stats, after: sctp.sctp_assoc_stats) -> dict[str, int]:
    """The counters that rose, by how much."""
    found = {name: getattr(after, f"sas_{name}") - getattr(before, f"sas_{name}") for name in COUNTS}
    return {name: difference for name, difference in found.items() if difference}


async def exchange(sender: SCTPSocket, messages: int, flags: int = 0) -> None:
    """So many messages, far enough apart that each is acknowledged by a SACK of its own."""
    for _ in range(messages):
        await sender.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_flags=flags))
        await asyncio.sleep(0.5)


@virtual_time
async def test_messages_and_their_sacks_are_counted_at_both_ends() -> None:
    """H05, H06, H09, H10, B38: ordered DATA, and SACKs, which are control chunks (H07, H08)."""
    async with connected() as (hosts, ours, theirs):
        before = stats(ours), stats(theirs)
        forget(hosts)
        await exchange(ours, 3)
        assert len(sent(hosts, "client", *USER_DATA)) == len(sent(hosts, "server", Sack)) == 3
        assert risen(before[0], stats(ours)) == {"oodchunks": 3, "isacks": 3, "ictrlchunks": 3}
        assert risen(before[1], stats(theirs)) == {"iodchunks": 3, "osacks": 3, "octrlchunks": 3}


@virtual_time
async def test_unordered_messages_are_counted_apart() -> None:
    """H11, H12: each chunk of each."""
    async with connected() as (_, ours, theirs):
        before = stats(ours), stats(theirs)
        await exchange(ours, 2, sctp.SCTP_UNORDERED)
        await ours.sendv(bytes(5000), sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_UNORDERED))
        await asyncio.sleep(1)
        assert risen(before[0], stats(ours))["ouodchunks"] == 2 + 4
        rise = risen(before[1], stats(theirs))
        assert rise["iuodchunks"] == 2 + 4
        assert "iodchunks" not in rise


@virtual_time
async def test_what_is_lost_is_counted_as_gaps_and_as_retransmitted() -> None:
    """H01, H02, H04: one chunk of four is lost: those above it are out of sequence, and reported as gaps."""
    async with connected() as (hosts, ours, theirs):
        await exchange(ours, 1)
        before = stats(ours), stats(theirs)
        forget(hosts)
        lost: list[Packet] = []

        def drop_first(packet: Packet) -> bool:
            if lost or not has(packet, *USER_DATA):
                return False
            lost.append(packet)
            return True

        hosts.drop = drop_first
        for _ in range(4):
            await ours.send(bytes(1400))
        await asyncio.sleep(3)
        tsns = [each.chunk.tsn for each in sent(hosts, "client", *USER_DATA)]
        gaps = sum(len(each.chunk.gap_ack_blocks) for each in sent(hosts, "server", Sack))
        rise = risen(before[0], stats(ours))
        assert rise["rtxchunks"] == len(tsns) - len(set(tsns)) == 1
        assert rise["oodchunks"] == 4
        assert rise["gapcnt"] == gaps >= 1
        rise = risen(before[1], stats(theirs))
        assert rise["outseqtsns"] == 3
        assert rise["iodchunks"] == 4
        assert "idupchunks" not in rise


@virtual_time
async def test_what_comes_twice_is_counted_as_duplicate_and_not_as_received() -> None:
    """H13: SACKs are lost, so that the data is sent again; H10 and H12 have each chunk once."""
    async with connected() as (hosts, ours, theirs):
        await exchange(ours, 1)
        before = stats(theirs)
        for flags in (0, sctp.SCTP_UNORDERED):
            hosts.drop = lambda packet: has(packet, Sack)
            await ours.sendv(b"twice", sndinfo=sctp.sctp_sndinfo(snd_flags=flags))
            await asyncio.sleep(1.5)
            hosts.drop = lambda packet: False
            await asyncio.sleep(5)
        rise = risen(before, stats(theirs))
        assert rise["iodchunks"] == rise["iuodchunks"] == 1
        assert rise["idupchunks"] >= 2


@virtual_time
async def test_the_largest_rto_is_that_of_the_period_and_reading_begins_another() -> None:
    """H03, B38: sas_maxrto in milliseconds; "reading resets it"; counts go on."""
    async with connected() as (hosts, ours, _):
        await exchange(ours, 2)
        stats(ours)
        assert stats(ours).sas_maxrto == 1000
        hosts.drop = lambda packet: True
        await ours.send(b"lost for a while")
        await asyncio.sleep(4)  # T3-rtx expires after 1, 3 and 7 s: 2 s, 4 s and 8 s are the next
        hosts.drop = lambda packet: False
        await asyncio.sleep(10)
        await exchange(ours, 2)
        first = stats(ours)
        assert first.sas_maxrto == 8000
        second = stats(ours)
        assert second.sas_maxrto == 1000
        assert risen(first, second) == {}


@virtual_time
async def test_the_address_of_the_largest_rto_is_named() -> None:
    """H03: sas_obs_rto_ipaddr, Linux's: whose RTO it was."""
    async with connected(server_addresses=TWO_ADDRESSES) as (hosts, ours, _):
        await asyncio.sleep(10)
        stats(ours)
        hosts.drop = lambda packet: packet.destination == TWO_ADDRESSES[1]
        await asyncio.sleep(40)
        read = stats(ours)
        assert read.sas_obs_rto_ipaddr == (TWO_ADDRESSES[1], PORT)
        assert read.sas_maxrto >= 2000
        hosts.drop = lambda packet: packet.destination == TWO_ADDRESSES[0]
        await asyncio.sleep(120)
        assert stats(ours).sas_obs_rto_ipaddr == (TWO_ADDRESSES[0], PORT)


@virtual_time
async def test_control_chunks_are_counted_once_however_often_they_are_sent() -> None:
    """H07, H08: "no duplicates": a COOKIE ECHO that is lost and sent again counts once."""
    async with TwoHosts() as hosts, listener(hosts) as listening, one_to_one(hosts) as ours:
        hosts.drop = lambda packet: has(packet, CookieEcho) and hosts.client.now() < 0.5
        await ours.connect(SERVER)
        theirs, _ = await listening.accept()
        async with theirs:
            assert len(sent(hosts, "client", CookieEcho)) == 2
            # INIT and COOKIE ECHO went out, INIT ACK and COOKIE ACK came in.
            assert (stats(ours).sas_octrlchunks, stats(ours).sas_ictrlchunks) == (2, 2)
            before = stats(ours), stats(theirs)
            demand = sctp.sctp_paddrparams(spp_address=SERVER, spp_flags=sctp.SPP_HB_DEMAND)
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, demand)
            await asyncio.sleep(1)
            assert len(sent(hosts, "client", Heartbeat)) == len(sent(hosts, "server", HeartbeatAck)) == 1
            assert risen(before[0], stats(ours)) == {"octrlchunks": 1, "ictrlchunks": 1}
            assert risen(before[1], stats(theirs)) == {"octrlchunks": 1, "ictrlchunks": 1}


@virtual_time
async def test_statistics_are_of_one_association_and_read_only() -> None:
    """B38, A25: by id; EINVAL where there is none of it, ENOPROTOOPT to set."""
    async with many() as (_, ours, theirs, assoc_id):
        await ours.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
        await asyncio.sleep(1)
        assert stats(ours, assoc_id).sas_oodchunks == 1
        assert stats(theirs, ids(theirs)[0]).sas_iodchunks == 1
        for wrong in (sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            get_is_refused(ours, sctp.SCTP_GET_ASSOC_STATS, sctp.sctp_assoc_stats(sas_assoc_id=wrong))
        set_is_refused(ours, sctp.SCTP_GET_ASSOC_STATS, stats(ours, assoc_id), errno.ENOPROTOOPT)


@pytest.mark.parametrize("way", ["getsockopt", "opt_info"])
@virtual_time
async def test_statistics_are_those_of_the_plain_api(way: str) -> None:
    """B38, A26: the same counters, whichever call reads them."""
    async with connected() as (hosts, ours, _):
        await exchange(ours, 2)
        if way == "getsockopt":
            read = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_STATS)
        else:
            read = ours.opt_info(0, sctp.SCTP_GET_ASSOC_STATS, sctp.sctp_assoc_stats())
        (association,) = hosts.client.associations()
        plain = association.statistics()
        assert {name: getattr(read, f"sas_{name}") for name in COUNTS} == {
            name: getattr(plain, name) for name in COUNTS
        }
        assert read.sas_oodchunks == 2
