"""The notifications of RFC 6458 §6.1, each with its fields, read by recvv: what happened to the association."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Link
from aiosctp.wire.chunks import Abort, Error, Sack
from tests.socket.injecting import inject
from tests.socket.on_the_wire import USER_DATA, has, sent
from tests.socket.pairs import (
    CLIENT_PORT,
    LONG,
    SERVER,
    TWO_ADDRESSES,
    Prepare,
    connected,
    data,
    ids,
    listener,
    many,
    notification,
    one_to_many,
    one_to_one,
    setting,
    several,
    subscribed,
)
from tests.socket.refusals import refused
from tests.surface.two_hosts import DELAY_S, PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP

# -- SCTP_ASSOC_CHANGE --

ASSOC_CHANGE = subscribed(sctp.SCTP_ASSOC_CHANGE)


def streams(outbound: int, inbound: int) -> Prepare:
    value = sctp.sctp_initmsg(sinit_num_ostreams=outbound, sinit_max_instreams=inbound)
    return setting(sctp.SCTP_INITMSG, value)


@virtual_time
async def test_an_association_that_came_up_is_told_first_and_with_its_streams() -> None:
    """C02, C03, C16: SCTP_COMM_UP "should be the first one"; sac_info lists what both sides support."""
    async with many(client=several(ASSOC_CHANGE, streams(20, 4)), server=several(ASSOC_CHANGE, streams(6, 9))) as (
        _,
        ours,
        theirs,
        assoc_id,
    ):
        await ours.sendto(b"data", 0, SERVER)
        up = await notification(ours)
        assert isinstance(up, sctp.sctp_assoc_change)
        assert (up.sac_type, up.sac_flags) == (sctp.SCTP_ASSOC_CHANGE, 0)
        assert up.sac_length == 20 + len(up.sac_info)
        assert (up.sac_state, up.sac_error, up.sac_assoc_id) == (sctp.SCTP_COMM_UP, 0, assoc_id)
        assert (up.sac_outbound_streams, up.sac_inbound_streams) == (9, 4)
        assert sctp.SCTP_ASSOC_SUPPORTS_PR in up.sac_info
        assert sctp.SCTP_ASSOC_SUPPORTS_MULTIBUF in up.sac_info
        assert sctp.SCTP_ASSOC_SUPPORTS_RE_CONFIG in up.sac_info
        assert sctp.SCTP_ASSOC_SUPPORTS_AUTH not in up.sac_info
        theirs_up = await notification(theirs)
        assert (theirs_up.sac_state, theirs_up.sac_assoc_id) == (sctp.SCTP_COMM_UP, ids(theirs)[0])
        assert (theirs_up.sac_outbound_streams, theirs_up.sac_inbound_streams) == (4, 9)
        assert await data(theirs) == b"data"


@virtual_time
async def test_features_that_one_side_lacks_are_not_told() -> None:
    """C02: sac_info (RFC 6458 §6.1.1, RFC 6525 §6.1, RFC 8260 §4.2) is what was negotiated."""
    without = several(
        ASSOC_CHANGE,
        setting(sctp.SCTP_PR_SUPPORTED, sctp.sctp_assoc_value(assoc_value=0)),
        setting(sctp.SCTP_RECONFIG_SUPPORTED, sctp.sctp_assoc_value(assoc_value=0)),
    )
    async with many(client=ASSOC_CHANGE, server=without) as (_, ours, theirs, _):
        for sock in (ours, theirs):
            info = (await notification(sock)).sac_info
            assert sctp.SCTP_ASSOC_SUPPORTS_PR not in info
            assert sctp.SCTP_ASSOC_SUPPORTS_RE_CONFIG not in info
            assert sctp.SCTP_ASSOC_SUPPORTS_INTERLEAVING not in info


@virtual_time
async def test_an_accepted_socket_reads_of_its_association_first() -> None:
    """C03: the listener's subscription is that of the socket that it accepts, from the beginning."""
    async with connected(client=ASSOC_CHANGE, server=ASSOC_CHANGE) as (_, ours, theirs):
        await ours.send(b"data")
        for sock in (ours, theirs):
            assert (await notification(sock)).sac_state == sctp.SCTP_COMM_UP
        assert await data(theirs) == b"data"


