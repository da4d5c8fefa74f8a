"""Options of sending: SCTP_NODELAY, SO_SNDBUF, SCTP_DISABLE_FRAGMENTS, SCTP_MAXSEG, SCTP_MAX_BURST, schedulers."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress

import pytest

import aiosctp.socket as sctp
from aiosctp.testing import Link
from tests.socket.on_the_wire import USER_DATA, forget, sent, times
from tests.socket.pairs import LONG, connected, data, many, setting
from tests.socket.refusals import get_is_refused, refused, set_is_refused
from tests.surface.two_hosts import DELAY_S, TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
SOL_SOCKET = sctp.SOL_SOCKET


def payloads(hosts: TwoHosts, by: str = "client") -> list[int]:
    """The sizes of the user data of each chunk."""
    return [len(each.chunk.payload) for each in sent(hosts, by, *USER_DATA)]


# -- SCTP_NODELAY --


@pytest.mark.parametrize("nodelay", [0, 1])
@virtual_time
async def test_without_nodelay_a_small_message_waits_for_the_one_before(nodelay: int) -> None:
    """B01: "Turning this option on disables any Nagle-like algorithm" (RFC 6458 §8.1.5)."""
    async with connected(client=setting(sctp.SCTP_NODELAY, nodelay)) as (hosts, ours, _):
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_NODELAY) == nodelay
        await ours.send(b"first")
        await asyncio.sleep(DELAY_S / 10)
        await ours.send(b"second")
        await asyncio.sleep(1)
        assert times(sent(hosts, "client", *USER_DATA))[1] == pytest.approx(DELAY_S / 10 if nodelay else 2 * DELAY_S)


@virtual_time
async def test_nodelay_that_is_switched_on_lets_go_what_waited() -> None:
    """B01, A24: a flag of the socket is one of the association that it has; any number but 0 is on."""
    async with connected(client=setting(sctp.SCTP_NODELAY, 0)) as (hosts, ours, _):
        await ours.send(b"first")
        await asyncio.sleep(DELAY_S / 10)
        await ours.send(b"second")
        await asyncio.sleep(DELAY_S / 10)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_NODELAY, 7)
        await asyncio.sleep(1)
        assert times(sent(hosts, "client", *USER_DATA))[1] == pytest.approx(2 * DELAY_S / 10)
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_NODELAY) == 1


@virtual_time
async def test_an_accepted_socket_has_the_nodelay_of_the_listener() -> None:
    """B01, A25: an option of the listening socket is inherited."""
    async with connected(server=setting(sctp.SCTP_NODELAY, 0)) as (hosts, _, theirs):
        await theirs.send(b"first")
        await asyncio.sleep(DELAY_S / 10)
        await theirs.send(b"second")
        await asyncio.sleep(1)
        assert times(sent(hosts, "server", *USER_DATA))[1] == pytest.approx(2 * DELAY_S)


# -- SO_SNDBUF --


async def filled(sock: sctp.SCTPSocket, assoc_id: int = 0) -> int:
    """How many messages of 1000 bytes a non-blocking socket has taken when it takes no more."""
    for taken in range(100):
        try:
            await sock.sendv(bytes(1000), sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
        except BlockingIOError:
            return taken
    raise AssertionError("the send buffer has no bound")


@virtual_time
async def test_the_send_buffer_bounds_what_waits_to_be_acknowledged() -> None:
    """B07: what goes beyond it has to wait, or is EAGAIN on a non-blocking socket."""
    async with connected(client=setting(sctp.SO_SNDBUF, 10_000, SOL_SOCKET)) as (hosts, ours, theirs):
        assert ours.getsockopt(SOL_SOCKET, sctp.SO_SNDBUF) == 10_000
        ours.setblocking(False)
        hosts.drop = lambda packet: True
        taken = await filled(ours)
        assert taken in (10, 11)
        ours.setblocking(True)
        waiting = asyncio.create_task(ours.send(b"waits"))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        hosts.drop = lambda packet: False
        assert await waiting == 5
        assert [len(await data(theirs)) for _ in range(taken + 1)] == [1000] * taken + [5]


@virtual_time
async def test_a_message_beyond_the_send_buffer_is_too_large() -> None:
    """B07, I10: "bounds the maximum size of data that can be sent in a single send call"; nothing of it is sent."""
    async with connected(client=setting(sctp.SO_SNDBUF, 10_000, SOL_SOCKET)) as (hosts, ours, theirs):
        with refused(errno.EMSGSIZE):
            await ours.send(bytes(10_001))
        await ours.send(bytes(10_000))
        assert await data(theirs) == bytes(10_000)
        assert sum(payloads(hosts)) == 10_000


@virtual_time
async def test_the_send_buffer_is_each_associations_own() -> None:
    """B07, A39: "The option applies to each association's window size separately"."""
    sndbuf = setting(sctp.SO_SNDBUF, 10_000, SOL_SOCKET)
    async with many(client=sndbuf, server_addresses=("192.0.2.2",)) as (hosts, ours, _, first):
        peer = hosts.network.host("third", "192.0.2.9")
        hosts.network.partition(hosts.client_host, peer)
        hosts.drop = lambda packet: True
        ours.setblocking(False)
        await filled(ours, first)
        # An association that is only being set up has a buffer of its own.
        for _ in range(9):
            assert await ours.sendto(bytes(1000), 0, ("192.0.2.9", 7777)) == 1000


@virtual_time
async def test_one_stream_may_fill_all_of_the_send_buffer() -> None:
    """B07: SO_SNDBUF, also where nobody has set it, is one number for an association, as in a kernel."""
    counts = []
    for is_set in (False, True):
        async with connected() as (hosts, ours, _):
            most = ours.getsockopt(SOL_SOCKET, sctp.SO_SNDBUF)
            if is_set:
                ours.setsockopt(SOL_SOCKET, sctp.SO_SNDBUF, most)
            hosts.drop = lambda packet: True
            ours.setblocking(False)
            queued = 0
            with suppress(BlockingIOError):
                while queued < 2 * most:
                    queued += await ours.send(bytes(1000))
            counts.append(queued)
            assert most <= queued <= most + 1000
    assert counts[0] == counts[1]


@pytest.mark.parametrize("option", ["SO_SNDBUF", "SO_RCVBUF"])
@pytest.mark.parametrize("value", [0, -1, 2**31, "10000", None, b"1000"])
@virtual_time
async def test_a_buffer_is_a_positive_number_of_bytes(option: str, value: object) -> None:
    """B06, B07, I05: what is none is EINVAL, and the buffer stays."""
    async with connected() as (_, ours, _):
        before = ours.getsockopt(SOL_SOCKET, getattr(sctp, option))
        set_is_refused(ours, getattr(sctp, option), value, level=SOL_SOCKET)
        assert ours.getsockopt(SOL_SOCKET, getattr(sctp, option)) == before


# -- SCTP_DISABLE_FRAGMENTS --


@virtual_time
async def test_without_fragments_a_message_beyond_a_packet_is_refused() -> None:
    """B12, I10: EMSGSIZE, and nothing is sent; what fits goes in one chunk (RFC 6458 §8.1.11)."""
    async with connected(client=setting(sctp.SCTP_DISABLE_FRAGMENTS, 1)) as (hosts, ours, theirs):
        point = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_fragmentation_point
        with refused(errno.EMSGSIZE):
            await ours.send(bytes(point + 1))
        await ours.send(bytes(point))
        assert await data(theirs) == bytes(point)
        assert payloads(hosts) == [point]


@virtual_time
async def test_fragments_are_switched_in_life_and_are_on_at_first() -> None:
    """B12: "If this option is disabled (the default), then a message exceeding the size of the PMTU will be
    fragmented"."""
    async with connected() as (hosts, ours, theirs):
        for disable in (0, 1, 0):
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DISABLE_FRAGMENTS, disable)
            assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_DISABLE_FRAGMENTS) == disable
            forget(hosts)
            if disable:
                with refused(errno.EMSGSIZE):
                    await ours.send(bytes(5000))
            else:
                await ours.send(bytes(5000))
                assert await data(theirs) == bytes(5000)
                assert len(payloads(hosts)) > 3


