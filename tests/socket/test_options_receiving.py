"""Options of receiving: SO_RCVBUF, SCTP_DELAYED_SACK, partial delivery, interleaving, SCTP_CONTEXT, rcvinfo."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Link, Packet
from aiosctp.wire.chunks import Init, InitAck, Sack, decode_chunks
from tests.socket.on_the_wire import USER_DATA, forget, sent
from tests.socket.pairs import (
    LONG,
    SERVER,
    Prepare,
    as_it_is,
    connected,
    data,
    ids,
    many,
    one_to_many,
    setting,
    several,
)
from tests.socket.refusals import get_is_refused, set_is_refused
from tests.surface.two_hosts import DELAY_S, TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
SOL_SOCKET = sctp.SOL_SOCKET

# -- SO_RCVBUF --


def rcvbuf(size: int) -> Prepare:
    return setting(sctp.SO_RCVBUF, size, SOL_SOCKET)


@virtual_time
async def test_the_receive_buffer_is_the_window_on_the_wire() -> None:
    """B06: "this option controls the receiver window size": that of INIT and INIT ACK, inherited from the listener."""
    async with connected(client=rcvbuf(50_000), server=rcvbuf(20_000)) as (hosts, ours, theirs):
        assert [each.chunk.a_rwnd for each in sent(hosts, "client", Init)] == [50_000]
        assert [each.chunk.a_rwnd for each in sent(hosts, "server", InitAck)] == [20_000]
        assert ours.getsockopt(SOL_SOCKET, sctp.SO_RCVBUF) == 50_000
        assert theirs.getsockopt(SOL_SOCKET, sctp.SO_RCVBUF) == 20_000


@virtual_time
async def test_a_peer_sends_no_more_than_the_receive_buffer_ahead_of_the_reader() -> None:
    """B06: what nobody reads fills the window; what is read makes room again."""
    async with connected(server=rcvbuf(20_000)) as (hosts, ours, theirs):
        sending = asyncio.create_task(ours.send(bytes(100_000)))
        await asyncio.sleep(0.9)
        arrived = sum(len(each.chunk.payload) for each in sent(hosts, "client", *USER_DATA))
        assert 10_000 < arrived <= 20_000
        received = 0
        while received < 100_000:
            received += len(await theirs.recv(LONG))
        assert received == 100_000
        await sending


@virtual_time
async def test_each_association_of_a_socket_has_a_receive_buffer_of_its_own() -> None:
    """B06, A39: one association that fills its buffer leaves the others theirs."""
    async with many(server=rcvbuf(20_000)) as (hosts, ours, theirs, _), one_to_many(hosts) as other:
        await other.connectx([SERVER])
        await ours.sendto(bytes(15_000), 0, SERVER)
        await asyncio.sleep(1)
        forget(hosts)
        await other.sendto(bytes(15_000), 0, SERVER)
        await asyncio.sleep(1)
        assert sum(len(each.chunk.payload) for each in sent(hosts, "client", *USER_DATA)) == 15_000
        received = 0
        while received < 30_000:
            received += len((await theirs.recvv(LONG)).data)
        assert received == 30_000


# -- SCTP_DELAYED_SACK --


def sack(delay: int = 0, freq: int = 0, assoc_id: int = 0) -> sctp.sctp_sack_info:
    return sctp.sctp_sack_info(sack_assoc_id=assoc_id, sack_delay=delay, sack_freq=freq)


def delayed_sack(delay: int = 0, freq: int = 0) -> Prepare:
    return setting(sctp.SCTP_DELAYED_SACK, sack(delay, freq))


async def sack_times(hosts: TwoHosts, sender: SCTPSocket, packets: int) -> list[float]:
    """When the server acknowledges so many packets that came together: seconds after that."""
    # §5.1: the first DATA is acknowledged at once.
    await sender.send(b"first")
    await asyncio.sleep(2)
    forget(hosts)
    began = hosts.client.now()
    for _ in range(packets):
        await sender.send(bytes(1400))
    await asyncio.sleep(2)
    return [each.at_s - began - DELAY_S for each in sent(hosts, "server", Sack)]


@pytest.mark.parametrize(
    ("delay", "freq", "packets", "expected"),
    [
        (0, 0, 1, [0.2]),  # as RFC 9260 §6.2 recommends
        (350, 0, 1, [0.35]),
        (100, 0, 1, [0.1]),
        (350, 0, 2, [0]),
        (0, 1, 1, [0]),  # "Changing the frequency to 1 disables the delayed SACK algorithm"
        (350, 3, 2, [0.35]),
        (350, 3, 3, [0]),
    ],
)
@virtual_time
async def test_a_sack_waits_for_so_long_or_so_many_packets(
    delay: int, freq: int, packets: int, expected: list[float]
) -> None:
    """B18: SCTP_DELAYED_SACK in milliseconds and packets; inherited from the listener; 0 leaves either as it was."""
    async with connected(server=delayed_sack(delay, freq)) as (hosts, ours, theirs):
        assert await sack_times(hosts, ours, packets) == pytest.approx(expected, abs=1e-6)
        value = theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_DELAYED_SACK)
        assert (value.sack_delay, value.sack_freq) == (delay or 200, freq or 2)


@virtual_time
async def test_the_old_name_of_the_sack_delay_is_the_same_option() -> None:
    """B18, C17: SCTP_DELAYED_ACK_TIME became SCTP_DELAYED_SACK."""
    assert sctp.SCTP_DELAYED_ACK_TIME == sctp.SCTP_DELAYED_SACK
    async with connected() as (hosts, ours, theirs):
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_DELAYED_ACK_TIME, sack(delay=100))
        assert await sack_times(hosts, ours, 1) == pytest.approx([0.1])


@virtual_time
async def test_a_sack_is_delayed_by_500_ms_at_most() -> None:
    """B18: RFC 9260 §6.2: "MUST NOT allow the maximum delay to be configured to be more than 500 ms"."""
    async with connected() as (hosts, ours, theirs):
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_DELAYED_SACK, sack(delay=500))
        for wrong in (sack(delay=501), sack(freq=-1), sack(delay=-1), sack(delay=300, freq=2**32)):
            set_is_refused(theirs, sctp.SCTP_DELAYED_SACK, wrong)
        assert await sack_times(hosts, ours, 1) == pytest.approx([0.5])


@virtual_time
async def test_the_sack_delay_of_the_living_and_of_those_to_come() -> None:
    """B18, A25: SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC "can also be used"."""
    async with many() as (_, ours, _, assoc_id):

        def delay(which: int) -> int:
            return int(ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_DELAYED_SACK, sack(assoc_id=which)).sack_delay)

        for which, value, expected in (
            (sctp.SCTP_FUTURE_ASSOC, 100, (100, 200)),
            (sctp.SCTP_CURRENT_ASSOC, 150, (100, 150)),
            (sctp.SCTP_ALL_ASSOC, 300, (300, 300)),
            (assoc_id, 400, (300, 400)),
        ):
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DELAYED_SACK, sack(delay=value, assoc_id=which))
            assert (delay(sctp.SCTP_FUTURE_ASSOC), delay(assoc_id)) == expected
        set_is_refused(ours, sctp.SCTP_DELAYED_SACK, sack(delay=100, assoc_id=99))
        # To be read there must be one answer.
        for many_of_them in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            get_is_refused(ours, sctp.SCTP_DELAYED_SACK, sack(assoc_id=many_of_them))


# -- SCTP_PARTIAL_DELIVERY_POINT --


@virtual_time
async def test_a_message_is_handed_over_in_parts_from_the_partial_delivery_point_on() -> None:
    """B19, L09, A42: once so many bytes have come, although the rest has not; MSG_EOR with the last part alone."""
    point = setting(sctp.SCTP_PARTIAL_DELIVERY_POINT, 3000)
    async with connected(server=point) as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(delay_s=DELAY_S, bandwidth_bps=1e6))
        sending = asyncio.create_task(ours.send(bytes(range(250)) * 200))
        first = await theirs.recvv(LONG)
        assert 3000 <= len(first.data) < 40_000
        assert first.msg_flags == 0
        parts = [first.data]
        while True:
            received = await theirs.recvv(LONG)
            parts.append(received.data)
            if received.msg_flags & sctp.MSG_EOR:
                break
        assert b"".join(parts) == bytes(range(250)) * 200
        await sending


@virtual_time
async def test_a_message_up_to_the_partial_delivery_point_is_delivered_whole() -> None:
    """B19: "any single message having a length smaller than or equal to the SCTP partial delivery point will be
    delivered in a single read call as long as the user-provided buffer is large enough"."""
    point = setting(sctp.SCTP_PARTIAL_DELIVERY_POINT, 50_000)
    async with connected(server=point) as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(delay_s=DELAY_S, bandwidth_bps=1e6))
        sending = asyncio.create_task(ours.send(bytes(50_000)))
        assert await data(theirs) == bytes(50_000)
        await sending


