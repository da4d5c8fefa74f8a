"""Ancillary data of `sendmsg` and `recvmsg` (RFC 6458 §5)."""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket as standard
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import Init
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
    switch_on,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

Item = tuple[int, int, Any]


def sndinfo(**fields: int) -> Item:
    return (sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, sctp.sctp_sndinfo(**fields))


def items_of(ancdata: list[Item], kind: int) -> list[Any]:
    return [value for level, type, value in ancdata if (level, type) == (sctp.IPPROTO_SCTP, kind)]


# -- sending --


@virtual_time
async def test_sndinfo_says_stream_ppid_and_flags() -> None:
    """D01, D04, D06: they are in the chunk as they were given, the ppid most significant byte first."""
    async with one_to_one_pair(config=aiosctp.Config(interleaving=False)) as pair:
        await pair.client.sendmsg([b"x"], [sndinfo(snd_sid=9, snd_ppid=0x01020304, snd_flags=sctp.SCTP_UNORDERED)])
        await receive(pair.server)
        (chunk,) = pair.hosts.user_data(CLIENT_HOST)
        assert (chunk.stream, chunk.ppid, chunk.unordered) == (9, 0x01020304, True)
        assert any(b"\x01\x02\x03\x04x" in packet.data for packet in pair.hosts.log)


@pytest.mark.parametrize("stream", [256, 65535, 65536, -1])
@virtual_time
async def test_an_invalid_stream_fails_the_call_and_queues_nothing(stream: int) -> None:
    """D04, I11: "If a sender specifies an invalid stream number, an error indication is returned and the call
    fails." """
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sendmsg([b"x"], [sndinfo(snd_sid=stream)])
        await pair.client.send(b"first")
        assert await receive(pair.server) == b"first"
        assert len(pair.hosts.user_data()) == 1


@virtual_time
async def test_sndrcv_sends_with_all_that_it_says() -> None:
    """D03: stream, flags, ppid, context and timetolive of the old structure; ssn, tsn and cumtsn are ignored."""
    async with one_to_one_pair() as pair:
        old = sctp.sctp_sndrcvinfo(
            sinfo_stream=7, sinfo_ppid=46, sinfo_flags=sctp.SCTP_UNORDERED, sinfo_ssn=99, sinfo_tsn=5, sinfo_cumtsn=6
        )
        await pair.client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDRCV, old)])
        await receive(pair.server)
        (chunk,) = pair.hosts.user_data(CLIENT_HOST)
        assert (chunk.stream, chunk.ppid, chunk.unordered) == (7, 46, True)
        assert chunk.tsn != 5


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (sctp.SCTP_SNDRCV, sctp.sctp_sndrcvinfo(sinfo_timetolive=500, sinfo_context=77)),
        (sctp.SCTP_PRINFO, sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=500)),
    ],
)
@virtual_time
async def test_a_message_that_outlives_its_time_is_dropped(kind: int, fields: Any) -> None:
    """D03, D08: milliseconds; the message is not sent after them, and comes back to its sender with its context."""
    async with one_to_one_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        await pair.client.sendmsg([b"stale"], [(sctp.IPPROTO_SCTP, kind, fields)])
        began = asyncio.get_running_loop().time()
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        assert asyncio.get_running_loop().time() - began < 2
        assert failed.ssfe_data == b"stale"
        if kind == sctp.SCTP_SNDRCV:
            assert failed.ssfe_info.snd_context == 77
        pair.hosts.drop = lambda packet: False
        await pair.client.send(b"fresh")
        assert await receive(pair.server) == b"fresh"


@virtual_time
async def test_a_time_to_live_of_0_is_none() -> None:
    """D08: "the value of 0 is special in that it indicates no timeout should occur"."""
    async with one_to_one_pair() as pair:
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        old = sctp.sctp_sndrcvinfo(sinfo_timetolive=0)
        await pair.client.sendmsg([b"kept"], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDRCV, old)])
        await asyncio.sleep(10)
        pair.hosts.drop = lambda packet: False
        assert await receive(pair.server) == b"kept"