@virtual_time
async def test_an_association_that_the_peer_aborts_is_lost_with_the_abort_chunk() -> None:
    """C02, C04: sac_info "contains the complete ABORT chunk", sac_error its cause."""
    async with connected(server=ASSOC_CHANGE) as (hosts, ours, theirs):
        assert (await notification(theirs)).sac_state == sctp.SCTP_COMM_UP
        await ours.sendv(b"the reason", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        lost = await notification(theirs)
        assert (lost.sac_state, lost.sac_error) == (sctp.SCTP_COMM_LOST, 12)
        (abort,) = sent(hosts, "client", Abort)
        assert lost.sac_info == abort.packet.data[12:]
        assert b"the reason" in lost.sac_info
        assert lost.sac_length == 20 + len(lost.sac_info)


@virtual_time
async def test_a_lost_association_returns_each_message_after_that() -> None:
    """C04, C11, C12: COMM_LOST, then one SEND_FAILED_EVENT per message, in their order, those that were on the wire
    marked."""
    events = subscribed(sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED_EVENT)
    async with many(client=events) as (hosts, ours, _, assoc_id):
        assert (await notification(ours)).sac_state == sctp.SCTP_COMM_UP
        ours.setsockopt(
            IPPROTO_SCTP, sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_assoc_id=assoc_id, sasoc_asocmaxrxt=1)
        )
        hosts.drop = lambda packet: True
        for number in range(10):
            sndinfo = sctp.sctp_sndinfo(
                snd_sid=0,
                snd_flags=sctp.SCTP_UNORDERED if number == 1 else 0,
                snd_ppid=number,
                snd_context=1000 + number,
                snd_assoc_id=assoc_id,
            )
            await ours.sendv(bytes([number]) * 1400, sndinfo=sndinfo)
        lost = await notification(ours)
        assert (lost.sac_state, lost.sac_assoc_id, lost.sac_info) == (sctp.SCTP_COMM_LOST, assoc_id, b"")
        failures = [await notification(ours) for _ in range(10)]
        for number, failed in enumerate(failures):
            assert isinstance(failed, sctp.sctp_send_failed_event)
            assert failed.ssfe_type == sctp.SCTP_SEND_FAILED_EVENT
            assert failed.ssfe_data == bytes([number]) * 1400
            assert failed.ssfe_length == 28 + 1400 + 4
            assert failed.ssfe_assoc_id == failed.ssfe_info.snd_assoc_id == assoc_id
            assert (failed.ssfe_info.snd_ppid, failed.ssfe_info.snd_context) == (number, 1000 + number)
            unordered = sctp.SCTP_UNORDERED if number == 1 else 0
            assert failed.ssfe_info.snd_flags == sctp.SCTP_DATA_NOT_FRAG | unordered
        flags = [failed.ssfe_flags for failed in failures]
        on_the_wire = flags.count(sctp.SCTP_DATA_SENT)
        assert flags == [sctp.SCTP_DATA_SENT] * on_the_wire + [sctp.SCTP_DATA_UNSENT] * (10 - on_the_wire)
        assert 0 < on_the_wire < 10


@virtual_time
async def test_a_message_of_which_the_peer_acknowledged_a_part_is_returned_whole() -> None:
    """C11: SCTP_DATA_NOT_FRAG is the complete message: the peer that got the beginning only will not deliver it."""
    async with connected(client=subscribed(sctp.SCTP_SEND_FAILED_EVENT)) as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(delay_s=DELAY_S, bandwidth_bps=1e6))
        message = bytes(number % 251 for number in range(100_000))
        await ours.send(message)
        await asyncio.sleep(0.2)
        acknowledged = sent(hosts, "server", Sack)[-1].chunk.cumulative_tsn_ack
        assert acknowledged >= sent(hosts, "client", *USER_DATA)[0].chunk.tsn
        setting(sctp.SO_LINGER, sctp.linger(1, 0), sctp.SOL_SOCKET)(theirs)
        await theirs.close()
        failed = await notification(ours)
        assert failed.ssfe_info.snd_flags == sctp.SCTP_DATA_NOT_FRAG
        assert failed.ssfe_data == message
        assert failed.ssfe_flags == sctp.SCTP_DATA_SENT