@virtual_time
async def test_a_partial_delivery_point_beyond_the_receive_buffer_is_refused() -> None:
    """B19: "the call will fail if the user attempts to set this value larger than the socket receive buffer size"."""
    async with TwoHosts() as hosts, one_to_many(hosts, rcvbuf(20_000)) as sock:
        sock.setsockopt(IPPROTO_SCTP, sctp.SCTP_PARTIAL_DELIVERY_POINT, 20_000)
        for wrong in (20_001, -1, "1000", None):
            set_is_refused(sock, sctp.SCTP_PARTIAL_DELIVERY_POINT, wrong)
        assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_PARTIAL_DELIVERY_POINT) == 20_000


# -- SCTP_FRAGMENT_INTERLEAVE --


@virtual_time
async def test_the_levels_of_interleaving_are_0_to_2_and_2_needs_to_know_the_stream() -> None:
    """B20, G23: 1 is the default of one-to-many sockets (RFC 6458 §8.1.20)."""
    async with many() as (hosts, ours, _, _), connected_one(hosts) as one:
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE) == 1
        # "We recommend that one-to-one style sockets be defaulted to level 0".
        assert one.getsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE) == 0
        for wrong in (3, -1, "1", None):
            set_is_refused(ours, sctp.SCTP_FRAGMENT_INTERLEAVE, wrong)
        set_is_refused(ours, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RECVRCVINFO, 1)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE) == 2