@virtual_time
async def test_the_context_comes_back_with_a_failed_send() -> None:
    """D07: "passed back to the upper layer if an error occurs on the send of a message"."""
    async with one_to_one_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        for context in (0xFFFFFFFF, 1):
            await pair.client.sendmsg([b"%d" % context], [sndinfo(snd_context=context, snd_sid=2, snd_ppid=3)])
        pair.server.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        await pair.server.close()
        for context in (0xFFFFFFFF, 1):
            failed = await notification(pair.client, sctp.sctp_send_failed_event)
            assert failed.ssfe_data == b"%d" % context
            assert (failed.ssfe_info.snd_context, failed.ssfe_info.snd_sid, failed.ssfe_info.snd_ppid) == (
                context,
                2,
                3,
            )


@virtual_time
async def test_init_says_how_an_implicit_association_is_set_up() -> None:
    """D02: streams, attempts and the longest timeout, of this association alone; 0 is the endpoint's default."""
    async with SocketHosts(config=aiosctp.Config(outbound_streams=7, max_inbound_streams=8)) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        init = sctp.sctp_initmsg(sinit_num_ostreams=21, sinit_max_instreams=22)
        await client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, sctp.SCTP_INIT, init)], address=SERVER)
        assert await receive(server) == b"x"
        (first,) = hosts.said(Init)
        assert (first.outbound_streams, first.inbound_streams) == (21, 22)
        other = hosts.listening(sctp.SOCK_SEQPACKET, port=PORT + 1)
        await client.sendmsg(
            [b"y"], [(sctp.IPPROTO_SCTP, sctp.SCTP_INIT, sctp.sctp_initmsg())], address=(SERVER[0], PORT + 1)
        )
        assert await receive(other) == b"y"
        second = hosts.said(Init)[-1]
        assert (second.outbound_streams, second.inbound_streams) == (7, 8)


@virtual_time
async def test_init_says_how_often_and_how_slowly_to_ask() -> None:
    """D02: max_attempts is how often the INIT is sent again, max_init_timeo bounds its timeout in milliseconds."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_many()
        hosts.network.partition(hosts.client_host)
        subscribe(client, sctp.SCTP_ASSOC_CHANGE)
        init = sctp.sctp_initmsg(sinit_max_attempts=4, sinit_max_init_timeo=1500)
        await client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, sctp.SCTP_INIT, init)], address=SERVER)
        change = await notification(client, sctp.sctp_assoc_change)
        assert change.sac_state == sctp.SCTP_CANT_STR_ASSOC
        times = [passage.sent_at_s for passage in hosts.network.passages if brings(passage.packet, Init)]
        gaps = [round(later - earlier, 2) for earlier, later in itertools.pairwise(times)]
        assert gaps == [1.0, 1.5, 1.5, 1.5]


@virtual_time
async def test_init_is_for_implicit_set_up_alone() -> None:
    """D02: on an association that is there it changes nothing."""
    async with one_to_many_pair() as pair:
        init = sctp.sctp_initmsg(sinit_num_ostreams=2)
        await pair.client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, sctp.SCTP_INIT, init)], address=SERVER)
        assert await receive(pair.server) == b"x"
        await pair.client.sendmsg([b"y"], [sndinfo(snd_sid=9)], address=SERVER)
        assert await receive(pair.server) == b"y"


@virtual_time
async def test_items_come_in_any_order_among_those_of_other_protocols() -> None:
    """D18: "The ordering of ancillary data items ... is not significant", and items of other levels are left alone."""
    items: list[Item] = [
        sndinfo(snd_sid=3, snd_ppid=4),
        (sctp.IPPROTO_SCTP, sctp.SCTP_PRINFO, sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=60_000)),
        (standard.IPPROTO_IP, 8, b"\x00" * 12),
        (standard.SOL_SOCKET, 1, b"\x00\x00\x00\x00"),
    ]
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        for order in (items, items[::-1], items[2:] + items[:2]):
            await pair.client.sendmsg([b"x"], order)
            received = await pair.server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            assert (received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (3, 4)


@pytest.mark.parametrize(
    "items",
    [
        [sndinfo(snd_sid=1), sndinfo(snd_sid=2)],
        [sndinfo(snd_sid=1), (sctp.IPPROTO_SCTP, sctp.SCTP_SNDRCV, sctp.sctp_sndrcvinfo(sinfo_stream=1))],
        [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, sctp.sctp_prinfo())],
        [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, b"\x00" * 16)],
        [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO)],
        [(sctp.IPPROTO_SCTP, sctp.SCTP_RCVINFO, sctp.sctp_rcvinfo())],
        [(sctp.IPPROTO_SCTP, 9999, b"")],
        [sndinfo(snd_ppid=2**32)],
        [sndinfo(snd_context=-1)],
        [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, sctp.sctp_sndinfo(snd_sid="1"))],  # type: ignore[arg-type]  # wrong on purpose
        [(sctp.IPPROTO_SCTP, sctp.SCTP_PRINFO, sctp.sctp_prinfo(pr_policy=0x7777))],
        "items",
        7,
    ],
)
@virtual_time
async def test_wrong_items_are_einval_and_nothing_is_sent(items: Any) -> None:
    """D18, I05: "There can be only one such type of ancillary data for each sendmsg()"."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sendmsg([b"x"], items)
        await pair.client.send(b"first")
        assert await receive(pair.server) == b"first"