@virtual_time
async def test_of_a_record_that_was_sent_in_parts_those_that_failed_are_returned() -> None:
    """C11: SCTP_DATA_LAST_FRAG: "the first part of the message is sent successfully ... the tail end of the message is
    returned"."""
    client = several(subscribed(sctp.SCTP_SEND_FAILED_EVENT), setting(sctp.SCTP_EXPLICIT_EOR, 1))
    async with connected(client=client) as (hosts, ours, theirs):
        await ours.send(b"the first part, ")
        await asyncio.sleep(1)
        hosts.drop = lambda packet: has(packet, *USER_DATA)
        await ours.sendv(b"and the last", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOR))
        await asyncio.sleep(0.1)
        setting(sctp.SO_LINGER, sctp.linger(1, 0), sctp.SOL_SOCKET)(theirs)
        await theirs.close()
        failed = await notification(ours)
        assert failed.ssfe_info.snd_flags == sctp.SCTP_DATA_LAST_FRAG
        assert failed.ssfe_data == b"and the last"
        assert failed.ssfe_flags == sctp.SCTP_DATA_SENT


@virtual_time
async def test_the_old_send_failed_has_the_old_structure() -> None:
    """C11: SCTP_SEND_FAILED (deprecated, RFC 6458 §6.1.4) with sndrcvinfo, subscribed by sctp_send_failure_event."""
    subscribe = setting(sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_send_failure_event=1))
    async with connected(client=subscribe) as (hosts, ours, _):
        hosts.drop = lambda packet: True
        await ours.sctp_sendmsg(b"lost", None, 46, sctp.SCTP_UNORDERED, 0, 1000, 77)
        failed = await notification(ours)
        assert isinstance(failed, sctp.sctp_send_failed)
        assert (failed.ssf_type, failed.ssf_data) == (sctp.SCTP_SEND_FAILED, b"lost")
        info = failed.ssf_info
        assert (info.sinfo_stream, info.sinfo_ppid, info.sinfo_context) == (0, 46, 77)
        assert info.sinfo_flags & sctp.SCTP_UNORDERED
        assert failed.ssf_flags == sctp.SCTP_DATA_SENT


@virtual_time
async def test_a_message_that_is_abandoned_is_returned_while_the_association_goes_on() -> None:
    """C11, C12: of two messages whose lifetime ends, one was on the wire and one never."""
    async with connected(client=subscribed(sctp.SCTP_SEND_FAILED_EVENT)) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        lifetime = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=500)
        for number in range(20):
            await ours.sendv(bytes([number]) * 1400, prinfo=lifetime)
        await asyncio.sleep(2)
        failures = [await notification(ours) for _ in range(20)]
        flags = {failed.ssfe_data[0]: failed.ssfe_flags for failed in failures}
        assert flags[0] == sctp.SCTP_DATA_SENT
        assert flags[19] == sctp.SCTP_DATA_UNSENT
        hosts.drop = lambda packet: False
        await ours.send(b"still here")
        assert await data(theirs) == b"still here"


@virtual_time
async def test_an_association_that_could_not_be_set_up_returns_what_was_queued() -> None:
    """C07, A37: SCTP_CANT_STR_ASSOC, then SEND_FAILED for each message, none of which was sent."""
    events = subscribed(sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED_EVENT)
    async with TwoHosts() as hosts, one_to_many(hosts, events) as sock:
        sock.setblocking(False)
        for message in (b"first", b"second"):
            assert await sock.sendto(message, 0, SERVER) == len(message)
        sock.setblocking(True)
        failed = await notification(sock)
        assert (failed.sac_type, failed.sac_state) == (sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_CANT_STR_ASSOC)
        (abort,) = sent(hosts, "server", Abort)
        returned = [await notification(sock) for _ in range(2)]
        assert [each.ssfe_data for each in returned] == [b"first", b"second"]
        assert [each.ssfe_flags for each in returned] == [sctp.SCTP_DATA_UNSENT] * 2
        assert {each.ssfe_assoc_id for each in returned} == {failed.sac_assoc_id}
        assert abort.chunk is not None