def connected_one(hosts: TwoHosts) -> SCTPSocket:
    return SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.client)


async def read_beside_a_long_message(level: int) -> list[tuple[int, int]]:
    """What can be read, as (association, stream), while the end of a long message of stream 1 of association 1 has not
    come, of which a part has been read: there are a message of its stream 2, and one of association 2."""
    interleaving = setting(sctp.SCTP_INTERLEAVING_SUPPORTED, sctp.sctp_assoc_value(assoc_value=1))
    speaks_idata = several(setting(sctp.SCTP_RECVRCVINFO, 1), setting(sctp.SCTP_FRAGMENT_INTERLEAVE, 2), interleaving)
    server = several(
        setting(sctp.SCTP_RECVRCVINFO, 1),
        setting(sctp.SCTP_FRAGMENT_INTERLEAVE, level),
        setting(sctp.SCTP_PARTIAL_DELIVERY_POINT, 3000),
        interleaving if level == 2 else as_it_is,
    )
    async with many(client=speaks_idata, server=server) as (hosts, ours, theirs, _), one_to_many(hosts) as other:
        await other.connectx([SERVER])
        await asyncio.sleep(0.1)
        first, _ = ids(theirs)
        hosts.drop = brings_the_end_of_stream_1
        await ours.sendv(bytes(8000), [SERVER], sndinfo=sctp.sctp_sndinfo(snd_sid=1))
        await asyncio.sleep(0.5)
        assert (await theirs.recvv(2000)).msg_flags == 0
        await other.sendto(b"of another association", 0, SERVER)
        await ours.sendv(b"of another stream", [SERVER], sndinfo=sctp.sctp_sndinfo(snd_sid=2))
        await asyncio.sleep(0.5)
        theirs.setblocking(False)
        infos = [received.rcvinfo for received in await all_that_waits(theirs)]
        return [(1 if info.rcv_assoc_id == first else 2, info.rcv_sid) for info in infos if info is not None]


def brings_the_end_of_stream_1(packet: Packet) -> bool:
    return any(
        isinstance(chunk, USER_DATA) and chunk.stream == 1 and chunk.ending for chunk in decode_chunks(packet.data)
    )


async def all_that_waits(sock: SCTPSocket) -> list[sctp.Received]:
    """What a non-blocking socket gives until it would wait."""
    received: list[sctp.Received] = []
    while True:
        try:
            received.append(await sock.recvv(LONG))
        except BlockingIOError:
            return received