@virtual_time
async def test_dstaddr_items_are_the_addresses_of_an_implicit_set_up() -> None:
    """D03: SCTP_DSTADDRV4 and V6 hold a host each: "to provide more than one destination address to sendmsg()"."""
    hosts_of = {"client_addresses": (CLIENT_HOST, "2001:db8::1"), "server_addresses": ("192.0.2.2", "2001:db8::2")}
    async with SocketHosts(**hosts_of) as hosts:
        server = hosts.socket(sctp.SOCK_SEQPACKET, hosts.server, sctp.AF_INET6)
        server.bind(("::", PORT))
        server.listen(1)
        client = hosts.socket(sctp.SOCK_SEQPACKET, hosts.client, sctp.AF_INET6)
        hosts.network.partition("192.0.2.2")
        items: list[Item] = [
            (sctp.IPPROTO_SCTP, sctp.SCTP_DSTADDRV4, "192.0.2.2"),
            (sctp.IPPROTO_SCTP, sctp.SCTP_DSTADDRV6, "2001:db8::2"),
        ]
        await client.sendmsg([b"x"], items, address=("192.0.2.2", PORT))
        assert await receive(server) == b"x"
        assert len(ids(client)) == 1


# -- receiving --


@virtual_time
async def test_no_ancillary_data_comes_unasked() -> None:
    """D01: "By default, on either style of socket, SCTP will pass no ancillary data." """
    async with one_to_one_pair() as pair:
        await pair.client.send(b"x")
        _, ancdata, flags, _ = await pair.server.recvmsg(ENOUGH)
        assert (list(ancdata), flags) == ([], sctp.MSG_EOR)
        await pair.client.send(b"y")
        received = await pair.server.recvv(ENOUGH)
        assert (received.rcvinfo, received.nxtinfo) == (None, None)


@virtual_time
async def test_rcvinfo_describes_what_came() -> None:
    """D01, D05, D06, D09, D10: stream, ssn, ppid, tsn, cumulative tsn and association, as the chunk had them."""
    async with one_to_many_pair(config=aiosctp.Config(interleaving=False)) as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        for number in range(3):
            await pair.client.sendmsg([b"x"], [sndinfo(snd_sid=6, snd_ppid=number + 10)], address=SERVER)
            _, ancdata, _, _ = await pair.server.recvmsg(ENOUGH)
            (info,) = items_of(list(ancdata), sctp.SCTP_RCVINFO)
            chunk = pair.hosts.user_data(CLIENT_HOST)[-1]
            assert isinstance(info, sctp.sctp_rcvinfo)
            assert (info.rcv_sid, info.rcv_ssn, info.rcv_ppid) == (6, number, number + 10)
            assert (info.rcv_tsn, info.rcv_cumtsn) == (chunk.tsn, chunk.tsn)
            assert (info.rcv_assoc_id, info.rcv_flags) == (pair.server_id, 0)