@virtual_time
async def test_a_peer_that_starts_anew_is_told_as_a_restart() -> None:
    """C05: SCTP_RESTART, with the streams of the new beginning, in the same association."""
    server = several(ASSOC_CHANGE, streams(6, 9))
    async with TwoHosts() as hosts, listener(hosts, server, type=sctp.SOCK_SEQPACKET) as theirs:
        first = one_to_one(hosts, streams(5, 5))
        first.bind(("0.0.0.0", CLIENT_PORT))
        await first.connect(SERVER)
        up = await notification(theirs)
        hosts.client_host.crash()
        stack = aiosctp.Stack(network=hosts.client_host)
        async with stack, SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=stack) as second:
            streams(3, 4)(second)
            second.bind(("0.0.0.0", CLIENT_PORT))
            await second.connect(SERVER)
            restart = await notification(theirs)
            assert (restart.sac_state, restart.sac_assoc_id) == (sctp.SCTP_RESTART, up.sac_assoc_id)
            assert (restart.sac_outbound_streams, restart.sac_inbound_streams) == (4, 3)
            assert sctp.SCTP_ASSOC_SUPPORTS_PR in restart.sac_info
            await second.send(b"again")
            assert await data(theirs) == b"again"
        await first.close()


@virtual_time
async def test_a_graceful_end_is_told_on_both_sides() -> None:
    """C06, C13: SCTP_SHUTDOWN_EVENT at who is told to stop sending, SCTP_SHUTDOWN_COMP at both."""
    events = subscribed(sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SHUTDOWN_EVENT)
    async with many(client=events, server=events) as (_, ours, theirs, assoc_id):
        await notification(ours)
        their_id = (await notification(theirs)).sac_assoc_id
        await ours.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF, snd_assoc_id=assoc_id))
        shutdown = await notification(theirs)
        assert isinstance(shutdown, sctp.sctp_shutdown_event)
        assert (shutdown.sse_type, shutdown.sse_flags, shutdown.sse_length) == (sctp.SCTP_SHUTDOWN_EVENT, 0, 12)
        assert shutdown.sse_assoc_id == their_id
        for sock, which in ((ours, assoc_id), (theirs, their_id)):
            complete = await notification(sock)
            assert (complete.sac_state, complete.sac_error) == (sctp.SCTP_SHUTDOWN_COMP, 0)
            assert complete.sac_assoc_id == which


@virtual_time
async def test_the_shutdown_event_stands_behind_the_data_that_came_before_it() -> None:
    """C13: what was read before is data; and from the event on sending is ESHUTDOWN."""
    async with connected(server=subscribed(sctp.SCTP_SHUTDOWN_EVENT)) as (_, ours, theirs):
        await ours.send(b"last words")
        ours.shutdown(sctp.SHUT_WR)
        await asyncio.sleep(1)
        assert await data(theirs) == b"last words"
        assert isinstance(await notification(theirs), sctp.sctp_shutdown_event)
        with refused(errno.ESHUTDOWN):
            await theirs.send(b"too late")


# -- SCTP_PEER_ADDR_CHANGE --