@virtual_time
async def test_an_accepted_socket_fragments_as_its_listener_does() -> None:
    """B12, A25: inherited."""
    async with connected(server=setting(sctp.SCTP_DISABLE_FRAGMENTS, 1)) as (_, ours, theirs):
        with refused(errno.EMSGSIZE):
            await theirs.send(bytes(5000))
        await ours.send(bytes(5000))
        assert await data(theirs) == bytes(5000)


# -- SCTP_MAXSEG --


def maxseg(value: int, assoc_id: int = 0) -> sctp.sctp_assoc_value:
    return sctp.sctp_assoc_value(assoc_id=assoc_id, assoc_value=value)


@virtual_time
async def test_no_chunk_brings_more_than_maxseg() -> None:
    """B17: "the maximum size to put in any outgoing SCTP DATA chunk", from the next message on."""
    async with connected(client=setting(sctp.SCTP_MAXSEG, maxseg(300))) as (hosts, ours, theirs):
        await ours.send(bytes(1000))
        assert await data(theirs) == bytes(1000)
        assert sorted(payloads(hosts), reverse=True)[:3] == [300, 300, 300]
        assert sum(payloads(hosts)) == 1000
        forget(hosts)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAXSEG, maxseg(500))
        await ours.send(bytes(1000))
        assert await data(theirs) == bytes(1000)
        assert payloads(hosts) == [500, 500]