@virtual_time
async def test_what_may_come_between_the_parts_of_a_message() -> None:
    """B20, A41: level 0 nothing; level 1 messages of other associations; level 2 also those of other streams, where
    both sides speak I-DATA."""
    assert set(await read_beside_a_long_message(0)) == {(1, 1)}
    assert set(await read_beside_a_long_message(1)) == {(1, 1), (2, 0)}
    assert set(await read_beside_a_long_message(2)) == {(1, 1), (1, 2), (2, 0)}


@virtual_time
async def test_at_level_0_no_notification_comes_between_the_parts_of_a_message() -> None:
    """B20, A41: "unless the user has set the fragmentation interleave level to 0, notifications may also be interleaved
    with partially delivered messages"."""
    dry = setting(sctp.SCTP_EVENT, sctp.sctp_event(se_type=sctp.SCTP_SENDER_DRY_EVENT, se_on=1))
    for level, between in ((0, False), (1, True)):
        server = several(setting(sctp.SCTP_FRAGMENT_INTERLEAVE, level), setting(sctp.SCTP_PARTIAL_DELIVERY_POINT, 3000))
        async with connected(server=server) as (hosts, ours, theirs):
            hosts.drop = brings_the_end_of_stream_1
            await ours.sendv(bytes(8000), sndinfo=sctp.sctp_sndinfo(snd_sid=1))
            await asyncio.sleep(0.5)
            assert (await theirs.recvv(2000)).msg_flags == 0
            dry(theirs)  # there is nothing to send, which is told at once
            theirs.setblocking(False)
            early = await all_that_waits(theirs)
            assert any(each.msg_flags & sctp.MSG_NOTIFICATION for each in early) is between
            hosts.drop = lambda packet: False
            await asyncio.sleep(5)
            late = await all_that_waits(theirs)
            assert [each.msg_flags for each in late][-1] == (
                sctp.MSG_EOR if between else sctp.MSG_EOR | sctp.MSG_NOTIFICATION
            )
            messages = [each.data for each in early + late if not each.msg_flags & sctp.MSG_NOTIFICATION]
            assert sum(map(len, messages)) == 8000 - 2000


# -- SCTP_CONTEXT --


def context(value: int, assoc_id: int = 0) -> sctp.sctp_assoc_value:
    return sctp.sctp_assoc_value(assoc_id=assoc_id, assoc_value=value)


@virtual_time
async def test_the_context_comes_with_each_message_that_is_received() -> None:
    """B31: "a default context that will be received on reading messages from the peer", by association."""
    server = several(setting(sctp.SCTP_RECVRCVINFO, 1), setting(sctp.SCTP_CONTEXT, context(0xC0FFEE)))
    async with many(server=server) as (hosts, ours, theirs, _), one_to_many(hosts) as other:

        async def received_context(sender: SCTPSocket) -> int:
            await sender.sendto(b"hello", 0, SERVER)
            received = await theirs.recvv(LONG)
            assert received.rcvinfo is not None
            return int(received.rcvinfo.rcv_context)

        assert await received_context(ours) == 0xC0FFEE
        (first,) = ids(theirs)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_CONTEXT, context(7, first))
        assert await received_context(ours) == 7
        assert await received_context(other) == 0xC0FFEE
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_CONTEXT, context(8, sctp.SCTP_CURRENT_ASSOC))
        assert [await received_context(ours), await received_context(other)] == [8, 8]
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_CONTEXT, context(2**32 - 1, sctp.SCTP_ALL_ASSOC))
        assert await received_context(other) == 2**32 - 1
        for wrong in (context(2**32), context(-1), context(1, 99)):
            set_is_refused(theirs, sctp.SCTP_CONTEXT, wrong)


# -- SCTP_RECVRCVINFO, SCTP_RECVNXTINFO, SCTP_USE_EXT_RCVINFO --


