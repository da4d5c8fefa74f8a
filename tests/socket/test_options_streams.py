"""SCTP_RESET_STREAMS, SCTP_RESET_ASSOC, SCTP_ADD_STREAMS and SCTP_ENABLE_STREAM_RESET, with their events (RFC 6525)."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    SsnTsnResetRequest,
)
from tests.socket.on_the_wire import USER_DATA, sent
from tests.socket.pairs import (
    LONG,
    Prepare,
    connected,
    data,
    many,
    notification,
    setting,
    several,
    subscribed,
)
from tests.socket.refusals import get_is_refused, refused, set_is_refused
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
ALL = sctp.SCTP_ENABLE_RESET_STREAM_REQ | sctp.SCTP_ENABLE_RESET_ASSOC_REQ | sctp.SCTP_ENABLE_CHANGE_ASSOC_REQ

EVENTS = subscribed(sctp.SCTP_STREAM_RESET_EVENT, sctp.SCTP_ASSOC_RESET_EVENT, sctp.SCTP_STREAM_CHANGE_EVENT)


def enabled(value: Any, assoc_id: int = 0) -> Prepare:
    return setting(sctp.SCTP_ENABLE_STREAM_RESET, sctp.sctp_assoc_value(assoc_id=assoc_id, assoc_value=value))


TEN = setting(sctp.SCTP_INITMSG, sctp.sctp_initmsg(sinit_num_ostreams=10, sinit_max_instreams=20))
WILLING = several(EVENTS, TEN, enabled(ALL))
UNWILLING = several(EVENTS, TEN, enabled(0))


def resetting(flags: Any, *streams: Any, assoc_id: int = 0) -> sctp.sctp_reset_streams:
    return sctp.sctp_reset_streams(
        srs_assoc_id=assoc_id, srs_flags=flags, srs_number_streams=len(streams), srs_stream_list=streams
    )


def requests(hosts: TwoHosts, by: str, kind: type) -> list[Any]:
    return [
        parameter
        for each in sent(hosts, by, ReConfig)
        for parameter in each.chunk.parameters
        if isinstance(parameter, kind)
    ]


async def send_on(sock: sctp.SCTPSocket, stream: int, payload: bytes = b"x") -> None:
    await sock.sendv(payload, sndinfo=sctp.sctp_sndinfo(snd_sid=stream))


async def number_of(sock: sctp.SCTPSocket) -> tuple[int, int]:
    """The stream and the SSN of the next message."""
    received = await sock.recvv(LONG)
    assert received.rcvinfo is not None
    return received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ssn


# -- SCTP_RESET_STREAMS --


@virtual_time
async def test_a_reset_of_outgoing_streams_begins_their_numbers_anew() -> None:
    """B37: RFC 6525 §6.3.2; both sides are told by SCTP_STREAM_RESET_EVENT, each from where it stands."""
    rcvinfo = setting(sctp.SCTP_RECVRCVINFO, 1)
    async with many(client=WILLING, server=several(WILLING, rcvinfo)) as (hosts, ours, theirs, assoc_id):

        async def send(stream: int) -> None:
            await ours.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_sid=stream, snd_assoc_id=assoc_id))

        for stream in (1, 2, 2, 3):
            await send(stream)
        assert [await number_of(theirs) for _ in range(4)] == [(1, 0), (2, 0), (2, 1), (3, 0)]
        value = resetting(sctp.SCTP_STREAM_RESET_OUTGOING, 2, 3, assoc_id=assoc_id)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, value)
        done, told = await notification(ours), await notification(theirs)
        for event, flag in (
            (done, sctp.SCTP_STREAM_RESET_OUTGOING_SSN),
            (told, sctp.SCTP_STREAM_RESET_INCOMING_SSN),
        ):
            assert isinstance(event, sctp.sctp_stream_reset_event)
            assert (event.strreset_type, event.strreset_flags) == (sctp.SCTP_STREAM_RESET_EVENT, flag)
            assert list(event.strreset_stream_list) == [2, 3]
            assert event.strreset_length == 12 + 2 * 2
        assert done.strreset_assoc_id == assoc_id
        assert [request.streams for request in requests(hosts, "client", OutgoingSsnResetRequest)] == [(2, 3)]
        for stream in (1, 2, 3):
            await send(stream)
        assert [await number_of(theirs) for _ in range(3)] == [(1, 1), (2, 0), (3, 0)]


@virtual_time
async def test_a_reset_of_incoming_streams_is_asked_of_the_peer() -> None:
    """B37: SCTP_STREAM_RESET_INCOMING; it is the peer that resets, and its streams that begin anew."""
    rcvinfo = setting(sctp.SCTP_RECVRCVINFO, 1)
    async with connected(client=several(WILLING, rcvinfo), server=WILLING) as (hosts, ours, theirs):
        await send_on(theirs, 5)
        await send_on(theirs, 5)
        assert [await number_of(ours) for _ in range(2)] == [(5, 0), (5, 1)]
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, resetting(sctp.SCTP_STREAM_RESET_INCOMING, 5))
        done = await notification(ours)
        assert done.strreset_flags == sctp.SCTP_STREAM_RESET_INCOMING_SSN
        assert list(done.strreset_stream_list) == [5]
        assert [request.streams for request in requests(hosts, "client", IncomingSsnResetRequest)] == [(5,)]
        await send_on(theirs, 5)
        assert await number_of(ours) == (5, 0)


@virtual_time
async def test_an_empty_list_is_all_streams() -> None:
    """B37: "If it is empty, the operation is performed on all streams"; so does the event say."""
    async with connected(client=WILLING, server=several(WILLING, setting(sctp.SCTP_RECVRCVINFO, 1))) as (
        _,
        ours,
        theirs,
    ):
        for stream in range(3):
            await send_on(ours, stream)
            assert await number_of(theirs) == (stream, 0)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, resetting(sctp.SCTP_STREAM_RESET_OUTGOING))
        for sock in (ours, theirs):
            event = await notification(sock)
            assert list(event.strreset_stream_list) == []
            assert event.strreset_length == 12
        for stream in range(3):
            await send_on(ours, stream)
            assert await number_of(theirs) == (stream, 0)


@virtual_time
async def test_a_reset_that_the_peer_denies_is_told_as_denied() -> None:
    """B37: SCTP_ENABLE_STREAM_RESET without SCTP_ENABLE_RESET_STREAM_REQ denies (RFC 6525 §6.3.1)."""
    async with connected(client=WILLING, server=several(UNWILLING, setting(sctp.SCTP_RECVRCVINFO, 1))) as (
        _,
        ours,
        theirs,
    ):
        assert theirs.getsockopt(IPPROTO_SCTP, sctp.SCTP_ENABLE_STREAM_RESET).assoc_value == 0
        await send_on(ours, 2)
        assert await number_of(theirs) == (2, 0)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, resetting(sctp.SCTP_STREAM_RESET_OUTGOING, 2))
        denied = await notification(ours)
        assert denied.strreset_flags == sctp.SCTP_STREAM_RESET_OUTGOING_SSN | sctp.SCTP_STREAM_RESET_DENIED
        assert list(denied.strreset_stream_list) == [2]
        # What was denied is allowed when it is switched on in life.
        enabled(sctp.SCTP_ENABLE_RESET_STREAM_REQ)(theirs)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, resetting(sctp.SCTP_STREAM_RESET_OUTGOING, 2))
        assert (await notification(ours)).strreset_flags == sctp.SCTP_STREAM_RESET_OUTGOING_SSN


@virtual_time
async def test_a_second_request_while_one_is_under_way_is_ealready() -> None:
    """B37: RFC 6525 §6.3: "while the Re-configuration timer is running ... error is set to EALREADY"."""
    async with connected(client=WILLING, server=WILLING) as (hosts, ours, _):
        hosts.drop = lambda packet: True
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, resetting(sctp.SCTP_STREAM_RESET_OUTGOING, 1))
        await asyncio.sleep(0.1)
        again = resetting(sctp.SCTP_STREAM_RESET_OUTGOING, 2)
        set_is_refused(ours, sctp.SCTP_RESET_STREAMS, again, errno.EALREADY)
        more = sctp.sctp_add_streams(sas_outstrms=1)
        set_is_refused(ours, sctp.SCTP_ADD_STREAMS, more, errno.EALREADY)
        set_is_refused(ours, sctp.SCTP_RESET_ASSOC, 0, errno.EALREADY)
        hosts.drop = lambda packet: False
        assert list((await notification(ours)).strreset_stream_list) == [1]
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_STREAMS, again)
        assert list((await notification(ours)).strreset_stream_list) == [2]


@virtual_time
async def test_a_reset_of_nothing_or_of_a_stream_that_is_none_is_refused() -> None:
    """B37, I05: EINVAL, and nothing is asked of the peer."""
    async with connected(client=WILLING, server=WILLING) as (hosts, ours, _):
        outgoing = sctp.SCTP_STREAM_RESET_OUTGOING
        not_a_list: Any = 7
        for wrong in (
            resetting(0, 1),
            resetting(0x4000, 1),
            resetting(outgoing, 10),
            resetting(outgoing, -1),
            resetting(outgoing, "1"),
            resetting("outgoing", 1),
            sctp.sctp_reset_streams(srs_flags=outgoing, srs_number_streams=1, srs_stream_list=not_a_list),
            7,
            None,
        ):
            set_is_refused(ours, sctp.SCTP_RESET_STREAMS, wrong)
        await asyncio.sleep(1)
        assert not sent(hosts, "client", ReConfig)


@pytest.mark.parametrize("name", ["SCTP_RESET_STREAMS", "SCTP_RESET_ASSOC", "SCTP_ADD_STREAMS"])
@virtual_time
async def test_what_can_only_be_asked_for_cannot_be_read(name: str) -> None:
    """B37: write-only (RFC 6525 §6.3, Table 5)."""
    async with connected(client=WILLING, server=WILLING) as (_, ours, _):
        get_is_refused(ours, getattr(sctp, name), code=errno.ENOPROTOOPT)


@virtual_time
async def test_without_the_extension_nothing_can_be_asked_for() -> None:
    """B37, I07: SCTP_RECONFIG_SUPPORTED off at either side: EOPNOTSUPP."""
    off = setting(sctp.SCTP_RECONFIG_SUPPORTED, sctp.sctp_assoc_value(assoc_value=0))
    async with connected(client=WILLING, server=several(WILLING, off)) as (hosts, ours, theirs):
        for sock in (ours, theirs):
            assert sock.getsockopt(IPPROTO_SCTP, sctp.SCTP_RECONFIG_SUPPORTED).assoc_value == 0
            outgoing = resetting(sctp.SCTP_STREAM_RESET_OUTGOING, 1)
            set_is_refused(sock, sctp.SCTP_RESET_STREAMS, outgoing, errno.EOPNOTSUPP)
            set_is_refused(sock, sctp.SCTP_RESET_ASSOC, 0, errno.EOPNOTSUPP)
            more = sctp.sctp_add_streams(sas_outstrms=1)
            set_is_refused(sock, sctp.SCTP_ADD_STREAMS, more, errno.EOPNOTSUPP)
        await asyncio.sleep(1)
        assert not sent(hosts, "client", ReConfig)


# -- SCTP_RESET_ASSOC --


@virtual_time
async def test_a_reset_of_the_association_begins_all_numbers_anew() -> None:
    """RFC 6525 §6.3.3: SCTP_RESET_ASSOC, told by SCTP_ASSOC_RESET_EVENT with the TSNs that come next."""
    rcvinfo = setting(sctp.SCTP_RECVRCVINFO, 1)
    async with many(client=WILLING, server=several(WILLING, rcvinfo)) as (hosts, ours, theirs, assoc_id):
        sndinfo = sctp.sctp_sndinfo(snd_sid=1, snd_assoc_id=assoc_id)
        await ours.sendv(b"before", sndinfo=sndinfo)
        assert await number_of(theirs) == (1, 0)
        await asyncio.sleep(1)
        for wrong in (99, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, "3", None):
            set_is_refused(ours, sctp.SCTP_RESET_ASSOC, wrong)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_ASSOC, assoc_id)
        ours_told, theirs_told = await notification(ours), await notification(theirs)
        assert isinstance(ours_told, sctp.sctp_assoc_reset_event)
        assert (ours_told.assocreset_type, ours_told.assocreset_flags) == (sctp.SCTP_ASSOC_RESET_EVENT, 0)
        assert (ours_told.assocreset_length, ours_told.assocreset_assoc_id) == (20, assoc_id)
        assert ours_told.assocreset_local_tsn == theirs_told.assocreset_remote_tsn
        assert ours_told.assocreset_remote_tsn == theirs_told.assocreset_local_tsn
        assert len(requests(hosts, "client", SsnTsnResetRequest)) == 1
        await ours.sendv(b"after", sndinfo=sndinfo)
        assert await number_of(theirs) == (1, 0)
        assert sent(hosts, "client", *USER_DATA)[-1].chunk.tsn == ours_told.assocreset_local_tsn


@virtual_time
async def test_a_reset_of_the_association_that_is_denied_changes_nothing() -> None:
    """RFC 6525 §6.3.1: without SCTP_ENABLE_RESET_ASSOC_REQ: SCTP_ASSOC_RESET_DENIED."""
    only_streams = several(EVENTS, TEN, enabled(sctp.SCTP_ENABLE_RESET_STREAM_REQ))
    async with connected(client=WILLING, server=only_streams) as (_, ours, theirs):
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_RESET_ASSOC, 0)
        assert (await notification(ours)).assocreset_flags == sctp.SCTP_ASSOC_RESET_DENIED
        await ours.send(b"as before")
        assert await data(theirs) == b"as before"


# -- SCTP_ADD_STREAMS --


@virtual_time
async def test_streams_are_added_both_ways() -> None:
    """RFC 6525 §6.3.4: SCTP_ADD_STREAMS, told by SCTP_STREAM_CHANGE_EVENT with how many there are now."""
    async with many(client=WILLING, server=WILLING) as (hosts, ours, theirs, assoc_id):
        beyond = sctp.sctp_sndinfo(snd_sid=12, snd_assoc_id=assoc_id)
        with refused(errno.EINVAL):
            await ours.sendv(b"too early", sndinfo=beyond)
        more = sctp.sctp_add_streams(sas_assoc_id=assoc_id, sas_outstrms=3)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_ADD_STREAMS, more)
        change = await notification(ours)
        assert isinstance(change, sctp.sctp_stream_change_event)
        assert (change.strchange_type, change.strchange_flags) == (sctp.SCTP_STREAM_CHANGE_EVENT, 0)
        assert (change.strchange_length, change.strchange_assoc_id) == (16, assoc_id)
        assert (change.strchange_instrms, change.strchange_outstrms) == (10, 13)
        change = await notification(theirs)
        assert (change.strchange_instrms, change.strchange_outstrms) == (13, 10)
        await ours.sendv(b"now", sndinfo=beyond)
        assert await data(theirs) == b"now"
        assert [request.new_streams for request in requests(hosts, "client", AddOutgoingStreamsRequest)] == [3]
        ours.setsockopt(
            IPPROTO_SCTP, sctp.SCTP_ADD_STREAMS, sctp.sctp_add_streams(sas_assoc_id=assoc_id, sas_instrms=2)
        )
        change = await notification(ours)
        assert (change.strchange_instrms, change.strchange_outstrms) == (12, 13)
        assert [request.new_streams for request in requests(hosts, "client", AddIncomingStreamsRequest)] == [2]
        status = ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_STATUS, sctp.sctp_status(sstat_assoc_id=assoc_id))
        assert (status.sstat_instrms, status.sstat_outstrms) == (12, 13)


@virtual_time
async def test_more_streams_than_the_peer_takes_or_allows_are_denied() -> None:
    """RFC 6525 §6.3.4, §6.3.1: sinit_max_instreams, and SCTP_ENABLE_CHANGE_ASSOC_REQ."""
    for server, count in ((WILLING, 11), (UNWILLING, 1)):
        async with connected(client=WILLING, server=server) as (_, ours, _):
            ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_ADD_STREAMS, sctp.sctp_add_streams(sas_outstrms=count))
            change = await notification(ours)
            assert change.strchange_flags == sctp.SCTP_STREAM_CHANGE_DENIED
            assert change.strchange_outstrms == 10
            with refused(errno.EINVAL):
                await send_on(ours, 10)
            for wrong in (0, -1, 65536, "1"):
                value = sctp.sctp_add_streams(sas_outstrms=wrong)  # type: ignore[arg-type]  # wrong on purpose
                set_is_refused(ours, sctp.SCTP_ADD_STREAMS, value)


@virtual_time
async def test_what_the_peer_may_ask_for_is_three_flags() -> None:
    """RFC 6525 §6.3.1: other bits are EINVAL; SCTP_ENABLE_STREAM_RESET is by association, too."""
    async with many() as (_, ours, _, assoc_id):
        enabled(sctp.SCTP_ENABLE_RESET_ASSOC_REQ, assoc_id)(ours)
        enabled(ALL, sctp.SCTP_FUTURE_ASSOC)(ours)

        def read(which: int) -> int:
            value = sctp.sctp_assoc_value(assoc_id=which)
            return int(ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_ENABLE_STREAM_RESET, value).assoc_value)

        assert (read(assoc_id), read(sctp.SCTP_FUTURE_ASSOC)) == (sctp.SCTP_ENABLE_RESET_ASSOC_REQ, ALL)
        for wrong in (8, -1, "all"):
            set_is_refused(ours, sctp.SCTP_ENABLE_STREAM_RESET, sctp.sctp_assoc_value(assoc_value=wrong))  # type: ignore[arg-type]  # wrong on purpose
        set_is_refused(ours, sctp.SCTP_ENABLE_STREAM_RESET, sctp.sctp_assoc_value(assoc_id=99, assoc_value=1))
        assert read(sctp.SCTP_FUTURE_ASSOC) == ALL