@pytest.mark.parametrize("value", [0, 70_000])
@virtual_time
async def test_a_maxseg_of_0_or_beyond_a_packet_leaves_it_to_the_path(value: int) -> None:
    """B17: 0 "indicates that the user is not limiting fragmentation", and so does more than an IP datagram takes."""
    async with connected(client=setting(sctp.SCTP_MAXSEG, maxseg(300))) as (hosts, ours, theirs):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAXSEG, maxseg(value))
        point = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_fragmentation_point
        await ours.send(bytes(point))
        assert await data(theirs) == bytes(point)
        assert payloads(hosts) == [point]
        assert point > 1400


@virtual_time
async def test_maxseg_bounds_the_fragmentation_point() -> None:
    """B17, B33: sstat_fragmentation_point is "the size at which SCTP fragmentation will occur"."""
    async with connected(client=setting(sctp.SCTP_MAXSEG, maxseg(300))) as (_, ours, _):
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS).sstat_fragmentation_point == 300
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_DISABLE_FRAGMENTS, 1)
        with refused(errno.EMSGSIZE):
            await ours.send(bytes(301))


@virtual_time
async def test_maxseg_is_of_one_association_or_of_those_to_come() -> None:
    """B17, A25: "It is an error to use SCTP_{CURRENT|ALL}_ASSOC in assoc_id"."""
    async with many() as (hosts, ours, theirs, assoc_id):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAXSEG, maxseg(200, sctp.SCTP_FUTURE_ASSOC))
        await ours.sendv(bytes(1000), sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
        await asyncio.sleep(1)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAXSEG, maxseg(500, assoc_id))
        await ours.sendv(bytes(1000), sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
        assert [await data(theirs), await data(theirs)] == [bytes(1000)] * 2
        assert payloads(hosts) == [1000, 500, 500]
        for wrong in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
            set_is_refused(ours, sctp.SCTP_MAXSEG, maxseg(100, wrong))
            get_is_refused(ours, sctp.SCTP_MAXSEG, maxseg(0, wrong))


# -- SCTP_MAX_BURST --


async def first_burst(ours: sctp.SCTPSocket, theirs: sctp.SCTPSocket, hosts: TwoHosts) -> int:
    """How many packets leave at once when a window that has grown large is found empty."""
    for _ in range(8):
        await ours.send(bytes(30_000))
        assert len(await data(theirs)) == 30_000
    await asyncio.sleep(0.5)
    forget(hosts)
    await ours.send(bytes(30_000))
    assert len(await data(theirs)) == 30_000
    return times(sent(hosts, "client", *USER_DATA)).count(0)


@virtual_time
async def test_a_burst_is_no_longer_than_was_said_and_0_bounds_none() -> None:
    """B30: SCTP_MAX_BURST, of packets that go at once; 4 where nothing was said; "0 disables burst mitigation"."""
    bursts = {}
    for value in (None, 1, 2, 0):
        async with connected() as (hosts, ours, theirs):
            if value is not None:
                burst = sctp.sctp_assoc_value(assoc_value=value)
                ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAX_BURST, burst)
                assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_MAX_BURST).assoc_value == value
            bursts[value] = await first_burst(ours, theirs, hosts)
    assert bursts.pop(0) > 4
    assert bursts == {None: 4, 1: 1, 2: 2}