@virtual_time
async def test_a_path_tells_when_it_answers_when_it_fails_and_when_it_is_back() -> None:
    """C08, C09: CONFIRMED, UNREACHABLE and AVAILABLE; MADE_PRIM stands with SCTP_PRIMARY_ADDR. ADDED and REMOVED need
    ASCONF, and POTENTIALLY_FAILED RFC 7829: they have their numbers."""
    events = subscribed(sctp.SCTP_PEER_ADDR_CHANGE)
    second = (TWO_ADDRESSES[1], PORT)
    async with many(client=events, server_addresses=TWO_ADDRESSES) as (hosts, ours, _, assoc_id):
        flags = sctp.SPP_HB_ENABLE | sctp.SPP_HB_TIME_IS_ZERO
        beats = sctp.sctp_paddrparams(spp_assoc_id=assoc_id, spp_flags=flags, spp_pathmaxrxt=1)
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_PEER_ADDR_PARAMS, beats)

        async def next_state(expected: int) -> None:
            change = await notification(ours)
            assert isinstance(change, sctp.sctp_paddr_change)
            assert (change.spc_type, change.spc_flags) == (sctp.SCTP_PEER_ADDR_CHANGE, 0)
            assert (change.spc_aaddr, change.spc_state, change.spc_assoc_id) == (second, expected, assoc_id)
            assert change.spc_length > 8

        await next_state(sctp.SCTP_ADDR_CONFIRMED)
        hosts.drop = lambda packet: second[0] in (packet.source, packet.destination)
        await next_state(sctp.SCTP_ADDR_UNREACHABLE)
        hosts.drop = lambda packet: False
        await next_state(sctp.SCTP_ADDR_AVAILABLE)
    states = {
        sctp.SCTP_ADDR_AVAILABLE,
        sctp.SCTP_ADDR_UNREACHABLE,
        sctp.SCTP_ADDR_REMOVED,
        sctp.SCTP_ADDR_ADDED,
        sctp.SCTP_ADDR_MADE_PRIM,
        sctp.SCTP_ADDR_CONFIRMED,
    }
    assert len(states) == 6


# -- SCTP_REMOTE_ERROR --


@virtual_time
async def test_an_error_chunk_of_the_peer_is_given_whole() -> None:
    """C10: sre_data is "The entire ERROR chunk as it appears on the wire", sre_error the code of its cause."""
    async with connected(client=subscribed(sctp.SCTP_REMOTE_ERROR)) as (hosts, ours, _):
        await ours.send(b"hello")
        await asyncio.sleep(1)
        inject(hosts, "client", 0xFE, 0, b"what is this?")  # §3.2: "11": skip it and report it
        told = await notification(ours)
        assert isinstance(told, sctp.sctp_remote_error)
        (error,) = sent(hosts, "server", Error)
        assert (told.sre_type, told.sre_error) == (sctp.SCTP_REMOTE_ERROR, 6)
        assert told.sre_data == error.packet.data[12:]
        assert told.sre_length == 16 + len(told.sre_data)


# -- SCTP_ADAPTATION_INDICATION --


@virtual_time
async def test_the_adaptation_layer_of_the_peer_is_told() -> None:
    """B11, C14: SCTP_ADAPTATION_LAYER goes in INIT and INIT ACK, and comes as SCTP_ADAPTATION_INDICATION."""

    def prepared(value: int) -> Prepare:
        layer = sctp.sctp_setadaptation(ssb_adaptation_ind=value)
        return several(subscribed(sctp.SCTP_ADAPTATION_INDICATION), setting(sctp.SCTP_ADAPTATION_LAYER, layer))

    async with many(client=prepared(0x01020304), server=prepared(0)) as (_, ours, theirs, assoc_id):
        for sock, value, which in ((ours, 0, assoc_id), (theirs, 0x01020304, ids(theirs)[0])):
            told = await notification(sock)
            assert isinstance(told, sctp.sctp_adaptation_event)
            assert (told.sai_type, told.sai_flags, told.sai_length) == (sctp.SCTP_ADAPTATION_INDICATION, 0, 16)
            assert (told.sai_adaptation_ind, told.sai_assoc_id) == (value, which)


# -- SCTP_PARTIAL_DELIVERY_EVENT --