@virtual_time
async def test_information_on_a_message_comes_where_it_is_switched_on() -> None:
    """C16, C17: SCTP_RECVRCVINFO (RFC 6458 §8.1.29): what the peer gave the message, with the numbers it went by."""
    async with connected() as (hosts, ours, theirs):
        for switched_on in (0, 1, 0):
            theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_RECVRCVINFO, switched_on)
            sndinfo = sctp.sctp_sndinfo(snd_sid=0, snd_flags=sctp.SCTP_UNORDERED, snd_ppid=0x01020304)
            await ours.sendv(b"hello", sndinfo=sndinfo)
            received = await theirs.recvv(LONG)
            if not switched_on:
                assert received.rcvinfo is None
                continue
            (chunk,) = [each.chunk for each in sent(hosts, "client", *USER_DATA)][-1:]
            info = received.rcvinfo
            assert info is not None
            assert (info.rcv_sid, info.rcv_flags, info.rcv_ppid) == (0, sctp.SCTP_UNORDERED, 0x01020304)
            assert info.rcv_tsn == chunk.tsn


@virtual_time
async def test_information_on_the_next_message_comes_when_one_waits() -> None:
    """B28: SCTP_RECVNXTINFO (RFC 6458 §8.1.30): "if this information is already available"."""
    async with connected(server=setting(sctp.SCTP_RECVNXTINFO, 1)) as (_, ours, theirs):
        await ours.send(b"first")
        await ours.sendv(b"the second", sndinfo=sctp.sctp_sndinfo(snd_ppid=9, snd_flags=sctp.SCTP_UNORDERED))
        await asyncio.sleep(1)
        first = await theirs.recvv(LONG)
        assert first.nxtinfo is not None
        assert first.nxtinfo.nxt_flags == sctp.SCTP_UNORDERED | sctp.SCTP_COMPLETE
        assert (first.nxtinfo.nxt_ppid, first.nxtinfo.nxt_length) == (9, len(b"the second"))
        assert (await theirs.recvv(LONG)).nxtinfo is None


@virtual_time
async def test_the_next_thing_may_be_a_notification() -> None:
    """B28, C01: SCTP_NOTIFICATION in nxt_flags (RFC 6458 §5.3.6)."""
    server = several(
        setting(sctp.SCTP_RECVNXTINFO, 1),
        setting(sctp.SCTP_EVENT, sctp.sctp_event(se_type=sctp.SCTP_SHUTDOWN_EVENT, se_on=1)),
    )
    async with connected(server=server) as (_, ours, theirs):
        await ours.send(b"last")
        await ours.close()
        await asyncio.sleep(1)
        received = await theirs.recvv(LONG)
        assert received.nxtinfo is not None
        assert received.nxtinfo.nxt_flags & sctp.SCTP_NOTIFICATION


@virtual_time
async def test_the_extended_receive_information_tells_of_the_next_message() -> None:
    """B28, A33: SCTP_USE_EXT_RCVINFO: sctp_recvmsg gives the larger structure (RFC 6458 §8.1.22)."""
    server = several(
        setting(sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_data_io_event=1)),
        setting(sctp.SCTP_USE_EXT_RCVINFO, 1),
    )
    async with connected(server=server) as (_, ours, theirs):
        await ours.send(b"first")
        await ours.sendv(b"the second", sndinfo=sctp.sctp_sndinfo(snd_ppid=9))
        await asyncio.sleep(1)
        sinfo: Any = (await theirs.sctp_recvmsg(LONG))[2]
        assert isinstance(sinfo, sctp.sctp_extrcvinfo)
        assert (sinfo.serinfo_next_length, sinfo.serinfo_next_ppid) == (len(b"the second"), 9)
        theirs.setsockopt(IPPROTO_SCTP, sctp.SCTP_USE_EXT_RCVINFO, 0)
        sinfo = (await theirs.sctp_recvmsg(LONG))[2]
        assert isinstance(sinfo, sctp.sctp_sndrcvinfo)
        assert sinfo.sinfo_ppid == 9


@pytest.mark.parametrize("name", ["SCTP_RECVRCVINFO", "SCTP_RECVNXTINFO", "SCTP_USE_EXT_RCVINFO"])
@virtual_time
async def test_a_flag_of_the_socket_is_an_int(name: str) -> None:
    """B28, I05: what is none is EINVAL."""
    async with connected() as (_, ours, _):
        for wrong in ("1", None, b"\1", 1.0, sctp.sctp_assoc_value()):
            set_is_refused(ours, getattr(sctp, name), wrong)