@virtual_time
async def test_the_burst_of_all_associations_is_that_of_the_living_and_those_to_come() -> None:
    """B30, A25: SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC "can also be used"."""
    async with many() as (_, ours, _, assoc_id):

        def burst(which: int) -> int:
            value = sctp.sctp_assoc_value(assoc_id=which)
            return int(ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_MAX_BURST, value).assoc_value)

        for which, expected in (
            (sctp.SCTP_FUTURE_ASSOC, (9, 4)),
            (sctp.SCTP_CURRENT_ASSOC, (9, 8)),
            (sctp.SCTP_ALL_ASSOC, (7, 7)),
            (assoc_id, (7, 6)),
        ):
            value = {sctp.SCTP_FUTURE_ASSOC: 9, sctp.SCTP_CURRENT_ASSOC: 8, sctp.SCTP_ALL_ASSOC: 7, assoc_id: 6}[which]
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_MAX_BURST, sctp.sctp_assoc_value(assoc_id=which, assoc_value=value))
            assert (burst(sctp.SCTP_FUTURE_ASSOC), burst(assoc_id)) == expected


# -- SCTP_STREAM_SCHEDULER, SCTP_PLUGGABLE_SS and their values --


async def order(ours: sctp.SCTPSocket, theirs: sctp.SCTPSocket, hosts: TwoHosts, streams: list[int]) -> list[int]:
    """The streams of messages in the order they leave in, when each waits for the wire behind a first one."""
    hosts.network.set_link(hosts.client_host, hosts.server_host, Link(delay_s=DELAY_S, bandwidth_bps=1e6))
    forget(hosts)
    for stream in [9, *streams]:
        # The first fills what the window takes at once.
        size = 4000 if stream == 9 else 1400
        await ours.sendv(bytes(size), sndinfo=sctp.sctp_sndinfo(snd_sid=stream))
    for _ in range(len(streams) + 1):
        await theirs.recv(LONG)
    return [each.chunk.stream for each in sent(hosts, "client", *USER_DATA) if each.chunk.stream != 9]


STREAMS = setting(sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=10))


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("SCTP_SS_FCFS", [1, 1, 1, 2, 2, 2]),
        ("SCTP_SS_RR", [1, 2, 1, 2, 1, 2]),
        ("SCTP_SS_PRIO", [2, 2, 2, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("name", ["SCTP_STREAM_SCHEDULER", "SCTP_PLUGGABLE_SS"])
@virtual_time
async def test_the_scheduler_says_which_streams_message_goes_next(
    name: str, scheduler: str, expected: list[int]
) -> None:
    """RFC 8260 §4.3.2 and §4.3.3: SCTP_STREAM_SCHEDULER and SCTP_STREAM_SCHEDULER_VALUE: the higher the value, the
    lower the priority."""
    async with connected(client=STREAMS) as (hosts, ours, theirs):
        value = sctp.sctp_assoc_value(assoc_value=getattr(sctp, scheduler))
        ours.setsockopt(IPPROTO_SCTP, getattr(sctp, name), value)
        assert ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name)).assoc_value == getattr(sctp, scheduler)
        for stream, priority in ((1, 5), (2, 3)):
            chosen = sctp.sctp_stream_value(stream_id=stream, stream_value=priority)
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER_VALUE, chosen)
        assert await order(ours, theirs, hosts, [1, 1, 1, 2, 2, 2]) == expected


@virtual_time
async def test_weights_share_the_wire() -> None:
    """RFC 8260 §3.6, SCTP_SS_WFQ: two messages of the stream with weight 2 for each of the one with weight 1."""
    scheduler = sctp.sctp_assoc_value(assoc_value=sctp.SCTP_SS_WFQ)
    async with connected(client=STREAMS) as (hosts, ours, theirs):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER, scheduler)
        for stream, weight in ((1, 1), (2, 2)):
            chosen = sctp.sctp_stream_value(stream_id=stream, stream_value=weight)
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER_VALUE, chosen)
        went = await order(ours, theirs, hosts, [1] * 6 + [2] * 6)
        assert went[:9].count(2) == 6


@virtual_time
async def test_a_scheduler_or_a_stream_that_is_none_is_refused() -> None:
    """I05: EINVAL, and the scheduler stays."""
    async with connected(client=STREAMS) as (_, ours, _):
        before = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER)
        for wrong in (99, -1, "SCTP_SS_RR"):
            set_is_refused(ours, sctp.SCTP_STREAM_SCHEDULER, sctp.sctp_assoc_value(assoc_value=wrong))  # type: ignore[arg-type]  # wrong on purpose
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STREAM_SCHEDULER) == before
        for stream, weight in ((10, 1), (-1, 1), (1, -1), (1, 65536)):
            wrong_value = sctp.sctp_stream_value(stream_id=stream, stream_value=weight)
            set_is_refused(ours, sctp.SCTP_STREAM_SCHEDULER_VALUE, wrong_value)