@pytest.mark.parametrize("end", ["abort", "abandon"])
@virtual_time
async def test_a_message_that_will_never_be_whole_is_told_with_its_stream_and_number(end: str) -> None:
    """C15: SCTP_PARTIAL_DELIVERY_ABORTED, "for example, if an association is aborted while a partial delivery is going
    on or the user message gets abandoned using PR-SCTP"."""
    server = several(subscribed(sctp.SCTP_PARTIAL_DELIVERY_EVENT), setting(sctp.SCTP_PARTIAL_DELIVERY_POINT, 3000))
    client = several(streams(5, 5), setting(sctp.SO_LINGER, sctp.linger(1, 0), sctp.SOL_SOCKET))
    async with connected(client=client, server=server) as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(delay_s=DELAY_S, bandwidth_bps=1e5))
        on_stream = sctp.sctp_sndinfo(snd_sid=4)
        await ours.sendv(b"whole", sndinfo=on_stream)
        assert await data(theirs) == b"whole"
        lifetime = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=2000)
        await ours.sendv(bytes(200_000), sndinfo=on_stream, prinfo=lifetime if end == "abandon" else None)
        part = await theirs.recvv(LONG)
        assert part.msg_flags == 0
        if end == "abort":
            await ours.close()
        while not (part := await theirs.recvv(LONG)).msg_flags & sctp.MSG_NOTIFICATION:
            assert part.msg_flags == 0
        told = part.data
        assert isinstance(told, sctp.sctp_pdapi_event)
        assert (told.pdapi_type, told.pdapi_length) == (sctp.SCTP_PARTIAL_DELIVERY_EVENT, 24)
        assert told.pdapi_indication == sctp.SCTP_PARTIAL_DELIVERY_ABORTED
        assert (told.pdapi_stream, told.pdapi_seq) == (4, 1)


# -- SCTP_SENDER_DRY_EVENT --


@virtual_time
async def test_a_sender_without_anything_to_send_is_dry() -> None:
    """C01: SCTP_SENDER_DRY_EVENT (RFC 6458 §6.1.9) when all is acknowledged, and at once "when a user app subscribes to
    this event, if there is no data to be sent"."""
    event = sctp.sctp_event(se_type=sctp.SCTP_SENDER_DRY_EVENT, se_on=1)
    async with connected() as (hosts, ours, _):
        await ours.send(b"one")
        began = hosts.client.now()
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event)
        dry = await notification(ours)
        assert hosts.client.now() - began == pytest.approx(2 * DELAY_S)
        assert isinstance(dry, sctp.sctp_sender_dry_event)
        assert (dry.sender_dry_type, dry.sender_dry_flags, dry.sender_dry_length) == (
            sctp.SCTP_SENDER_DRY_EVENT,
            0,
            12,
        )
    async with connected() as (hosts, ours, _):
        began = hosts.client.now()
        ours.setsockopt(IPPROTO_SCTP, sctp.SCTP_EVENT, event)
        assert isinstance(await notification(ours), sctp.sctp_sender_dry_event)
        assert hosts.client.now() == began


# -- SCTP_NOTIFICATIONS_STOPPED_EVENT --


@virtual_time
async def test_a_storm_of_notifications_is_bounded_and_told() -> None:
    """C01: SCTP_NOTIFICATIONS_STOPPED_EVENT (RFC 6458 §6.1.10) is the last one, and needs no subscription;
    they go on once it was read."""
    events = subscribed(sctp.SCTP_SEND_FAILED_EVENT)
    config = aiosctp.Config(event_queue_limit=10)
    async with connected(client=events, config=config) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        lifetime = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=500)
        for number in range(50):
            await ours.sendv(bytes([number]), prinfo=lifetime)
        await asyncio.sleep(2)
        hosts.drop = lambda packet: False
        await theirs.send(b"data is not stopped")
        read = [await notification(ours) for _ in range(11)]
        assert [each.ssfe_data[0] for each in read[:10]] == list(range(10))
        header = read[10]
        assert (header.sn_type, header.sn_flags, header.sn_length) == (sctp.SCTP_NOTIFICATIONS_STOPPED_EVENT, 0, 8)
        assert await data(ours) == b"data is not stopped"
        hosts.drop = lambda packet: True
        for number in (51, 52):
            await ours.sendv(bytes([number]), prinfo=lifetime)
        assert [(await notification(ours)).ssfe_data[0] for _ in range(2)] == [51, 52]