@virtual_time
async def test_nxtinfo_describes_what_waits() -> None:
    """D01, D17: only while a message waits; the last one has none."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVNXTINFO)
        await pair.client.send(b"first")
        await pair.client.sendmsg([b"second"], [sndinfo(snd_sid=5, snd_ppid=47, snd_flags=sctp.SCTP_UNORDERED)])
        await asyncio.sleep(1)
        found = []
        for _ in range(2):
            data, ancdata, _, _ = await pair.server.recvmsg(ENOUGH)
            found.append((data, items_of(list(ancdata), sctp.SCTP_NXTINFO)))
        assert found[1] == (b"second", [])
        assert found[0][0] == b"first"
        (info,) = found[0][1]
        assert (info.nxt_sid, info.nxt_ppid, info.nxt_length) == (5, 47, 6)
        assert info.nxt_flags == sctp.SCTP_UNORDERED | sctp.SCTP_COMPLETE


@virtual_time
async def test_nxtinfo_says_that_a_notification_is_next() -> None:
    """D17: SCTP_NOTIFICATION "is present when the next message is not a user message"."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVNXTINFO)
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT)
        await pair.client.send(b"last")
        await pair.client.close()
        await asyncio.sleep(1)
        received = await pair.server.recvv(ENOUGH)
        assert received.data == b"last"
        assert received.nxtinfo is not None
        assert received.nxtinfo.nxt_flags & sctp.SCTP_NOTIFICATION
        await notification(pair.server, sctp.sctp_shutdown_event)


@virtual_time
async def test_sndrcv_comes_when_data_io_events_are_on() -> None:
    """D03: the old structure, as SCTP_EVENTS asks for it, with the fields of what came."""
    async with one_to_many_pair(config=aiosctp.Config(interleaving=False)) as pair:
        events = sctp.sctp_event_subscribe(sctp_data_io_event=1)
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENTS, events)
        await pair.client.sendmsg(
            [b"x"], [sndinfo(snd_sid=6, snd_ppid=10, snd_flags=sctp.SCTP_UNORDERED)], address=SERVER
        )
        _, ancdata, _, _ = await pair.server.recvmsg(ENOUGH)
        (info,) = items_of(list(ancdata), sctp.SCTP_SNDRCV)
        (chunk,) = pair.hosts.user_data(CLIENT_HOST)
        assert (info.sinfo_stream, info.sinfo_ppid, info.sinfo_flags) == (6, 10, sctp.SCTP_UNORDERED)
        assert (info.sinfo_tsn, info.sinfo_cumtsn, info.sinfo_assoc_id) == (chunk.tsn, chunk.tsn, pair.server_id)


@virtual_time
async def test_a_short_control_buffer_is_msg_ctrunc() -> None:
    """D01, D17: "the ancillary data will be truncated and the msghdr's msg_flags will include MSG_CTRUNC"; the data is
    whole."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO, sctp.SCTP_RECVNXTINFO)
        for _ in range(3):
            await pair.client.send(b"data")
        await asyncio.sleep(1)
        data, ancdata, flags, _ = await pair.server.recvmsg(ENOUGH, 0)
        assert (data, list(ancdata), flags) == (b"data", [], sctp.MSG_EOR | sctp.MSG_CTRUNC)
        data, ancdata, flags, _ = await pair.server.recvmsg(ENOUGH)
        assert (data, flags) == (b"data", sctp.MSG_EOR)
        assert len(list(ancdata)) == 2
        data, ancdata, flags, _ = await pair.server.recvmsg(ENOUGH)
        assert (data, flags) == (b"data", sctp.MSG_EOR)
        assert len(items_of(list(ancdata), sctp.SCTP_RCVINFO)) == 1


@pytest.mark.parametrize("bufsize", [-1, "1", None])
@virtual_time
async def test_a_wrong_buffer_size_is_einval_and_reads_nothing(bufsize: Any) -> None:
    """D01, I05: the message is still there afterwards."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"kept")
        await asyncio.sleep(1)
        for call in (pair.server.recv, pair.server.recvfrom, pair.server.recvmsg, pair.server.recvv):
            with refused(errno.EINVAL):
                await call(bufsize)
        assert await receive(pair.server) == b"kept"
